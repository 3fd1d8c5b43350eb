//! One batch of a run.

use super::descent::{Descent, Moment, cause};
use super::rule::Rule;
use super::{Loss, Position, Trainer, losses};
use crate::{Accumulator, Result};
use candle_core::{ModuleT, Tensor};
use sconce_optim::Optimize;

/// What a training step of one's own has at hand, for
/// [`Trainer::with_training_step`](super::Trainer::with_training_step).
pub struct TrainingStep<'s, 'a> {
    model: &'s dyn ModuleT,
    loss: &'s Loss<'a>,
    descent: &'s mut Descent<'a>,
    moment: Moment<'s>,
    metrics: &'s mut [Box<dyn Accumulator>],
    /// Whether a loss was applied.
    applied: bool,
}

impl<'a> TrainingStep<'_, 'a> {
    /// Where in the run it is.
    pub fn position(&self) -> Position {
        self.moment.position
    }

    /// What the model gives, as in training.
    ///
    /// # Errors
    /// Those of the model.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.model.forward_t(features, true)?)
    }

    /// The trainer's loss.
    ///
    /// # Errors
    /// Those of the loss.
    pub fn loss(&self, output: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((self.loss)(output, target)?)
    }

    /// Shows an output to the metrics, where the run computes them while training.
    ///
    /// # Errors
    /// Those of a metric.
    pub fn observe(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        show(self.metrics, Some(output), target)
    }

    /// Goes down this loss: its gradients, checked, gathered and clipped as the run wants, and the optimiser's step where it is
    /// due, with what follows it. Calling it twice takes two steps.
    ///
    /// # Errors
    /// A second call where gradients are gathered, since it can't be told which step its own belong to; a loss or a gradient that
    /// isn't finite, or a gradient that is missing in the first step; those of the model's backward pass and of the optimiser.
    pub fn apply(&mut self, loss: &Tensor) -> Result<()> {
        if std::mem::replace(&mut self.applied, true) && self.moment.cfg.accumulate > 1 {
            let expected = "one loss a batch where gradients are gathered: add them up";
            return Err(sconce_core::Error::config("TrainingStep", "apply", "called twice", expected).into());
        }
        self.descent.apply(loss, &self.moment)
    }

    /// The optimiser.
    pub fn optimizer(&mut self) -> &mut (dyn Optimize + 'a) {
        &mut self.descent.optimizer
    }
}

/// What training minimises.
pub(super) enum Objective<'a> {
    /// The trainer's loss.
    Plain,
    /// Another loss, of features and target.
    Loss(Loss<'a>),
    /// Whatever this does.
    Step(StepFn<'a>),
    /// The samples' own losses, and a weight for each sample of the training set.
    Weighted(Loss<'a>, Vec<f64>),
}

impl<'a> Objective<'a> {
    /// What the model gave, where it was the model that was asked, and the loss.
    fn of(
        &self,
        model: &dyn ModuleT,
        loss: &Loss<'a>,
        batch: &Batch<'_>,
    ) -> Result<(Option<Tensor>, Tensor)> {
        let (x, target) = (&batch.features, &batch.target);
        if let Self::Loss(own) = self {
            return Ok((None, own(x, target)?));
        }
        let output = model.forward_t(x, true)?;
        let loss = match self {
            Self::Weighted(own, weights) => weighted(&own(&output, target)?, weights, batch.indices)?,
            _ => loss(&output, target)?,
        };
        Ok((Some(output), loss))
    }
}

/// A step of one's own.
pub(super) type StepFn<'a> =
    Box<dyn FnMut(&mut TrainingStep<'_, 'a>, &Tensor, &Tensor) -> Result<Tensor> + 'a>;

/// A batch that was loaded.
pub(super) struct Batch<'b> {
    pub(super) features: Tensor,
    pub(super) target: Tensor,
    /// The samples' places in the training set.
    pub(super) indices: &'b [usize],
}

impl Trainer<'_> {
    /// Takes a step by a batch, then each turn's. The losses before their steps, in this order.
    pub(super) fn take_step(
        &mut self,
        batch: &Batch<'_>,
        moment: Moment<'_>,
        metrics: &mut [Box<dyn Accumulator>],
    ) -> Result<Vec<Tensor>> {
        let (x, target) = (&batch.features, &batch.target);
        let evaluates = matches!(self.descent.optimizer, Rule::Evaluates(_));
        let mut step = TrainingStep {
            model: self.model.as_ref(),
            loss: &self.loss,
            descent: &mut self.descent,
            moment,
            metrics,
            applied: false,
        };
        let loss = match &mut self.objective {
            Objective::Step(own) => own(&mut step, x, target)?,
            objective if evaluates => {
                let mut metrics = std::mem::take(&mut step.metrics);
                let (model, loss, descent) = (step.model, step.loss, step.descent);
                let parameters = descent.parameters;
                let mut evaluate = || {
                    let (output, loss) = objective.of(model, loss, batch)?;
                    // Only before the step.
                    show(std::mem::take(&mut metrics), output.as_ref(), target)
                        .map_err(|error| cause(error, &loss, parameters, &moment))?;
                    Ok(loss)
                };
                Tensor::new(descent.minimize(&mut evaluate, &moment)?, x.device())?
            }
            objective => {
                let (output, loss) = objective.of(step.model, step.loss, batch)?;
                show(step.metrics, output.as_ref(), target)
                    .map_err(|error| cause(error, &loss, step.descent.parameters, &moment))?;
                step.apply(&loss)?;
                loss
            }
        };
        // Detached: the graph must not live longer than its step.
        let mut all = vec![loss.detach()];
        drop(loss);
        for turn in &mut self.turns {
            all.push(turn.take(x, target, &moment)?);
        }
        Ok(all)
    }
}

/// Shows metrics what a model gave, where it was a model that was asked.
fn show(metrics: &mut [Box<dyn Accumulator>], output: Option<&Tensor>, target: &Tensor) -> Result<()> {
    let Some(output) = output.map(Tensor::detach) else {
        return Ok(());
    };
    for metric in metrics {
        metric.update(&output, target)?;
    }
    Ok(())
}

/// Σ wᵢ·lᵢ / n over a batch of n samples.
fn weighted(losses: &Tensor, weights: &[f64], indices: &[usize]) -> Result<Tensor> {
    if losses.dims() != [indices.len()] {
        let expected = format!("[{}], one for each sample: reduce it with none", indices.len());
        return Err(
            sconce_core::Error::shape("Trainer", "losses of samples", expected, losses.dims()).into(),
        );
    }
    let weights: Vec<f64> = indices.iter().filter_map(|&i| weights.get(i).copied()).collect();
    let weights = Tensor::new(weights, losses.device())?.to_dtype(losses.dtype())?;
    Ok((losses * weights)?.mean_all()?)
}

/// The losses as numbers.
pub(super) fn first_value(losses: &[Tensor]) -> Result<f64> {
    losses.first().map_or(Ok(f64::NAN), losses::value)
}
