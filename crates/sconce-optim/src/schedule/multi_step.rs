//! A fall at each of some steps.

use super::{Entry, Moment, Rate, Schedule, require_rate};
use sconce_core::Result;

/// The rate times `gamma` at each milestone; at one that is named twice, twice.
///
/// ηₜ = η·γ^n, where n is how many of the milestones are at most t.
///
/// # Errors
/// `gamma` is negative or not finite.
///
/// # Source
/// `torch.optim.lr_scheduler.MultiStepLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{MultiStepLr, rates};
/// let schedule = MultiStepLr { gamma: 0.5, ..MultiStepLr::new([1, 3, 3]) };
/// assert_eq!(rates(&schedule, 1., 5)?, [1., 0.5, 0.5, 0.125, 0.125]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStepLr {
    /// The steps at which the rate falls, in any order.
    pub milestones: Vec<u64>,
    /// What a fall multiplies the rate by.
    pub gamma: f64,
}

impl MultiStepLr {
    /// To a tenth at each milestone.
    pub fn new(milestones: impl Into<Vec<u64>>) -> Self {
        Self {
            milestones: milestones.into(),
            gamma: 0.1,
        }
    }
}

impl Schedule for MultiStepLr {
    fn name(&self) -> &'static str {
        "MultiStepLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_rate(self.name(), "gamma", self.gamma)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let before = match at.entry {
            Entry::Restart => at.initial,
            Entry::Start | Entry::Step => at.rate.lr,
        };
        let falls = self.milestones.iter().filter(|&&step| step == at.step).count();
        Ok(at.with_lr(match falls {
            0 => before,
            _ => before * self.gamma.powf(falls as f64),
        }))
    }
}
