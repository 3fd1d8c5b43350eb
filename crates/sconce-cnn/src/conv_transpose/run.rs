//! Transposed convolutions of any number of axes brought to the kernel's two, and the composite.

use super::Options;
use super::geometry::{OutputPadding, geometry};
use crate::along::Along;
use crate::conv::{Geometry, Row, add_bias};
use crate::kernels;
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::function::reshape;
use sconce_core::{cpu, dispatch_real, graph};

pub(super) fn run<const N: usize>(
    path: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &Options<N>,
    output_padding: OutputPadding<N>,
) -> Result<Tensor> {
    let geometry = geometry(path, x, weight, bias, options, output_padding)?;
    if cpu::has_kernel(x) {
        let plan = |axes| Geometry {
            batch: geometry.batch,
            groups: geometry.groups,
            c_in: geometry.c_in,
            c_out: geometry.c_out,
            axes,
            mode: geometry.mode,
        };
        match *geometry.axes.as_slice() {
            [across] => {
                let plan = plan([Axis::untouched(1), across]);
                let y = kernel(&x.unsqueeze_row()?, &weight.unsqueeze_row()?, bias, plan)?;
                return reshape(&y, output(&geometry));
            }
            [down, across] => return kernel(x, weight, bias, plan([down, across])),
            [depth, down, across] => return volumes(x, weight, bias, plan([down, across]), &depth),
            _ => {}
        }
    }
    let narrow = sconce_core::widened(x, |wide| {
        let bias = bias.map(wide).transpose()?;
        run(
            path,
            &wide(x)?,
            &wide(weight)?,
            bias.as_ref(),
            options,
            output_padding,
        )
    })?;
    if let Some(y) = narrow {
        return Ok(y);
    }
    let y = composite(x, weight, bias, &geometry)?;
    let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    graph::note("conv_transpose", &inputs, std::slice::from_ref(&y));
    Ok(y)
}

/// Shape of the transposed convolution's output.
fn output<const N: usize>(geometry: &Geometry<N>) -> Vec<usize> {
    let inputs = geometry.axes.iter().map(|axis| axis.input);
    [geometry.batch, geometry.groups * geometry.c_in]
        .into_iter()
        .chain(inputs)
        .collect()
}

fn kernel(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, plan: Geometry) -> Result<Tensor> {
    dispatch_real!(x, kernels::conv2d::transposed(x, weight, bias, plan))
}

/// What every place of the windows along an axis adds to: the transpose of taking the windows.
fn fold(axis: &Axis) -> Along {
    let mut rows = vec![Vec::new(); axis.input];
    for (i, place) in axis.taps().into_iter().enumerate() {
        let at = (place as usize).checked_sub(axis.padding[0]);
        if let Some(row) = at.and_then(|at| rows.get_mut(at)) {
            row.push((i as u32, 1.));
        }
    }
    Along::new("fold", axis.output * axis.kernel, rows)
}

/// Volumes as images: every layer of the input is spread over the height and width of as many layers as the kernel has, and
/// these are added up along the depth. `plan` is that of one layer.
fn volumes(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    plan: Geometry,
    depth: &Axis,
) -> Result<Tensor> {
    let Geometry { batch, groups, .. } = plan;
    let (c_in, c_out) = (groups * plan.c_out, groups * plan.c_in);
    let [down, across] = plan.axes;
    let layers = depth.output;
    let images = x
        .transpose(1, 2)?
        .reshape((batch * layers, c_in, down.output, across.output))?;
    let filters = plan.c_in * depth.kernel;
    let plan = Geometry {
        batch: batch * layers,
        c_in: filters,
        ..plan
    };
    let weight = reshape(weight, (c_in, filters, down.kernel, across.kernel))?;
    let spread = kernel(&images, &weight, None, plan)?
        .reshape((batch, layers, c_out, depth.kernel, down.input * across.input))?
        .permute((0, 2, 1, 3, 4))?
        .reshape((batch, c_out, layers * depth.kernel, down.input * across.input))?;
    let y = fold(depth).apply(&spread, 2)?;
    let y = reshape(&y, (batch, c_out, depth.input, down.input, across.input))?;
    match bias {
        Some(bias) => add_bias(&y, bias),
        None => Ok(y),
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
///
/// candle's own `conv_transpose1d` and `conv_transpose2d` aren't used: their gradients are absent or fail.
pub(super) fn composite<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: &Geometry<N>,
) -> Result<Tensor> {
    let &Geometry {
        batch,
        groups,
        c_in,
        c_out,
        axes,
        ..
    } = geometry;
    let (taps, pixels) = (geometry.taps(), geometry.pixels());
    let filters = weight.reshape((1, groups, c_out, taps))?.transpose(2, 3)?;
    let x = x.reshape((batch, groups, c_out, pixels))?;
    let columns = filters.contiguous()?.broadcast_matmul(&x)?;
    // From all taps before all positions to a position with its taps on each axis.
    let shape = [batch, groups * c_in].into_iter();
    let shape = shape.chain(axes.iter().map(|axis| axis.kernel));
    let shape: Vec<usize> = shape.chain(axes.iter().map(|axis| axis.output)).collect();
    let pairs = (0..N).flat_map(|k| [2 + N + k, 2 + k]);
    let order: Vec<usize> = [0, 1].into_iter().chain(pairs).collect();
    let merged = axes.iter().map(|axis| axis.output * axis.kernel);
    let merged: Vec<usize> = [batch, groups * c_in].into_iter().chain(merged).collect();
    let mut y = columns.reshape(shape)?.permute(order)?.reshape(merged)?;
    for (dim, axis) in (2..).zip(&axes) {
        y = fold(axis).apply(&y, dim)?;
    }
    match bias {
        Some(bias) => add_bias(&y, bias),
        None => Ok(y),
    }
}
