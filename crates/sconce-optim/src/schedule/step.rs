//! A fall every so many steps.

use super::{Entry, Moment, Rate, Schedule, require_count, require_rate};
use sconce_core::Result;

/// The rate times `gamma` every `step_size` steps: ηₜ = η·γ^⌊t/s⌋.
///
/// # Errors
/// `step_size` is 0; `gamma` is negative or not finite.
///
/// # Source
/// `torch.optim.lr_scheduler.StepLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{StepLr, rates};
/// assert_eq!(rates(&StepLr { gamma: 0.5, ..StepLr::new(2) }, 1., 5)?, [1., 1., 0.5, 0.5, 0.25]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLr {
    /// Steps from one fall to the next.
    pub step_size: u64,
    /// What a fall multiplies the rate by.
    pub gamma: f64,
}

impl StepLr {
    /// To a tenth every `step_size` steps.
    pub fn new(step_size: u64) -> Self {
        Self {
            step_size,
            gamma: 0.1,
        }
    }
}

impl Schedule for StepLr {
    fn name(&self) -> &'static str {
        "StepLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "step_size", self.step_size)?;
        require_rate(self.name(), "gamma", self.gamma)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(at.with_lr(match at.entry {
            Entry::Restart => at.initial,
            Entry::Step if at.step.is_multiple_of(self.step_size) => at.rate.lr * self.gamma,
            Entry::Start | Entry::Step => at.rate.lr,
        }))
    }
}
