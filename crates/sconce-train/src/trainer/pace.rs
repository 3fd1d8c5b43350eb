//! Schedules at their pace.

use crate::EpochRecord;
use candle_core::Tensor;
use sconce_core::Result;
use sconce_optim::Optimize;
use sconce_optim::schedule::{ReduceLrOnPlateau, ReduceLrOnPlateauConfig, Schedule, Scheduler};

/// When a step of a schedule is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// After each step of the optimiser: each batch, unless gradients of several are gathered.
    Batch,
    /// After each epoch.
    Epoch,
}

/// What changes an optimiser's rates, and when.
pub(super) enum Pace<'a> {
    Schedule(Scheduler<Box<dyn Schedule + 'a>>, Every),
    Plateau(ReduceLrOnPlateau),
}

impl<'a> Pace<'a> {
    pub(super) fn schedule(
        schedule: impl Schedule + 'a,
        every: Every,
        initial: &[f64],
        rule: &mut (dyn Optimize + 'a),
    ) -> Result<Self> {
        let schedule: Box<dyn Schedule + 'a> = Box::new(schedule);
        Ok(Self::Schedule(
            Scheduler::from_rates(schedule, initial, rule)?,
            every,
        ))
    }

    pub(super) fn plateau(cfg: &ReduceLrOnPlateauConfig, rule: &(dyn Optimize + 'a)) -> Result<Self> {
        Ok(Self::Plateau(ReduceLrOnPlateau::new(cfg, rule)?))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Schedule(scheduler, _) => scheduler.schedule().name(),
            Self::Plateau(_) => "ReduceLROnPlateau",
        }
    }

    pub(super) fn state(&self, rule: &(dyn Optimize + 'a)) -> Result<Vec<(String, Tensor)>> {
        match self {
            Self::Schedule(scheduler, _) => scheduler.state(rule),
            Self::Plateau(plateau) => plateau.state(rule),
        }
    }

    pub(super) fn load_state(
        &mut self,
        state: &[(String, Tensor)],
        rule: &mut (dyn Optimize + 'a),
    ) -> Result<()> {
        match self {
            Self::Schedule(scheduler, _) => scheduler.load_state(state, rule),
            Self::Plateau(plateau) => plateau.load_state(state, rule),
        }
    }

    pub(super) fn after_batch(&mut self, rule: &mut (dyn Optimize + 'a)) -> Result<()> {
        match self {
            Self::Schedule(scheduler, Every::Batch) => scheduler.step(rule),
            _ => Ok(()),
        }
    }

    /// A plateau that watches a validation takes no step in an epoch without one.
    pub(super) fn after_epoch(
        &mut self,
        record: &EpochRecord,
        validated: bool,
        rule: &mut (dyn Optimize + 'a),
    ) -> Result<()> {
        match self {
            Self::Schedule(scheduler, Every::Epoch) => scheduler.step(rule),
            Self::Schedule(_, Every::Batch) => Ok(()),
            Self::Plateau(plateau) => {
                let figure = match &record.validation {
                    Some(scores) => scores.loss,
                    None if validated => return Ok(()),
                    None => record.train_loss,
                };
                plateau.step(figure, rule)?;
                Ok(())
            }
        }
    }
}
