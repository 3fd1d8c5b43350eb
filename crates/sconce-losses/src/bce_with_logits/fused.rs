//! The loss as one node: weights and reduction included, nothing kept but the arguments.

use super::{BceWithLogitsConfig, NAME};
use crate::Reduction;
use crate::kernels::{self, Axes, ByInput, ByPosWeight, ByTarget, Factor, Loss, Terms};
use crate::weighted::summed_to;
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, CpuSlice, Real};
use sconce_core::{Backward, Error, Function, Output, apply1};
use std::marker::PhantomData;

pub(super) fn bce_with_logits<T: Real>(
    input: &Tensor,
    target: &Tensor,
    cfg: &BceWithLogitsConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let shape = |weight: &Option<Tensor>| weight.as_ref().map_or(vec![], |weight| weight.dims().to_vec());
    let function = BceWithLogits::<T> {
        axes: Axes::new(input.dims(), [&shape(&cfg.weight), &shape(&cfg.pos_weight)]),
        has_weight: cfg.weight.is_some(),
        reduction,
        element: PhantomData,
    };
    let inputs: Vec<&Tensor> = [input, target]
        .into_iter()
        .chain(&cfg.weight)
        .chain(&cfg.pos_weight)
        .collect();
    apply1(function, &inputs)
}

struct BceWithLogits<T> {
    axes: Axes,
    /// Whether the third input is `weight`; what comes after is `pos_weight`.
    has_weight: bool,
    reduction: Reduction,
    element: PhantomData<T>,
}

/// The values of the inputs; a weight that isn't there is 1.
struct Values<'a, T> {
    input: CpuSlice<'a, T>,
    target: CpuSlice<'a, T>,
    weights: [Option<CpuSlice<'a, T>>; 2],
    one: [T; 1],
}

impl<T: Real> Values<'_, T> {
    fn terms<'a>(&'a self, axes: &'a Axes) -> Terms<'a, T> {
        let weight = |weight: &'a Option<CpuSlice<'_, T>>| match weight {
            Some(weight) => &weight[..],
            None => &self.one,
        };
        let [w, p] = &self.weights;
        Terms {
            x: &self.input,
            t: &self.target,
            axes,
            weights: [weight(w), weight(p)],
        }
    }
}

impl<T: Real> BceWithLogits<T> {
    /// The weights among the inputs.
    fn weights<'a>(&self, inputs: &'a [Tensor]) -> [Option<&'a Tensor>; 2] {
        match self.has_weight {
            true => [inputs.get(2), inputs.get(3)],
            false => [None, inputs.get(2)],
        }
    }

    fn values<'a>(&self, inputs: &'a [Tensor]) -> Result<Values<'a, T>> {
        let [input, target, ..] = inputs else {
            return Err(Error::config(NAME, "inputs", inputs.len(), "two to four").into());
        };
        let [weight, pos_weight] = self.weights(inputs);
        let optional = |weight: Option<&'a Tensor>| weight.map(cpu::slice::<T>).transpose();
        Ok(Values {
            input: cpu::slice(input)?,
            target: cpu::slice(target)?,
            weights: [optional(weight)?, optional(pos_weight)?],
            one: [T::ONE],
        })
    }
}

impl<T: Real> Function for BceWithLogits<T> {
    /// The inputs.
    type Saved = Vec<Tensor>;

    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let values = self.values(inputs)?;
        let terms = values.terms(&self.axes);
        let output = match (self.reduction, inputs.first()) {
            (Reduction::None, Some(input)) => {
                let losses = kernels::map_terms(Loss, terms, Factor::One(T::ONE), 1.);
                Output::new(losses, input.shape())?
            }
            _ => {
                let loss = kernels::sum_terms(Loss, terms) * self.reduction.factor(terms.x.len() as f64);
                Output::new(vec![<T as WithDType>::from_f64(loss)], ())?
            }
        };
        Ok((vec![output], inputs.to_vec()))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let (inputs, [Some(grad)]) = (ctx.saved, grads) else {
            return Ok(vec![None; ctx.saved.len()]);
        };
        let values = self.values(inputs)?;
        let terms = values.terms(&self.axes);
        let grad = grad.contiguous()?;
        let grad = cpu::slice::<T>(&grad)?;
        let grad = Factor::of_gradient(&grad);
        let scale = self.reduction.factor(terms.x.len() as f64);
        let mut gradients = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.iter().enumerate() {
            if !ctx.wants(i) {
                gradients.push(None);
                continue;
            }
            let values = match i {
                0 => kernels::map_terms(ByInput, terms, grad, scale),
                1 => kernels::map_terms(ByTarget, terms, grad, scale),
                2 if self.has_weight => {
                    // The loss is linear in it: the slope is the loss without it.
                    let (one, [_, pos_values]) = ([T::ONE], terms.weights);
                    let [_, pos_weight] = self.weights(inputs);
                    let shape = inputs.first().map_or(&[][..], Tensor::dims);
                    let axes = Axes::new(shape, [&[], pos_weight.map_or(&[][..], Tensor::dims)]);
                    let terms = Terms {
                        axes: &axes,
                        weights: [&one, pos_values],
                        ..terms
                    };
                    kernels::map_terms(Loss, terms, grad, scale)
                }
                _ => kernels::map_terms(ByPosWeight, terms, grad, scale),
            };
            let shape = inputs.first().map_or(&[][..], Tensor::dims);
            let gradient = Tensor::from_vec(values, shape, input.device())?;
            gradients.push(Some(summed_to(&gradient, input.dims())?));
        }
        Ok(gradients)
    }
}
