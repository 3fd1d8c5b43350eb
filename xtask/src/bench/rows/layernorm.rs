//! Layer norm with scale and shift, forward and backward.

use sconce::core::ParamStore;
use sconce::core::candle_core::{DType, Device, Module};
use sconce::nn::{LayerNorm, LayerNormConfig};

use crate::layer::Layer;
use crate::{Result, Row, Work, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "layernorm",
    about: "layer norm over the last axis of [4096, 1024], forward and backward",
    shapes: &[&[4096, 1024]],
    operations: None,
    start,
};

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[_, length] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let layer = LayerNorm::new(&LayerNormConfig::new(vec![length]), store.builder())?;
    Ok(Box::new(Layer::new(
        store,
        Box::new(move |x| layer.forward(x)),
        shape,
        shape,
    )?))
}
