//! Losses of a difference as one node: the reduction included, nothing kept but the two arguments.

use crate::Reduction;
use crate::kernels::{self, Curve, Factor};
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Error, Function, Output, apply1};
use std::marker::PhantomData;

/// The loss called `name`, a function of input − target.
pub(crate) fn fused<T: Real>(
    name: &'static str,
    curve: impl Curve,
    input: &Tensor,
    target: &Tensor,
    reduction: Reduction,
) -> Result<Tensor> {
    let function = Differences::<T, _> {
        name,
        curve,
        reduction,
        element: PhantomData,
    };
    apply1(function, &[input, target])
}

struct Differences<T, C> {
    name: &'static str,
    curve: C,
    reduction: Reduction,
    element: PhantomData<T>,
}

impl<T: Real, C: Curve> Function for Differences<T, C> {
    /// The input and the target.
    type Saved = [Tensor; 2];

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let [input, target] = inputs else {
            return Err(Error::config(self.name, "inputs", inputs.len(), "two inputs").into());
        };
        let (x, y) = (cpu::slice::<T>(input)?, cpu::slice::<T>(target)?);
        let output = match self.reduction {
            Reduction::None => Output::new(kernels::of_differences(self.curve, &x, &y), input.shape())?,
            Reduction::Sum | Reduction::Mean => {
                let sum = kernels::sum_of_differences(self.curve, &x, &y);
                let loss = sum * self.reduction.factor(x.len() as f64);
                Output::new(vec![<T as WithDType>::from_f64(loss)], ())?
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
        let scale = self.reduction.factor(x.len() as f64);
        let gradient = |scale: f64| {
            let grad = Factor::of_gradient(&grad);
            let values = kernels::slopes_of_differences(self.curve, &x, &y, grad, scale);
            Tensor::from_vec(values, input.shape(), input.device())
        };
        Ok(vec![
            ctx.wants(0).then(|| gradient(scale)).transpose()?,
            ctx.wants(1).then(|| gradient(-scale)).transpose()?,
        ])
    }
}

#[cfg(test)]
mod tests;
