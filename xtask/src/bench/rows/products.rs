//! A product with a weight as PyTorch stores it, packed once and multiplied often.

use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::product::{Packed, Plain, product};

use crate::{Result, Row, Work, inputs, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "products",
    about: "x·Wᵀ with W as PyTorch stores it, rows x inputs x outputs",
    shapes: &[
        &[2048, 256, 1024],
        &[32, 256, 1024],
        &[32, 1024, 256],
        &[64, 256, 128],
        &[64, 288, 1024],
    ],
    operations: Some(|shape| 2. * shape.iter().map(|&n| n as f64).product::<f64>()),
    start,
};

struct Product {
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<f32>,
    weight: Packed<f32>,
    y: Vec<f32>,
}

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[rows, inputs, outputs] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let weight = inputs::values(outputs * inputs, 2);
    Ok(Box::new(Product {
        rows,
        inputs,
        outputs,
        x: inputs::values(rows * inputs, 1),
        weight: Packed::new(MatRef::new(&weight, outputs, inputs).t()),
        y: vec![0.; rows * outputs],
    }))
}

impl Work for Product {
    fn step(&mut self) -> Result<()> {
        let x = MatRef::new(&self.x, self.rows, self.inputs);
        product(
            MatMut::new(&mut self.y, self.rows, self.outputs),
            x,
            &self.weight,
            &Plain,
        );
        Ok(())
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        self.step()?;
        Ok(vec![("output".to_owned(), self.y.clone())])
    }
}
