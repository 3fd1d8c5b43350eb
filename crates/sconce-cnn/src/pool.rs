//! What the pooling layers check.

use crate::window::Windows;
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// The windows of a pooling layer, if its options make sense.
pub(crate) fn windows(
    layer: &str,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    ceil_mode: bool,
) -> Result<[Windows; 2]> {
    let show = |[height, width]: [usize; 2]| format!("[{height}, {width}]");
    for (field, pair) in [
        ("kernel_size", kernel),
        ("stride", stride),
        ("dilation", dilation),
    ] {
        if pair.contains(&0) {
            return Err(Error::config(layer, field, show(pair), "at least 1 on both axes"));
        }
    }
    if padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2 {
        let expected = format!("at most half of kernel_size = {}", show(kernel));
        return Err(Error::config(layer, "padding", show(padding), expected));
    }
    let along = |kernel, stride, padding, dilation| Windows {
        kernel,
        stride,
        dilation,
        padding: [padding; 2],
        ceil_mode,
    };
    Ok([
        along(kernel[0], stride[0], padding[0], dilation[0]),
        along(kernel[1], stride[1], padding[1], dilation[1]),
    ])
}

/// That the input is a batch of images.
pub(crate) fn check(layer: &str, x: &Tensor) -> Result<()> {
    match x.rank() {
        4 => Ok(()),
        _ => Err(Error::shape(
            layer,
            "input",
            "[batch, channels, height, width]",
            x.dims(),
        )),
    }
}
