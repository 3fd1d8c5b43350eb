//! CTC as one node: forward through all alignments, and back for their posteriors when the gradient is asked for.

use super::NAME;
use super::batch::Batch;
use crate::Reduction;
use crate::kernels::{self, Trellis};
use candle_core::{Result, Tensor, WithDType};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Error, Function, Output, apply1};
use std::marker::PhantomData;

pub(super) fn ctc<T: Real>(
    log_probs: &Tensor,
    batch: Batch,
    zero_infinity: bool,
    reduction: Reduction,
) -> Result<Tensor> {
    apply1(
        Ctc::<T> {
            factors: batch.factors(reduction),
            batch,
            zero_infinity,
            reduction,
            element: PhantomData,
        },
        &[log_probs],
    )
}

struct Ctc<T> {
    batch: Batch,
    zero_infinity: bool,
    reduction: Reduction,
    /// What each row's loss is multiplied by.
    factors: Vec<f64>,
    element: PhantomData<T>,
}

struct Saved {
    log_probs: Tensor,
    trellis: Trellis,
}

impl<T: Real> Function for Ctc<T> {
    type Saved = Saved;

    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Saved)> {
        let [log_probs] = inputs else {
            return Err(Error::config(NAME, "inputs", inputs.len(), "one").into());
        };
        let trellis = kernels::ctc(&self.batch, &cpu::slice::<T>(log_probs)?);
        let losses = trellis.losses.iter().zip(&self.factors).map(|(&loss, factor)| {
            if self.zero_infinity && loss == f64::INFINITY {
                0.
            } else {
                loss * factor
            }
        });
        let real = |x: f64| <T as WithDType>::from_f64(x);
        let output = match self.reduction {
            Reduction::None => Output::new(losses.map(real).collect(), self.factors.len())?,
            Reduction::Mean if self.factors.is_empty() => Output::new(vec![real(f64::NAN)], ())?,
            Reduction::Sum | Reduction::Mean => Output::new(vec![real(losses.sum())], ())?,
        };
        Ok((
            vec![output],
            Saved {
                log_probs: log_probs.clone(),
                trellis,
            },
        ))
    }

    fn backward(&self, ctx: &Backward<'_, Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None]);
        };
        let Saved { log_probs, trellis } = ctx.saved;
        let grad = grad.contiguous()?;
        let grad = cpu::slice::<T>(&grad)?;
        // One gradient for all rows, or one for each.
        let grads = grad.iter().cycle().take(self.factors.len());
        let scales: Vec<Option<f64>> = trellis
            .losses
            .iter()
            .zip(&self.factors)
            .zip(grads)
            .map(|((&loss, factor), &grad)| match loss {
                f64::INFINITY if self.zero_infinity => None,
                loss if loss.is_finite() => Some(sconce_kernels::simd::Element::wide(grad) * factor),
                _ => Some(f64::NAN),
            })
            .collect();
        let values = cpu::slice::<T>(log_probs)?;
        let gradient = kernels::ctc_gradient(&self.batch, &values, trellis, &scales);
        Ok(vec![Some(Tensor::from_vec(
            gradient,
            log_probs.shape(),
            log_probs.device(),
        )?)])
    }
}
