//! A linear layer with bias, forward and backward.

use sconce::core::ParamStore;
use sconce::core::candle_core::{DType, Device, Module};
use sconce::nn::{Linear, LinearConfig};

use crate::layer::Layer;
use crate::{Result, Row, Work, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "linear",
    about: "linear layer with bias, rows x inputs x outputs, forward and backward",
    shapes: &[&[2048, 256, 1024], &[64, 256, 128]],
    // Forward, and the gradients of input and weight.
    operations: Some(|shape| 6. * shape.iter().map(|&n| n as f64).product::<f64>()),
    start,
};

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[rows, inputs, outputs] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let layer = Linear::new(&LinearConfig::new(inputs, outputs), store.builder())?;
    let forward = Box::new(move |x: &_| layer.forward(x));
    Ok(Box::new(Layer::new(
        store,
        forward,
        &[rows, inputs],
        &[rows, outputs],
    )?))
}
