//! Softmax cross-entropy of many classes, forward and backward.

use sconce::core::candle_core::{Device, Tensor};
use sconce::losses::{Reduction, cross_entropy};

use crate::loss::Loss;
use crate::{Result, Row, Work, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "cross-entropy",
    about: "mean cross-entropy of logits [4096, 32000], forward and backward",
    shapes: &[&[4096, 32_000]],
    operations: None,
    start,
};

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[rows, classes] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let targets = (0..rows).map(|i| (i * 7919 % classes) as u32).collect();
    let targets = Tensor::from_vec(targets, rows, &Device::Cpu)?;
    Ok(Box::new(Loss::new(
        Box::new(move |x| cross_entropy(x, &targets, Reduction::Mean)),
        shape,
    )?))
}
