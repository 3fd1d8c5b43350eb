//! Convolutions of any number of axes brought to the kernel's two.

use super::composite::composite;
use super::{ConvOptions, Geometry};
use crate::along::Along;
use crate::kernels;
use crate::window::Axis;
use candle_core::{Module, Result, Tensor};
use sconce_core::function::reshape;
use sconce_core::{cpu, dispatch_real, graph};
use sconce_nn::Activation;

pub(super) fn run<const N: usize>(
    path: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
) -> Result<Tensor> {
    let geometry = Geometry::new(path, x, weight, bias, options)?;
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
                let (x, weight) = (x.unsqueeze_row()?, weight.unsqueeze_row()?);
                let y = kernel(&x, &weight, bias, plan, options.activation)?;
                return reshape(&y, geometry.output());
            }
            [down, across] => return kernel(x, weight, bias, plan([down, across]), options.activation),
            [depth, down, across] => {
                let plan = plan([down, across]);
                return volumes(x, weight, bias, plan, &depth, options.activation);
            }
            _ => {}
        }
    }
    let narrow = sconce_core::widened(x, |wide| {
        run(
            path,
            &wide(x)?,
            &wide(weight)?,
            bias.map(wide).transpose()?.as_ref(),
            options,
        )
    })?;
    if let Some(y) = narrow {
        return Ok(y);
    }
    let y = composite(x, weight, bias, &geometry)?;
    let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    graph::note("conv", &inputs, std::slice::from_ref(&y));
    match options.activation {
        Some(activation) => activation.forward(&y),
        None => Ok(y),
    }
}

fn kernel(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    plan: Geometry,
    activation: Option<Activation>,
) -> Result<Tensor> {
    dispatch_real!(x, kernels::conv2d::forward(x, weight, bias, plan, activation))
}

/// Volumes as images: the layers that a window reaches over become channels, every place of the window along the depth an
/// image of its own. `plan` is that of one layer.
fn volumes(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    plan: Geometry,
    depth: &Axis,
    activation: Option<Activation>,
) -> Result<Tensor> {
    let Geometry { batch, groups, .. } = plan;
    let (c_in, c_out) = (groups * plan.c_in, groups * plan.c_out);
    let [down, across] = plan.axes;
    let layers = depth.output;
    let sources = plan.mode.sources(depth);
    let taken = depth.taps().into_iter();
    let taken = taken.map(|place| sources.get(place as usize).copied().flatten());
    let windows = Along::select("unfold", depth.input, taken).apply(x, 2)?;
    let images = windows
        .reshape((batch, c_in, layers, depth.kernel, down.input * across.input))?
        .permute((0, 2, 1, 3, 4))?
        .reshape((batch * layers, c_in * depth.kernel, down.input, across.input))?;
    let (filters, taps) = (c_out, plan.c_in * depth.kernel);
    let plan = Geometry {
        batch: batch * layers,
        c_in: taps,
        ..plan
    };
    let weight = reshape(weight, (filters, taps, down.kernel, across.kernel))?;
    let y = kernel(&images, &weight, bias, plan, activation)?;
    y.reshape((batch, layers, c_out, down.output, across.output))?
        .transpose(1, 2)?
        .contiguous()
}

/// Sequences as images of one row.
pub(crate) trait Row: Sized {
    /// `[a, b, length]` as `[a, b, 1, length]`.
    fn unsqueeze_row(&self) -> Result<Self>;
}

impl Row for Tensor {
    fn unsqueeze_row(&self) -> Result<Self> {
        let (a, b, length) = self.dims3()?;
        reshape(self, (a, b, 1, length))
    }
}
