//! Where windows stand along an axis: the size formula that convolution and pooling share.

use candle_core::{Result, Tensor};
use sconce_core::Error;

/// The number of windows along an axis, and so the length of the output.
///
/// ⌊(length + padding\[0\] + padding\[1\] − dilation·(kernel − 1) − 1) / stride⌋ + 1; with `ceil_mode` it is rounded up
/// instead, and a last window that would start in the padding after the input is dropped.
///
/// `None` where the kernel doesn't fit into the padded input, and where `kernel`, `stride` or `dilation` is 0.
///
/// # Source
/// `torch.nn.Conv2d`, `torch.nn.MaxPool2d`
/// # Example
/// ```
/// use sconce_cnn::output_size;
/// assert_eq!(output_size(28, 5, 1, [0, 0], 1, false), Some(24));
/// assert_eq!(output_size(7, 2, 2, [0, 0], 1, false), Some(3));
/// assert_eq!(output_size(7, 2, 2, [0, 0], 1, true), Some(4));
/// assert_eq!(output_size(4, 5, 1, [0, 0], 1, false), None);
/// ```
pub fn output_size(
    length: usize,
    kernel: usize,
    stride: usize,
    padding: [usize; 2],
    dilation: usize,
    ceil_mode: bool,
) -> Option<usize> {
    if kernel == 0 || stride == 0 || dilation == 0 {
        return None;
    }
    let padded = length.checked_add(padding[0])?.checked_add(padding[1])?;
    let covered = dilation.checked_mul(kernel - 1)?.checked_add(1)?;
    let steps = padded.checked_sub(covered)?;
    let rounded = if ceil_mode {
        steps.div_ceil(stride)
    } else {
        steps / stride
    };
    let starts_in_padding = ceil_mode && rounded * stride >= length + padding[0];
    Some(rounded + 1 - usize::from(starts_in_padding && rounded > 0))
}

/// Height and width: one number for both, or one for each.
pub trait Pair {
    /// `[height, width]`
    fn pair(self) -> [usize; 2];
}

impl Pair for usize {
    fn pair(self) -> [usize; 2] {
        [self, self]
    }
}

impl Pair for [usize; 2] {
    fn pair(self) -> [usize; 2] {
        self
    }
}

impl Pair for (usize, usize) {
    fn pair(self) -> [usize; 2] {
        [self.0, self.1]
    }
}

/// One axis of an input and the windows on it, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Padding before the input and after it.
    pub(crate) padding: [usize; 2],
}

/// The options of an axis before its input is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Windows {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) padding: [usize; 2],
    pub(crate) ceil_mode: bool,
}

impl Windows {
    /// The axis of a length, or what is wrong with it.
    pub(crate) fn on(&self, length: usize) -> std::result::Result<Axis, String> {
        let Self {
            kernel,
            stride,
            dilation,
            padding,
            ceil_mode,
        } = *self;
        let size = output_size(length, kernel, stride, padding, dilation, ceil_mode);
        match size {
            Some(output) if length > 0 => Ok(Axis {
                input: length,
                output,
                kernel,
                stride,
                dilation,
                padding,
            }),
            _ => {
                let [before, after] = padding;
                let least = (dilation * kernel.saturating_sub(1) + 1)
                    .saturating_sub(before + after)
                    .max(1);
                Err(format!(
                    "at least {least}, so that ({length} + {before} + {after} − {dilation}·({kernel} − 1) − 1) / {stride} + 1 \
                     windows of {kernel} fit"
                ))
            }
        }
    }
}

impl Axis {
    /// Length with padding.
    pub(crate) fn padded(&self) -> usize {
        self.input + self.padding[0] + self.padding[1]
    }

    /// Length that the windows reach over, the padded one at least: in `ceil_mode` the last window can stand out.
    pub(crate) fn reach(&self) -> usize {
        let last = (self.output.saturating_sub(1)) * self.stride + (self.kernel - 1) * self.dilation + 1;
        last.max(self.padded())
    }

    /// Positions in the padded input of every window's taps, window by window.
    fn taps(&self) -> Vec<u32> {
        let tap = |o: usize, k: usize| (o * self.stride + k * self.dilation) as u32;
        (0..self.output)
            .flat_map(|o| (0..self.kernel).map(move |k| tap(o, k)))
            .collect()
    }
}

/// Both axes of an image, or an error that names the layer and the axis that is too short.
pub(crate) fn axes(layer: &str, windows: &[Windows; 2], dims: &[usize]) -> sconce_core::Result<[Axis; 2]> {
    let [.., height, width] = dims else {
        return Err(Error::shape(
            layer,
            "input",
            "[batch, channels, height, width]",
            dims,
        ));
    };
    let axis = |windows: &Windows, length: usize, name: &str| {
        let fail = |problem| Error::shape(layer, "input", format!("{name} of {problem}"), dims);
        windows.on(length).map_err(fail)
    };
    Ok([
        axis(&windows[0], *height, "a height")?,
        axis(&windows[1], *width, "a width")?,
    ])
}

/// Every window of a padded image, from candle operations.
///
/// # Shapes
/// x `[batch, channels, height, width]`, output `[batch, channels, out_height, kernel_height, out_width, kernel_width]`
pub(crate) fn gather(x: &Tensor, axes: &[Axis; 2]) -> Result<Tensor> {
    let [v, h] = axes;
    let (batch, channels, _, width) = x.dims4()?;
    let rows = x
        .contiguous()?
        .index_select(&Tensor::new(v.taps(), x.device())?, 2)?;
    let columns = rows
        .reshape((batch, channels, v.output * v.kernel, width))?
        .index_select(&Tensor::new(h.taps(), x.device())?, 3)?;
    columns.reshape(&[batch, channels, v.output, v.kernel, h.output, h.kernel][..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_pytorchs() {
        // length, kernel, stride, padding, dilation, ceil_mode, size
        let table = [
            (6, 3, 2, [1, 1], 1, true, Some(4)),
            (6, 3, 2, [1, 1], 1, false, Some(3)),
            (5, 2, 2, [0, 0], 1, true, Some(3)),
            (4, 2, 3, [1, 1], 1, true, Some(2)),
            (3, 1, 3, [0, 0], 1, true, Some(1)),
            (7, 3, 1, [0, 0], 3, false, Some(1)),
            (7, 4, 1, [1, 2], 1, false, Some(7)),
            (6, 3, 1, [0, 0], 3, false, None),
            (0, 1, 1, [0, 0], 1, false, None),
            (6, 0, 1, [0, 0], 1, false, None),
            (6, 1, 0, [0, 0], 1, false, None),
            (usize::MAX, 1, 1, [1, 0], 1, false, None),
        ];
        for (length, kernel, stride, padding, dilation, ceil_mode, size) in table {
            let got = output_size(length, kernel, stride, padding, dilation, ceil_mode);
            assert_eq!(
                got, size,
                "{length} {kernel} {stride} {padding:?} {dilation} {ceil_mode}"
            );
        }
    }
}
