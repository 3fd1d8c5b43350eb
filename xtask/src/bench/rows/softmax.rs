//! Softmax, forward and backward.

use sconce::core::ParamStore;
use sconce::core::candle_core::{D, DType, Device};
use sconce::nn::softmax;

use crate::layer::Layer;
use crate::{Result, Row, Work};

pub(crate) const ROW: Row = Row {
    name: "softmax",
    about: "softmax over the last axis of [4096, 1024], forward and backward",
    shapes: &[&[4096, 1024]],
    operations: None,
    start,
};

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    Ok(Box::new(Layer::new(
        store,
        Box::new(|x| softmax(x, D::Minus1)),
        shape,
        shape,
    )?))
}
