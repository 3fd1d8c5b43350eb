//! All sizes of one convolution.

use super::ConvOptions;
use crate::padding::PaddingMode;
use crate::window::{self, Axis, Windows, axis_name, layout};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// All sizes of one convolution, checked against each other. Those that the kernels know have two axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry<const N: usize = 2> {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Input channels of one group.
    pub(crate) c_in: usize,
    /// Output channels of one group.
    pub(crate) c_out: usize,
    pub(crate) axes: [Axis; N],
    pub(crate) mode: PaddingMode,
}

impl<const N: usize> Geometry<N> {
    pub(super) fn new(
        path: &str,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: &ConvOptions<N>,
    ) -> Result<Self> {
        let ConvOptions {
            stride,
            padding,
            padding_mode: mode,
            dilation,
            groups,
            ..
        } = *options;
        let (out_channels, c_in, kernel) = filters::<N>(path, weight, "out_channels", "in_channels")?;
        if out_channels % groups != 0 {
            let expected = format!("[out_channels, …] with a multiple of groups = {groups}");
            return Err(Error::shape(path, "weight", expected, weight.dims()));
        }
        let batch = batch::<N>(path, x, c_in.saturating_mul(groups))?;
        check_others(path, x, weight, bias, out_channels)?;
        let mut windows = [Windows::of(0); N];
        let each = windows
            .iter_mut()
            .zip(kernel)
            .zip(stride.into_iter().zip(dilation));
        for (k, ((windows, kernel), (stride, dilation))) in each.enumerate() {
            *windows = Windows {
                kernel,
                stride,
                dilation,
                padding: padding.along(k, kernel, dilation),
                ceil_mode: false,
            };
        }
        let axes = window::axes(path, &windows, x.dims())?;
        for (k, axis) in axes.iter().enumerate() {
            if let Some(problem) = mode.problem(axis) {
                let expected = format!("a {} of {problem}", axis_name(N, k));
                return Err(Error::shape(path, "input", expected, x.dims()));
            }
        }
        let sizes = [batch, out_channels].into_iter();
        let sizes = sizes.chain(axes.iter().map(|axis| axis.output));
        window::fits(path, x.dims(), sizes)?;
        Ok(Self {
            batch,
            groups,
            c_in,
            c_out: out_channels / groups,
            axes,
            mode,
        })
    }

    /// Taps of a window over all channels of a group: the length of a filter.
    pub(crate) fn taps(&self) -> usize {
        self.axes.iter().fold(self.c_in, |taps, axis| taps * axis.kernel)
    }

    /// Positions of an output channel.
    pub(crate) fn pixels(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    /// Shape of the output.
    pub(crate) fn output(&self) -> Vec<usize> {
        let outputs = self.axes.iter().map(|axis| axis.output);
        [self.batch, self.groups * self.c_out]
            .into_iter()
            .chain(outputs)
            .collect()
    }
}

/// The first two axes of a weight, and its kernel's sizes.
pub(crate) fn filters<const N: usize>(
    path: &str,
    weight: &Tensor,
    first: &str,
    second: &str,
) -> Result<(usize, usize, [usize; N])> {
    let kernel = |sizes: &[usize]| <[usize; N]>::try_from(sizes).ok();
    if let &[a, b, ref sizes @ ..] = weight.dims()
        && let Some(kernel) = kernel(sizes)
    {
        return Ok((a, b, kernel));
    }
    let names: Vec<String> = (0..N).map(|k| format!("kernel_{}", axis_name(N, k))).collect();
    let expected = format!("[{first}, {second} / groups, {}]", names.join(", "));
    Err(Error::shape(path, "weight", expected, weight.dims()))
}

/// The size of a batch whose channels and number of axes are right.
pub(crate) fn batch<const N: usize>(path: &str, x: &Tensor, in_channels: usize) -> Result<usize> {
    match *x.dims() {
        [batch, channels, ref positions @ ..] if channels == in_channels && positions.len() == N => Ok(batch),
        _ => {
            let expected = layout(&format!("in_channels = {in_channels}"), N);
            Err(Error::shape(path, "input", expected, x.dims()))
        }
    }
}

/// That the bias has the right length, and all the same dtype.
pub(crate) fn check_others(
    path: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    out_channels: usize,
) -> Result<()> {
    if let Some(bias) = bias
        && bias.dims() != [out_channels]
    {
        let expected = format!("[out_channels = {out_channels}]");
        return Err(Error::shape(path, "bias", expected, bias.dims()));
    }
    for (argument, tensor) in [("input", Some(x)), ("bias", bias)] {
        if let Some(got) = tensor.map(Tensor::dtype).filter(|&dtype| dtype != weight.dtype()) {
            let expected = format!("{:?}, that of the weight", weight.dtype());
            return Err(Error::DType {
                layer: path.to_string(),
                argument,
                expected,
                got,
            });
        }
    }
    Ok(())
}
