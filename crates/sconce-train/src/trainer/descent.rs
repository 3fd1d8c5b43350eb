//! From a loss to the optimiser's step.

use super::losses;
use super::rule::Rule;
use super::{Clip, FitConfig, Position};
use crate::checkpoint::{Number, Rates};
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
    pub(super) optimizer: Rule<'a>,
    /// The optimiser's when the trainer was given it, before any schedule.
    pub(super) initial: Rates,
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
    /// In the batches of a run's first step.
    pub(super) first: Option<FirstLook<'m>>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(parameters: &'a dyn Parameters, optimizer: Rule<'a>) -> Self {
        let numbers = |values: Vec<f64>| values.into_iter().map(Number).collect();
        Self {
            parameters,
            initial: Rates {
                learning_rates: numbers(optimizer.learning_rates()),
                momenta: numbers(optimizer.momenta()),
            },
            optimizer,
            accumulated: GradientAccumulator::new(),
            averages: None,
        }
    }

    /// Takes in a batch's loss, a mean over its samples, and takes a step where one is due. On the CPU nothing is changed by a
    /// loss or a gradient that isn't finite; reading them on another device would have it wait every time.
    pub(super) fn apply(&mut self, loss: &Tensor, at: &Moment<'_>) -> Result<()> {
        if loss.device().is_cpu() {
            finite(losses::value(loss)?, self.parameters, at)?;
        }
        let mut gradients = backward(loss, self.parameters)?;
        if at.cfg.accumulate > 1 {
            // Before they are among the others, where no one could tell whose it was.
            if on_cpu(&gradients) {
                all_finite(&gradients, at)?;
            }
            self.accumulated.add(&gradients, at.samples)?;
            if !at.due {
                return Ok(());
            }
            gradients = self.accumulated.finish()?;
        }
        if let Some(look) = at.first {
            look(check_gradients(&gradients)?)?;
        }
        self.bound(&mut gradients, at)?;
        self.optimizer.step(&gradients)?;
        self.average()
    }

    /// A step of a rule that evaluates the objective where it likes; the loss before it. If the rule finds its way to where
    /// parameters aren't finite, they are put back.
    pub(super) fn minimize(
        &mut self,
        objective: &mut dyn FnMut() -> Result<Tensor>,
        at: &Moment<'_>,
    ) -> Result<f64> {
        let parameters = self.parameters;
        let before = parameters.named_parameters().into_iter();
        let before: Vec<_> = before
            .map(|(_, var)| Ok((var.clone(), var.as_detached_tensor().copy()?)))
            .collect::<Result<_>>()?;
        let (mut evaluated, mut lost) = (false, None);
        let mut evaluate = || {
            let loss = objective()?;
            let value = losses::value(&loss)?;
            let gradients = backward(&loss, parameters)?;
            let checked = finite(value, parameters, at).and_then(|()| all_finite(&gradients, at));
            if !std::mem::replace(&mut evaluated, true) {
                checked?;
                if let Some(look) = at.first {
                    look(check_gradients(&gradients)?)?;
                }
            } else if let (Err(error), None) = (checked, &lost) {
                // A search along a line may go too far, and come back.
                lost = Some(error);
            }
            Ok((value, gradients))
        };
        // The rule knows errors of the core alone.
        let mut failure = None;
        let mut closure = || {
            evaluate().map_err(|error: Error| {
                let message = candle_core::Error::Msg(error.to_string());
                failure = Some(error);
                message.into()
            })
        };
        let result = self.optimizer.minimize(&mut closure);
        if let Some(error) = failure {
            return Err(error);
        }
        let loss = result?;
        let names = not_finite_values(parameters)?;
        if !names.is_empty() {
            for (var, value) in before {
                var.set(&value)?;
            }
            return Err(lost.unwrap_or_else(|| lost_at(loss, at, names)));
        }
        self.average()?;
        Ok(loss)
    }

    fn average(&mut self) -> Result<()> {
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
        if on_cpu(gradients) {
            all_finite(gradients, at)?;
        }
        if let Some(Clip::Value(bound)) = at.cfg.clip {
            clip_grad_value(gradients, bound)?;
        }
        Ok(())
    }
}

/// What is behind a metric's error: outputs that are NaN, which some metrics refuse, have made the loss NaN too.
pub(super) fn cause(error: Error, loss: &Tensor, parameters: &dyn Parameters, at: &Moment<'_>) -> Error {
    let loss = losses::value(loss);
    loss.and_then(|loss| finite(loss, parameters, at))
        .err()
        .unwrap_or(error)
}

fn finite(loss: f64, parameters: &dyn Parameters, at: &Moment<'_>) -> Result<()> {
    match loss.is_finite() {
        true => Ok(()),
        false => Err(lost_at(loss, at, not_finite_values(parameters)?)),
    }
}

fn lost_at(loss: f64, at: &Moment<'_>, names: Vec<String>) -> Error {
    Error::NotFinite {
        loss,
        epoch: at.position.epoch + 1,
        step: at.batch,
        turn: None,
        names,
    }
}

/// An error if the steps so far have led to parameters that aren't finite: a checkpoint of them would be of no use.
pub(super) fn expect_finite(parameters: &dyn Parameters, position: (usize, usize)) -> Result<()> {
    let names = not_finite_values(parameters)?;
    let (epoch, step) = position;
    match names.is_empty() {
        true => Ok(()),
        false => Err(Error::ParameterNotFinite {
            epoch,
            step,
            turn: None,
            names,
        }),
    }
}

fn on_cpu(gradients: &Gradients) -> bool {
    let mut all = gradients.iter();
    all.next().is_some_and(|(_, gradient)| gradient.device().is_cpu())
}

/// The names of parameters with values that aren't finite.
fn not_finite_values(parameters: &dyn Parameters) -> Result<Vec<String>> {
    let values = parameters.named_parameters().into_iter();
    let values = values.map(|(name, var)| (name, var.as_detached_tensor()));
    // What tells it of gradients tells it of any tensors.
    let values = Gradients::from_tensors(values, [])?;
    if grad_norm(&values, f64::INFINITY)?.is_finite() {
        return Ok(Vec::new());
    }
    let found = check_gradients(&values)?.not_finite.into_iter();
    Ok(found.map(|found| found.name).collect())
}

/// Whether all values of these tensors are finite.
pub(super) fn finite_values(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<bool> {
    let values = Gradients::from_tensors(tensors, [])?;
    Ok(grad_norm(&values, f64::INFINITY)?.is_finite())
}

fn all_finite(gradients: &Gradients, at: &Moment<'_>) -> Result<()> {
    match grad_norm(gradients, f64::INFINITY)?.is_finite() {
        true => Ok(()),
        false => not_finite(gradients, at),
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
        turn: None,
        names: (found.iter())
            .map(|found| format!("{} ({} at {:?})", found.name, found.value, found.index))
            .collect(),
    })
}
