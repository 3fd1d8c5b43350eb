//! A model's width, cut into heads and joined again.

use candle_core::{Result, Tensor};

/// `[batch, length, heads · d]` as `[batch, heads, length, d]`.
pub(crate) fn split(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    x.reshape((batch, length, heads, width / heads.max(1)))?
        .transpose(1, 2)?
        .contiguous()
}

/// `[batch, heads, length, d]` as `[batch, length, heads · d]`.
pub(crate) fn join(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, length, width) = x.dims4()?;
    x.transpose(1, 2)?.reshape((batch, length, heads * width))
}
