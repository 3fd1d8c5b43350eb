//! Where windows stand along an axis: the size formula that convolution and pooling share.

use candle_core::{Result, Tensor};
use sconce_core::Error;

/// The number of windows along an axis, and so the length of the output.
///
/// ⌊(length + padding\[0\] + padding\[1\] − dilation·(kernel − 1) − 1) / stride⌋ + 1; with `ceil_mode` it is rounded up
/// instead, and a last window that would start in the padding after the input is dropped.
///
/// `None` where the kernel doesn't fit into the padded input (with `ceil_mode`, by a stride or more), and where `kernel`, `stride` or `dilation` is 0.
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
    let rounded = match padded.checked_sub(covered) {
        Some(steps) if ceil_mode => steps.div_ceil(stride),
        Some(steps) => steps / stride,
        // Rounded up, a first window that stands out by less than a stride counts too.
        None if ceil_mode && covered - padded < stride && length > 0 => 0,
        None => return None,
    };
    let starts_in_padding = ceil_mode && rounded.saturating_mul(stride) >= length + padding[0];
    Some(rounded + 1 - usize::from(starts_in_padding && rounded > 0))
}

/// The length of an axis after a transposed convolution.
///
/// (length − 1)·stride − padding\[0\] − padding\[1\] + dilation·(kernel − 1) + output_padding + 1: the length on which a
/// convolution of the same options has `length` windows.
///
/// `None` where nothing is left, and where `length`, `kernel`, `stride` or `dilation` is 0.
///
/// # Source
/// `torch.nn.ConvTranspose2d`
/// # Example
/// ```
/// use sconce_cnn::{output_size, transposed_output_size};
/// assert_eq!(transposed_output_size(4, 3, 2, [1, 1], 1, 1), Some(8));
/// assert_eq!(output_size(8, 3, 2, [1, 1], 1, false), Some(4));
/// assert_eq!(transposed_output_size(1, 1, 1, [1, 1], 1, 0), None);
/// ```
pub fn transposed_output_size(
    length: usize,
    kernel: usize,
    stride: usize,
    padding: [usize; 2],
    dilation: usize,
    output_padding: usize,
) -> Option<usize> {
    if kernel == 0 || stride == 0 || dilation == 0 {
        return None;
    }
    let covered = length.checked_sub(1)?.checked_mul(stride)?;
    let covered = covered.checked_add(dilation.checked_mul(kernel - 1)?)?;
    let covered = covered.checked_add(output_padding)?.checked_add(1)?;
    covered
        .checked_sub(padding[0].checked_add(padding[1])?)
        .filter(|&length| length > 0)
}

/// One number for each of `N` axes, or one for all of them.
pub trait Sizes<const N: usize> {
    /// The numbers in the order of the axes: `[length]`, `[height, width]` or `[depth, height, width]`.
    fn sizes(self) -> [usize; N];
}

impl<const N: usize> Sizes<N> for usize {
    fn sizes(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> Sizes<N> for [usize; N] {
    fn sizes(self) -> [usize; N] {
        self
    }
}

impl Sizes<2> for (usize, usize) {
    fn sizes(self) -> [usize; 2] {
        [self.0, self.1]
    }
}

impl Sizes<3> for (usize, usize, usize) {
    fn sizes(self) -> [usize; 3] {
        [self.0, self.1, self.2]
    }
}

/// The name of axis `axis` of `count` axes of positions.
pub(crate) fn axis_name(count: usize, axis: usize) -> &'static str {
    let names: &[&'static str] = match count {
        1 => &["length"],
        2 => &["height", "width"],
        _ => &["depth", "height", "width"],
    };
    names.get(axis).copied().unwrap_or("axis")
}

/// Names of all axes, as in `[batch, channels, height, width]`.
pub(crate) fn layout(channels: &str, count: usize) -> String {
    let names = (0..count).map(|axis| axis_name(count, axis));
    let all: Vec<&str> = ["batch", channels].into_iter().chain(names).collect();
    format!("[{}]", all.join(", "))
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
    /// Windows of a size side by side.
    pub(crate) fn of(kernel: usize) -> Self {
        Self {
            kernel,
            stride: kernel,
            dilation: 1,
            padding: [0, 0],
            ceil_mode: false,
        }
    }

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
            }
            .bounded()),
            _ => {
                let [before, after] = padding;
                let least = dilation
                    .saturating_mul(kernel.saturating_sub(1))
                    .saturating_add(1)
                    .saturating_sub(before.saturating_add(after))
                    .saturating_sub(if ceil_mode { stride.saturating_sub(1) } else { 0 })
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
    /// An axis whose every element is a window of its own.
    pub(crate) fn untouched(length: usize) -> Self {
        Self {
            input: length,
            output: length,
            kernel: 1,
            stride: 1,
            dilation: 1,
            padding: [0, 0],
        }
    }

    /// The same with steps that are no longer than the axis: between less than two windows or taps any length will do.
    pub(crate) fn bounded(self) -> Self {
        Self {
            stride: if self.output < 2 { 1 } else { self.stride },
            dilation: if self.kernel < 2 { 1 } else { self.dilation },
            ..self
        }
    }

    /// Length with padding.
    pub(crate) fn padded(&self) -> usize {
        self.input + self.padding[0] + self.padding[1]
    }

    /// The largest number of elements that an axis has at any time, padded or as windows.
    pub(crate) fn extent(&self) -> usize {
        let windows = self.output.saturating_mul(self.kernel);
        windows.max(self.reach())
    }

    /// Length that the windows reach over, the padded one at least: in `ceil_mode` the last window can stand out.
    pub(crate) fn reach(&self) -> usize {
        let last = (self.output.saturating_sub(1)).saturating_mul(self.stride);
        let covered = (self.kernel - 1).saturating_mul(self.dilation);
        last.saturating_add(covered).saturating_add(1).max(self.padded())
    }

    /// Positions in the padded input of every window's taps, window by window.
    pub(crate) fn taps(&self) -> Vec<u32> {
        let tap = |o: usize, k: usize| (o * self.stride + k * self.dilation) as u32;
        (0..self.output)
            .flat_map(|o| (0..self.kernel).map(move |k| tap(o, k)))
            .collect()
    }
}

/// All axes of positions, or an error that names the layer and the axis that is too short.
pub(crate) fn axes<const N: usize>(
    layer: &str,
    windows: &[Windows; N],
    dims: &[usize],
) -> sconce_core::Result<[Axis; N]> {
    let lengths: [usize; N] = lengths(layer, "channels", dims)?;
    let mut axes = [Axis::untouched(0); N];
    let all = axes.iter_mut().zip(windows).zip(lengths).enumerate();
    for (k, ((axis, windows), length)) in all {
        *axis = windows.on(length).map_err(|problem| {
            let expected = format!("a {} of {problem}", axis_name(N, k));
            Error::shape(layer, "input", expected, dims)
        })?;
    }
    let channels = dims.iter().take(2).copied();
    fits(layer, dims, channels.chain(axes.iter().map(Axis::extent)))?;
    Ok(axes)
}

/// That a tensor of these sizes can be: positions are counted in 32 bits, bytes in what an allocation may have.
pub(crate) fn fits(
    layer: &str,
    dims: &[usize],
    sizes: impl IntoIterator<Item = usize>,
) -> sconce_core::Result<()> {
    let sum = sizes.into_iter().try_fold(16usize, |bytes, size| {
        let counted = i32::try_from(size).is_ok();
        bytes.checked_mul(size.max(1)).filter(|_| counted)
    });
    match sum {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => {
            let expected = "one whose output, with these options, fits into memory";
            Err(Error::shape(layer, "input", expected, dims))
        }
    }
}

/// The lengths of the axes of positions of `[batch, channels, *positions]`.
pub(crate) fn lengths<const N: usize>(
    layer: &str,
    channels: &str,
    dims: &[usize],
) -> sconce_core::Result<[usize; N]> {
    let positions = dims.get(2..).and_then(|lengths| lengths.try_into().ok());
    positions.ok_or_else(|| Error::shape(layer, "input", layout(channels, N), dims))
}

/// Every window of a padded input, from candle operations.
///
/// # Shapes
/// x `[batch, channels, *positions]`, output `[batch, channels, out, kernel, out, kernel, …]`, a pair for each axis
pub(crate) fn gather(x: &Tensor, axes: &[Axis]) -> Result<Tensor> {
    let mut dims = vec![x.dim(0)?, x.dim(1)?];
    let mut windows = x.contiguous()?;
    for (dim, axis) in (2..).zip(axes) {
        windows = windows.index_select(&Tensor::new(axis.taps(), x.device())?, dim)?;
        dims.extend([axis.output, axis.kernel]);
    }
    windows.reshape(dims)
}

/// The axes of [`gather`]'s output with all of windows before all within windows, or the other way round.
pub(crate) fn order(count: usize, windows_first: bool) -> Vec<usize> {
    let (of, within) = ((0..count).map(|k| 2 + 2 * k), (0..count).map(|k| 3 + 2 * k));
    match windows_first {
        true => [0, 1].into_iter().chain(of).chain(within).collect(),
        false => [0, 1].into_iter().chain(within).chain(of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_size_is_that_of_the_convolution_before() {
        for (length, kernel, stride, padding, dilation) in [
            (5, 3, 2, [1, 1], 1),
            (1, 4, 3, [0, 2], 2),
            (7, 1, 1, [0, 0], 5),
            (2, 2, 6, [1, 0], 3),
        ] {
            for extra in 0..stride {
                let size = transposed_output_size(length, kernel, stride, padding, dilation, extra).unwrap();
                assert_eq!(
                    output_size(size, kernel, stride, padding, dilation, false),
                    Some(length)
                );
            }
        }
        for [length, kernel, stride, dilation] in [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]] {
            assert_eq!(
                transposed_output_size(length, kernel, stride, [0, 0], dilation, 0),
                None
            );
        }
        assert_eq!(transposed_output_size(2, 1, usize::MAX, [0, 0], 1, 1), None);
    }

    #[test]
    fn sizes_are_pytorchs() {
        // length, kernel, stride, padding, dilation, ceil_mode, size
        let table = [
            (6, 3, 2, [1, 1], 1, true, Some(4)),
            (6, 3, 2, [1, 1], 1, false, Some(3)),
            (5, 2, 2, [0, 0], 1, true, Some(3)),
            (4, 2, 3, [1, 1], 1, true, Some(2)),
            (3, 1, 3, [0, 0], 1, true, Some(1)),
            (1, 3, 3, [0, 0], 1, true, Some(1)),
            (1, 3, 2, [0, 0], 1, true, None),
            (1, 4, 3, [1, 1], 1, true, Some(1)),
            (0, 2, 3, [0, 0], 1, true, None),
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
