//! The way to the constant rate of weight averaging.

use super::{Anneal, Moment, PerGroup, Rate, Schedule};
use sconce_core::Result;

/// From whatever the rate is to `swa_lr` over `anneal_epochs` steps, and there it stays: for the time in which
/// [`Swa`](crate::Swa) averages.
///
/// ηₜ = α·η_swa + (1 − α)·η, with α from 0 to 1
///
/// # Errors
/// `swa_lr` is negative, not finite, or isn't one number or one for each group.
///
/// # Source
/// Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018; `torch.optim.swa_utils.SWALR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{Anneal, SwaLr, rates};
/// let schedule = SwaLr { anneal_epochs: 2, anneal_strategy: Anneal::Linear, ..SwaLr::new(0.5) };
/// assert_eq!(rates(&schedule, 1., 4)?, [1., 0.75, 0.5, 0.5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SwaLr {
    /// The rate that is gone to.
    pub swa_lr: PerGroup,
    /// In how many steps.
    pub anneal_epochs: u64,
    /// Along what.
    pub anneal_strategy: Anneal,
}

impl SwaLr {
    /// In ten steps, along a cosine.
    pub fn new(swa_lr: impl Into<PerGroup>) -> Self {
        Self {
            swa_lr: swa_lr.into(),
            anneal_epochs: 10,
            anneal_strategy: Anneal::Cos,
        }
    }
}

impl Schedule for SwaLr {
    fn name(&self) -> &'static str {
        "SWALR"
    }

    fn check(&self, groups: usize) -> Result<()> {
        self.swa_lr.check(self.name(), "swa_lr", groups)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let goal = self.swa_lr.of(at.group);
        let step = if self.anneal_epochs == 0 {
            at.step.max(1)
        } else {
            at.step
        } as f64;
        let alpha = |step: f64| {
            let t = (step / self.anneal_epochs.max(1) as f64).clamp(0., 1.);
            match self.anneal_strategy {
                Anneal::Cos => (1. - (std::f64::consts::PI * t).cos()) / 2.,
                Anneal::Linear => t,
            }
        };
        // What the rate would be without the way that has been gone.
        let (before, now) = (alpha(step - 1.), alpha(step));
        let origin = match before == 1. {
            true => goal,
            false => (at.rate.lr - before * goal) / (1. - before),
        };
        Ok(at.with_lr(goal * now + origin * (1. - now)))
    }
}
