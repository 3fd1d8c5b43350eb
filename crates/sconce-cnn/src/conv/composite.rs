//! Convolution from candle operations: the oracle of the kernel, and what runs on other devices.

use super::Geometry;
use crate::window;
use candle_core::{Result, Tensor};

/// The convolution without its activation.
///
/// candle's own `conv1d` and `conv2d` aren't used: their gradients are wrong, or fail for some sizes.
pub(super) fn composite<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: &Geometry<N>,
) -> Result<Tensor> {
    let &Geometry {
        batch, groups, c_out, ..
    } = geometry;
    let (taps, pixels) = (geometry.taps(), geometry.pixels());
    // Windows to filters' taps by pixels.
    let columns = window::gather(&geometry.mode.apply(x, &geometry.axes)?, &geometry.axes)?
        .permute(window::order(N, false))?
        .reshape((batch, groups, taps, pixels))?;
    let filters = weight.reshape((1, groups, c_out, taps))?;
    let y = filters.broadcast_matmul(&columns)?.reshape(geometry.output())?;
    match bias {
        Some(bias) => add_bias(&y, bias),
        None => Ok(y),
    }
}

/// `[batch, channels, *positions]` with a number added to each channel.
pub(crate) fn add_bias(y: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; y.rank()];
    if let Some(channels) = shape.get_mut(1) {
        *channels = bias.elem_count();
    }
    y.broadcast_add(&bias.reshape(shape)?)
}
