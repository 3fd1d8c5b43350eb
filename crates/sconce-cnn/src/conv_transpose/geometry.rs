//! The convolution whose transpose is asked for.

use super::Options;
use crate::conv::{Geometry, batch, check_others, filters};
use crate::padding::PaddingMode;
use crate::window::{self, Axis, axis_name, transposed_output_size};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// How many elements stand behind each axis of the output.
#[derive(Debug, Clone, Copy)]
pub(super) enum OutputPadding<const N: usize> {
    /// These.
    Of([usize; N]),
    /// As many as give an output of these sizes.
    To([usize; N]),
}

/// The convolution from the output's shape to the input's: its "input" is the output here, and the other way round.
pub(super) fn geometry<const N: usize>(
    path: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &Options<N>,
    output_padding: OutputPadding<N>,
) -> Result<Geometry<N>> {
    let Options {
        stride,
        padding,
        dilation,
        groups,
    } = *options;
    let (in_channels, c_in, kernel) = filters::<N>(path, weight, "in_channels", "out_channels")?;
    let batch = batch::<N>(path, x, in_channels)?;
    check_others(path, x, weight, bias, c_in * groups)?;
    let lengths: [usize; N] = window::lengths(path, "in_channels", x.dims())?;
    let mut axes = [Axis::untouched(0); N];
    for (k, axis) in axes.iter_mut().enumerate() {
        let at = |numbers: &[usize; N]| numbers.get(k).copied().unwrap_or(0);
        *axis = Axis {
            input: 0,
            output: at(&lengths),
            kernel: at(&kernel),
            stride: at(&stride),
            dilation: at(&dilation),
            padding: [at(&padding); 2],
        };
        let sized = match output_padding {
            OutputPadding::Of(extra) => size(axis, at(&extra)),
            OutputPadding::To(sizes) => size_to(axis, at(&sizes)),
        };
        axis.input = sized.map_err(|problem| {
            let expected = format!("a {} {problem}", axis_name(N, k));
            Error::shape(path, "input", expected, x.dims())
        })?;
        *axis = axis.bounded();
    }
    // Padded sizes can't overflow: the output is what is left of them.
    let channels = in_channels.max(c_in * groups);
    let sizes = axes.iter().map(Axis::extent);
    window::fits(path, x.dims(), [batch, channels].into_iter().chain(sizes))?;
    Ok(Geometry {
        batch,
        groups,
        c_in,
        c_out: in_channels / groups,
        axes,
        mode: PaddingMode::Zeros,
    })
}

fn of(axis: &Axis, extra: usize) -> Option<usize> {
    let &Axis {
        output,
        kernel,
        stride,
        dilation,
        padding,
        ..
    } = axis;
    transposed_output_size(output, kernel, stride, padding, dilation, extra)
}

fn size(axis: &Axis, extra: usize) -> std::result::Result<usize, String> {
    of(axis, extra).ok_or_else(|| {
        let Axis {
            output: length,
            kernel,
            stride,
            dilation,
            padding: [padding, _],
            ..
        } = axis;
        format!(
            "for which ({length} − 1)·{stride} − 2·{padding} + {dilation}·({kernel} − 1) + {extra} + 1 is at least 1"
        )
    })
}

fn size_to(axis: &Axis, wanted: usize) -> std::result::Result<usize, String> {
    // Without padding, since the smallest size alone may be nothing.
    let bare = of(
        &Axis {
            padding: [0, 0],
            ..*axis
        },
        0,
    );
    let least = bare.map(|bare| bare as i128 - 2 * axis.padding[0] as i128);
    let most = least.map(|least| least + axis.stride as i128 - 1);
    match (least, most) {
        (Some(least), Some(most)) if wanted > 0 && (least..=most).contains(&(wanted as i128)) => Ok(wanted),
        (Some(least), Some(most)) => Err(format!("that gives {least} to {most}, not {wanted}")),
        _ => Err("of at least 1".to_owned()),
    }
}
