//! Scaled sums over windows, and their gradient.

use super::planes::{self, Taps};
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};

/// x `[batch, channels, height, width]`; `scale` has a factor for every window. The sizes have been checked.
pub(crate) fn forward<T: Real>(x: &Tensor, axes: [Axis; 2], scale: Vec<f64>) -> Result<Tensor> {
    apply1(
        AvgPool2d::<T> {
            axes,
            scale: scale.into_iter().map(T::from_f64).collect(),
        },
        &[x],
    )
}

struct AvgPool2d<T> {
    axes: [Axis; 2],
    scale: Vec<T>,
}

impl<T: Real> Function for AvgPool2d<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = inputs[0].dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let x = cpu::slice::<T>(&inputs[0])?;
        let mut y = vec![T::zero(); batch * channels * to];
        let taps = Taps::new(&self.axes);
        planes::each(&mut y, to, from, |plane, y| {
            let x = &x[plane * from..][..from];
            for (row, y) in y.chunks_exact_mut(h.output).enumerate() {
                for i in taps.rows(row) {
                    let line = &x[i * h.input..][..h.input];
                    for tap in &taps.across {
                        let from = line[tap.start..].iter().step_by(h.stride);
                        for (y, x) in y[tap.outputs.clone()].iter_mut().zip(from) {
                            *y += *x;
                        }
                    }
                }
            }
            for (y, scale) in y.iter_mut().zip(&self.scale) {
                *y *= *scale;
            }
        });
        Ok((vec![Output::new(y, (batch, channels, v.output, h.output))?], ()))
    }

    fn backward(&self, _: &Backward<'_, ()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = grad.dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let grad = grad.contiguous()?;
        let dy = cpu::slice::<T>(&grad)?;
        let mut dx = vec![T::zero(); batch * channels * from];
        let taps = Taps::new(&self.axes);
        planes::each(&mut dx, from, from, |plane, dx| {
            let dy = &dy[plane * to..][..to];
            for (row, (dy, scale)) in dy
                .chunks_exact(h.output)
                .zip(self.scale.chunks_exact(h.output))
                .enumerate()
            {
                for i in taps.rows(row) {
                    let line = &mut dx[i * h.input..][..h.input];
                    for tap in &taps.across {
                        let to = line[tap.start..].iter_mut().step_by(h.stride);
                        let from = dy[tap.outputs.clone()].iter().zip(&scale[tap.outputs.clone()]);
                        for (dx, (dy, scale)) in to.zip(from) {
                            *dx += *dy * *scale;
                        }
                    }
                }
            }
        });
        Ok(vec![Some(Tensor::from_vec(
            dx,
            (batch, channels, v.input, h.input),
            grad.device(),
        )?)])
    }
}
