//! The same fall at every step.

use super::{Entry, Moment, Rate, Schedule, require_rate};
use sconce_core::Result;

/// The rate times `gamma` at every step: ηₜ = η·γᵗ.
///
/// # Errors
/// `gamma` is negative or not finite.
///
/// # Source
/// `torch.optim.lr_scheduler.ExponentialLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{ExponentialLr, rates};
/// assert_eq!(rates(&ExponentialLr::new(0.5), 1., 3)?, [1., 0.5, 0.25]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExponentialLr {
    /// What every step multiplies the rate by.
    pub gamma: f64,
}

impl ExponentialLr {
    /// With this factor a step.
    pub fn new(gamma: f64) -> Self {
        Self { gamma }
    }
}

impl Schedule for ExponentialLr {
    fn name(&self) -> &'static str {
        "ExponentialLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_rate(self.name(), "gamma", self.gamma)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(at.with_lr(match at.entry {
            Entry::Start => at.rate.lr,
            Entry::Restart => at.initial,
            Entry::Step => at.rate.lr * self.gamma,
        }))
    }
}
