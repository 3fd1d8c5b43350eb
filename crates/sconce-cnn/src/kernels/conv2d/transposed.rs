//! Transposed convolution: a convolution's map from its output's gradient to its input's, run forward.

use super::gradients::Slope;
use super::{Conv2d, Geometry, Saved};
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// The transpose of the convolution of `geometry`, with a bias; the sizes have been checked.
pub(crate) fn transposed<T: Real>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Geometry,
) -> Result<Tensor> {
    let tensors: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    let conv = Conv2d::<T> {
        geometry,
        fused: None,
        dtype: PhantomData,
    };
    apply1(Transposed(conv), &tensors)
}

struct Transposed<T>(Conv2d<T>);

impl<T: Real> Function for Transposed<T> {
    type Saved = Saved;

    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Saved)> {
        let g = &self.0.geometry;
        let [v, h] = &g.axes;
        let x = cpu::slice::<T>(&inputs[0])?;
        let mut y = self.0.input_gradient(&plain(&x), &cpu::slice(&inputs[1])?);
        if let Some(bias) = inputs.get(2) {
            let bias = cpu::slice::<T>(bias)?;
            for (y, bias) in y.chunks_exact_mut(v.input * h.input).zip(bias.iter().cycle()) {
                for y in y {
                    *y += *bias;
                }
            }
        }
        let keep = |i: usize, other: usize| wanted[other].then(|| inputs[i].clone());
        let shape = (g.batch, g.groups * g.c_in, v.input, h.input);
        Ok((vec![Output::new(y, shape)?], [keep(0, 1), keep(1, 0)]))
    }

    fn backward(&self, ctx: &Backward<'_, Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let mut gradients = vec![None; ctx.wanted.len()];
        let Some(grad) = &grads[0] else {
            return Ok(gradients);
        };
        let grad = grad.contiguous()?;
        let (device, g) = (grad.device(), &self.0.geometry);
        let [v, h] = &g.axes;
        let dy = cpu::slice::<T>(&grad)?;
        let [x, weight] = ctx.saved;
        if let Some(weight) = weight {
            let dx = self.0.convolve(&dy, &cpu::slice(weight)?, None);
            gradients[0] = Some(Tensor::from_vec(dx, g.output(), device)?);
        }
        if let Some(x) = x {
            let x = cpu::slice::<T>(x)?;
            let (dw, _) = self.0.parameter_gradients(&plain(&x), Some(&dy));
            let shape = (g.groups * g.c_out, g.c_in, v.kernel, h.kernel);
            gradients[1] = Some(Tensor::from_vec(dw, shape, device)?);
        }
        if ctx.wants(2) {
            let channels = g.groups * g.c_in;
            let mut db = vec![T::zero(); channels];
            for (plane, dy) in dy.chunks_exact(v.input * h.input).enumerate() {
                db[plane % channels] += sconce_kernels::parallel::sum(dy);
            }
            gradients[2] = Some(Tensor::from_vec(db, channels, device)?);
        }
        Ok(gradients)
    }
}

/// An output's gradient as it came, without an activation.
fn plain<T>(dy: &[T]) -> Slope<'_, T> {
    Slope {
        fused: None,
        dy,
        y: &[],
    }
}
