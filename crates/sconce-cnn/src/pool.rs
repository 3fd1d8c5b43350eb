//! What the pooling layers share.

use crate::conv::check_each;
use crate::window::{Axis, Windows, layout};
use candle_core::{Result, Tensor};
use sconce_core::Error;
use sconce_core::function::reshape;

/// The windows of a pooling layer, if its options make sense.
pub(crate) fn windows<const N: usize>(
    layer: &str,
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    dilation: [usize; N],
    ceil_mode: bool,
) -> sconce_core::Result<[Windows; N]> {
    if N == 0 {
        return Err(Error::config(layer, "axes", 0, "at least one axis of positions"));
    }
    check_each(layer, "kernel_size", &kernel)?;
    check_each(layer, "stride", &stride)?;
    check_each(layer, "dilation", &dilation)?;
    if padding
        .iter()
        .zip(&kernel)
        .any(|(padding, kernel)| *padding > kernel / 2)
    {
        let expected = format!("at most half of kernel_size = {kernel:?}");
        return Err(Error::config(layer, "padding", format!("{padding:?}"), expected));
    }
    let mut windows = kernel.map(Windows::of);
    let others = stride.into_iter().zip(padding).zip(dilation);
    for (windows, ((stride, padding), dilation)) in windows.iter_mut().zip(others) {
        *windows = Windows {
            stride,
            dilation,
            padding: [padding; 2],
            ceil_mode,
            ..*windows
        };
    }
    Ok(windows)
}

/// That the input is a batch of channels of `axes` axes of positions.
pub(crate) fn check(layer: &str, axes: usize, x: &Tensor) -> sconce_core::Result<()> {
    match x.rank() == axes + 2 {
        true => Ok(()),
        false => Err(Error::shape(layer, "input", layout("channels", axes), x.dims())),
    }
}

/// Pools `[batch, channels, *positions]` with a function that does so for two axes. One axis is an image's row; of three,
/// height and width are pooled first, and what is left along the depth. `None` if there are more.
pub(crate) fn by_images(
    x: &Tensor,
    axes: &[Axis],
    pool: impl Fn(&Tensor, [Axis; 2], Turn) -> Result<Tensor>,
) -> Result<Option<Tensor>> {
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    Ok(Some(match *axes {
        [across] => {
            let row = reshape(x, (batch, channels, 1, across.input))?;
            let y = pool(&row, [Axis::untouched(1), across], Turn::First)?;
            reshape(&y, (batch, channels, across.output))?
        }
        [down, across] => pool(x, [down, across], Turn::First)?,
        [depth, down, across] => {
            let layers = (batch, channels * depth.input, down.input, across.input);
            let y = pool(&reshape(x, layers)?, [down, across], Turn::First)?;
            let pixels = down.output * across.output;
            let y = reshape(&y, (batch, channels, depth.input, pixels))?;
            let y = pool(&y, [depth, Axis::untouched(pixels)], Turn::Second)?;
            reshape(&y, (batch, channels, depth.output, down.output, across.output))?
        }
        _ => return Ok(None),
    }))
}

/// Which of the one or two times it is that [`by_images`] pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    First,
    /// Along the depth.
    Second,
}
