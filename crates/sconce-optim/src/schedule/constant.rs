//! A smaller rate at first.

use super::{Entry, Moment, Rate, Schedule, require};
use sconce_core::Result;

/// The rate times `factor` for the first `total_iters` steps, and the rate from then on.
///
/// η₀ = f·η, and at step `total_iters` η ← η/f.
///
/// # Errors
/// `factor` isn't between 0 and 1.
///
/// # Source
/// `torch.optim.lr_scheduler.ConstantLR`; for a factor of 0, by which PyTorch divides, the initial rate comes back
///
/// # Example
/// ```
/// use sconce_optim::schedule::{ConstantLr, rates};
/// let schedule = ConstantLr { factor: 0.5, total_iters: 2 };
/// assert_eq!(rates(&schedule, 1., 4)?, [0.5, 0.5, 1., 1.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstantLr {
    /// What the rate is multiplied by, 0 to 1.
    pub factor: f64,
    /// For how many steps.
    pub total_iters: u64,
}

impl Default for ConstantLr {
    fn default() -> Self {
        Self {
            factor: 1. / 3.,
            total_iters: 5,
        }
    }
}

impl Schedule for ConstantLr {
    fn name(&self) -> &'static str {
        "ConstantLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        let ok = (0. ..=1.).contains(&self.factor);
        require(ok, self.name(), "factor", self.factor, "0 to 1")
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let lr = at.rate.lr;
        Ok(at.with_lr(match at.entry {
            Entry::Start => lr * self.factor,
            Entry::Restart => {
                let over = if self.total_iters == 0 { 1. } else { 0. };
                at.initial * (self.factor + over * (1. - self.factor))
            }
            Entry::Step if at.step != self.total_iters => lr,
            Entry::Step if self.factor == 0. => at.initial,
            Entry::Step => lr * (1. / self.factor),
        }))
    }
}
