//! Losses of a difference, each element's times a weight, as one node: weights and reduction included, nothing kept but the
//! arguments.

use crate::kernels::{self, AboveMean, Axes, Curve, Factor, Terms, WeightedSlope};
use crate::{Reduction, check};
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Backward, Error, Function, Output, apply1, dispatch_real, graph, widened};
use std::marker::PhantomData;

/// What a mean divides by.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum MeanOver {
    /// The number of elements.
    Elements,
    /// The sum of the weights, each as often as it is used.
    Weights,
}

/// A loss of input − target, whose weighted form is this.
#[derive(Clone, Copy)]
pub(crate) struct WeightedLoss<'a, C> {
    pub(crate) name: &'static str,
    pub(crate) curve: C,
    /// The curve from candle operations.
    pub(crate) composite: &'a dyn Fn(&Tensor) -> Result<Tensor>,
    pub(crate) mean: MeanOver,
}

impl<C: Curve> WeightedLoss<'_, C> {
    pub(crate) fn of(
        self,
        input: &Tensor,
        target: &Tensor,
        weight: &Tensor,
        reduction: Reduction,
    ) -> Result<Tensor> {
        let name = self.name;
        check::pair(name, input, target)?;
        check::broadcast(name, "weight", weight, input)?;
        let sum = check::weights(name, weight)?;
        let inputs = [input, target, weight];
        if inputs.into_iter().all(has_kernel) {
            let times = input.elem_count() as f64 / weight.elem_count() as f64;
            let divisor = match self.mean {
                MeanOver::Elements => input.elem_count() as f64,
                MeanOver::Weights => sum * times,
            };
            return dispatch_real!(input, fused(self, inputs, divisor, reduction));
        }
        let of_half = widened(input, |wide| {
            self.of(&wide(input)?, &wide(target)?, &wide(weight)?, reduction)
        })?;
        if let Some(loss) = of_half {
            return Ok(loss);
        }
        let losses = (self.composite)(&(input - target)?)?;
        let loss = composed(&losses, weight, self.mean, reduction)?;
        graph::note(name, &inputs, std::slice::from_ref(&loss));
        Ok(loss)
    }
}

/// The same from candle operations, of losses without weights.
pub(crate) fn composed(
    losses: &Tensor,
    weight: &Tensor,
    mean: MeanOver,
    reduction: Reduction,
) -> Result<Tensor> {
    let weight = weight.broadcast_as(losses.shape())?;
    let weighted = (losses * &weight)?;
    match (reduction, mean) {
        (Reduction::Mean, MeanOver::Weights) => weighted.sum_all()? / weight.sum_all()?,
        _ => reduction.composite(&weighted, losses.elem_count() as f64),
    }
}

fn fused<T: Real>(
    loss: WeightedLoss<'_, impl Curve>,
    inputs: [&Tensor; 3],
    divisor: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    let [input, _, weight] = inputs;
    let function = Node::<T, _> {
        name: loss.name,
        curve: loss.curve,
        axes: Axes::new(input.dims(), [weight.dims(), &[]]),
        mean: loss.mean,
        scale: match reduction {
            Reduction::Mean => 1. / divisor,
            Reduction::None | Reduction::Sum => 1.,
        },
        reduction,
        element: PhantomData,
    };
    apply1(function, &inputs)
}

struct Node<T, C> {
    name: &'static str,
    curve: C,
    /// Where an element's weight stands.
    axes: Axes,
    mean: MeanOver,
    /// What the sum is multiplied by.
    scale: f64,
    reduction: Reduction,
    element: PhantomData<T>,
}

/// The arguments, and the loss where it is a mean.
struct Saved {
    inputs: [Tensor; 3],
    loss: f64,
}

impl<T: Real, C: Curve> Function for Node<T, C> {
    type Saved = Saved;

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let [input, target, weight] = inputs else {
            return Err(Error::config(self.name, "inputs", inputs.len(), "three inputs").into());
        };
        let (x, t, w) = (cpu::slice::<T>(input)?, cpu::slice(target)?, cpu::slice(weight)?);
        let terms = Terms {
            x: &x,
            t: &t,
            axes: &self.axes,
            weights: [&w, &[T::ONE]],
        };
        let term = kernels::Weighted(self.curve);
        let mut loss = 0.;
        let output = match self.reduction {
            Reduction::None => Output::new(
                kernels::map_terms(term, terms, Factor::One(T::ONE), 1.),
                input.shape(),
            )?,
            Reduction::Sum | Reduction::Mean => {
                loss = kernels::sum_terms(term, terms) * self.scale;
                Output::new(vec![<T as WithDType>::from_f64(loss)], ())?
            }
        };
        let inputs = [input, target, weight].map(Tensor::clone);
        Ok((vec![output], Saved { inputs, loss }))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let (Saved { inputs, loss }, [Some(grad)]) = (ctx.saved, grads) else {
            return Ok(vec![None; 3]);
        };
        let [input, target, weight] = inputs;
        let grad = grad.contiguous()?;
        let (x, t, w, grad) = (
            cpu::slice::<T>(input)?,
            cpu::slice(target)?,
            cpu::slice(weight)?,
            cpu::slice::<T>(&grad)?,
        );
        let grad = Factor::of_gradient(&grad);
        let terms = Terms {
            x: &x,
            t: &t,
            axes: &self.axes,
            weights: [&w, &[T::ONE]],
        };
        let shaped = |values| Tensor::from_vec(values, input.shape(), input.device());
        let by_difference = |scale| shaped(kernels::map_terms(WeightedSlope(self.curve), terms, grad, scale));
        let by_weight = || {
            // A mean over the weights falls by its own value as one of them grows.
            let mean = match (self.reduction, self.mean) {
                (Reduction::Mean, MeanOver::Weights) => *loss,
                _ => 0.,
            };
            let axes = Axes::new(input.dims(), [&[], &[]]);
            let terms = Terms {
                axes: &axes,
                weights: [&[T::ONE], &[T::of(mean)]],
                ..terms
            };
            let each = kernels::map_terms(AboveMean(self.curve), terms, grad, self.scale);
            summed_to(&shaped(each)?, weight.dims())
        };
        Ok(vec![
            ctx.wants(0).then(|| by_difference(self.scale)).transpose()?,
            ctx.wants(1).then(|| by_difference(-self.scale)).transpose()?,
            ctx.wants(2).then(by_weight).transpose()?,
        ])
    }
}

/// The sums over the axes along which a tensor of this shape was repeated.
pub(crate) fn summed_to(gradient: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let extra = gradient.rank().saturating_sub(shape.len());
    let mut sum = gradient.clone();
    for _ in 0..extra {
        sum = sum.sum(0)?;
    }
    for (axis, &length) in shape.iter().enumerate() {
        if length == 1 {
            sum = sum.sum_keepdim(axis)?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
