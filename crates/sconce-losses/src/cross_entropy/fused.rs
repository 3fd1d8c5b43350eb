//! Cross-entropy as one node: softmax, the target's pick and the reduction together.

use super::NAME;
use crate::Reduction;
use crate::kernels::{self, Blend, Softmax};
use crate::rows::Rows;
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Error, Function, Output, apply1};

pub(super) fn cross_entropy<T: Real>(
    logits: &Tensor,
    rows: Rows,
    smoothing: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    let real = |x: f64| <T as WithDType>::from_f64(x);
    let share = smoothing / rows.classes as f64;
    let total: f64 = (0..rows.classes).map(|class| rows.weight(class)).sum();
    let blend = Blend {
        classes: rows.classes,
        hard: 1. - smoothing,
        share,
        total,
        weights: rows
            .weights
            .as_ref()
            .map(|weights| weights.iter().copied().map(real).collect()),
    };
    apply1(
        CrossEntropy::<T> {
            blend,
            factor: reduction.factor(rows.count()),
            targets: rows.targets,
            reduction,
        },
        &[logits],
    )
}

struct CrossEntropy<T> {
    blend: Blend<T>,
    targets: Vec<Option<usize>>,
    reduction: Reduction,
    /// What the sum over the rows is multiplied by.
    factor: f64,
}

/// Nothing of the logits' size but the logits themselves.
struct Saved<T> {
    logits: Tensor,
    softmax: Vec<Softmax<T>>,
}

impl<T: Real> Function for CrossEntropy<T> {
    type Saved = Saved<T>;

    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Saved<T>)> {
        let [logits] = inputs else {
            return Err(Error::config(NAME, "inputs", inputs.len(), "one").into());
        };
        let (losses, softmax) = kernels::cross_entropy(&self.blend, &cpu::slice::<T>(logits)?, &self.targets);
        let real = |x: f64| <T as WithDType>::from_f64(x);
        let output = match self.reduction {
            Reduction::None => Output::new(losses.into_iter().map(real).collect(), self.targets.len())?,
            Reduction::Sum | Reduction::Mean => {
                Output::new(vec![real(losses.iter().sum::<f64>() * self.factor)], ())?
            }
        };
        Ok((
            vec![output],
            Saved {
                logits: logits.clone(),
                softmax,
            },
        ))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Saved<T>>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None]);
        };
        let Saved { logits, softmax } = ctx.saved;
        let grad = grad.contiguous()?;
        let grad = cpu::slice::<T>(&grad)?;
        let (values, grad) = (cpu::slice::<T>(logits)?, &*grad);
        let gradient =
            kernels::cross_entropy_gradient(&self.blend, &values, &self.targets, softmax, grad, self.factor);
        Ok(vec![Some(Tensor::from_vec(
            gradient,
            logits.shape(),
            logits.device(),
        )?)])
    }
}
