//! Mean squared error.

use crate::{Reduction, check, kernels};
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Backward, Error, Function, Output, apply1, dispatch_real, graph, widened};
use std::marker::PhantomData;

const NAME: &str = "mse";

/// Squared error, by default its mean.
///
/// l = (x − y)²; the mean is over all elements. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type. (PyTorch broadcasts, with a warning.)
///
/// # Source
/// `torch.nn.functional.mse_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, mse};
/// let prediction = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32, 2.], [3., 2.]], &Device::Cpu)?;
/// assert_eq!(mse(&prediction, &target, Reduction::Mean)?.to_scalar::<f32>()?, 1.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn mse(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    if has_kernel(input) && has_kernel(target) {
        return dispatch_real!(input, fused(input, target, reduction));
    }
    if let Some(loss) = widened(input, |wide| mse(&wide(input)?, &wide(target)?, reduction))? {
        return Ok(loss);
    }
    let loss = composite(input, target, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// The same from candle operations.
fn composite(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    reduction.composite(&(input - target)?.sqr()?, input.elem_count() as f64)
}

fn fused<T: Real>(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    apply1(
        Mse::<T> {
            reduction,
            element: PhantomData,
        },
        &[input, target],
    )
}

struct Mse<T> {
    reduction: Reduction,
    element: PhantomData<T>,
}

impl<T: Real> Function for Mse<T> {
    /// The input and the target.
    type Saved = [Tensor; 2];

    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let [input, target] = inputs else {
            return Err(argument_count(inputs.len()));
        };
        let (x, y) = (cpu::slice::<T>(input)?, cpu::slice::<T>(target)?);
        let output = match self.reduction {
            Reduction::None => Output::new(kernels::squared_differences(&x, &y), input.shape())?,
            Reduction::Sum | Reduction::Mean => {
                let sum = kernels::sum_of_squared_differences(&x, &y);
                Output::new(
                    vec![<T as WithDType>::from_f64(
                        sum * self.reduction.factor(x.len() as f64),
                    )],
                    (),
                )?
            }
        };
        Ok((vec![output], [input.clone(), target.clone()]))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let ([input, target], [Some(grad)]) = (ctx.saved, grads) else {
            return Ok(vec![None, None]);
        };
        let (x, y, grad) = (
            cpu::slice::<T>(input)?,
            cpu::slice::<T>(target)?,
            grad.contiguous()?,
        );
        let grad = cpu::slice::<T>(&grad)?;
        let scale = 2. * self.reduction.factor(x.len() as f64);
        let gradient = |scale: f64| {
            let values = kernels::scaled_differences(&x, &y, &grad, scale);
            Tensor::from_vec(values, input.shape(), input.device())
        };
        Ok(vec![
            ctx.wants(0).then(|| gradient(scale)).transpose()?,
            ctx.wants(1).then(|| gradient(-scale)).transpose()?,
        ])
    }
}

fn argument_count(count: usize) -> candle_core::Error {
    Error::config(NAME, "inputs", count, "two inputs").into()
}

#[cfg(test)]
mod tests;
