//! From a loss to the optimiser's step.

use super::losses;
use super::{Clip, FitConfig, Position};
use crate::{Error, Result};
use candle_core::Tensor;
use sconce_core::{Gradients, Parameters, backward};
use sconce_optim::{
    ClipGradNormConfig, Ema, GradientAccumulator, GradientCheck, Optimize, check_gradients, clip_grad_norm,
    clip_grad_value, grad_norm,
};

/// What minimises a loss: by this rule, over these parameters.
pub(super) struct Descent<'a> {
    pub(super) parameters: &'a dyn Parameters,
    pub(super) optimizer: Box<dyn Optimize + 'a>,
    /// Of the batches since the last step.
    pub(super) accumulated: GradientAccumulator,
    pub(super) averages: Option<Ema>,
}

/// What a run does about the first gradients.
pub(super) type FirstLook<'m> = &'m dyn Fn(GradientCheck) -> Result<()>;

/// A batch's place in a run.
#[derive(Clone, Copy)]
pub(super) struct Moment<'m> {
    pub(super) cfg: &'m FitConfig<'m>,
    pub(super) position: Position,
    /// The batch within the epoch, from 1.
    pub(super) batch: usize,
    pub(super) samples: usize,
    /// Whether the optimiser's step is due after this batch, or more gradients are gathered before.
    pub(super) due: bool,
    /// In the first batch of a run.
    pub(super) first: Option<FirstLook<'m>>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(parameters: &'a dyn Parameters, optimizer: Box<dyn Optimize + 'a>) -> Self {
        Self {
            parameters,
            optimizer,
            accumulated: GradientAccumulator::new(),
            averages: None,
        }
    }

    /// Takes in a batch's loss, a mean over its samples, and takes a step where one is due. On the CPU nothing is changed by a
    /// loss or a gradient that isn't finite; reading them on another device would have it wait every time.
    pub(super) fn apply(&mut self, loss: &Tensor, at: &Moment<'_>) -> Result<()> {
        if loss.device().is_cpu() {
            let value = losses::value(loss)?;
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    loss: value,
                    epoch: at.position.epoch + 1,
                    step: at.batch,
                });
            }
        }
        let mut gradients = backward(loss, self.parameters)?;
        if let Some(look) = at.first {
            look(check_gradients(&gradients)?)?;
        }
        if at.cfg.accumulate > 1 {
            self.accumulated.add(&gradients, at.samples)?;
            if !at.due {
                return Ok(());
            }
            gradients = self.accumulated.finish()?;
        }
        self.bound(&mut gradients, at)?;
        self.optimizer.step(&gradients)?;
        if let Some(averages) = &mut self.averages {
            averages.update(self.parameters)?;
        }
        Ok(())
    }

    /// Clips the gradients; an error names those that aren't finite.
    fn bound(&self, gradients: &mut Gradients, at: &Moment<'_>) -> Result<()> {
        if let Some(Clip::Norm(bound)) = at.cfg.clip {
            let cfg = ClipGradNormConfig {
                error_if_nonfinite: true,
                ..ClipGradNormConfig::new(bound)
            };
            // An error comes before anything is scaled, so that what isn't finite still stands there.
            return match clip_grad_norm(gradients, &cfg) {
                Ok(_) => Ok(()),
                Err(error) => not_finite(gradients, at).and(Err(error.into())),
            };
        }
        let on_cpu = |(_, gradient): (&str, &Tensor)| gradient.device().is_cpu();
        if gradients.iter().next().is_some_and(on_cpu) && !grad_norm(gradients, f64::INFINITY)?.is_finite() {
            not_finite(gradients, at)?;
        }
        if let Some(Clip::Value(bound)) = at.cfg.clip {
            clip_grad_value(gradients, bound)?;
        }
        Ok(())
    }
}

/// An error that names the gradients that aren't finite, if there are any.
fn not_finite(gradients: &Gradients, at: &Moment<'_>) -> Result<()> {
    let found = check_gradients(gradients)?.not_finite;
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::GradientNotFinite {
        epoch: at.position.epoch + 1,
        step: at.batch,
        names: (found.iter())
            .map(|found| format!("{} ({} at {:?})", found.name, found.value, found.index))
            .collect(),
    })
}
