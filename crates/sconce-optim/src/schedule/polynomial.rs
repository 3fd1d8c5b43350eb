//! A fall to 0 along a power.

use super::{Entry, Moment, Rate, Schedule, require_count, require_rate};
use sconce_core::Result;

/// From the rate to 0 over `total_iters` steps, along a power of what is left: ηₜ = η·(1 − t/T)ᵖ.
///
/// # Errors
/// `total_iters` is 0; `power` is negative or not finite.
///
/// # Source
/// `torch.optim.lr_scheduler.PolynomialLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{PolynomialLr, rates};
/// let schedule = PolynomialLr { total_iters: 4, ..PolynomialLr::default() };
/// let rates = rates(&schedule, 1., 6)?;
/// assert!(rates.iter().zip([1., 0.75, 0.5, 0.25, 0., 0.]).all(|(a, b)| (a - b).abs() < 1e-15));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolynomialLr {
    /// Steps to 0.
    pub total_iters: u64,
    /// The power; 1 is a straight line.
    pub power: f64,
}

impl Default for PolynomialLr {
    fn default() -> Self {
        Self {
            total_iters: 5,
            power: 1.,
        }
    }
}

impl Schedule for PolynomialLr {
    fn name(&self) -> &'static str {
        "PolynomialLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "total_iters", self.total_iters)?;
        require_rate(self.name(), "power", self.power)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(at.with_lr(match at.entry {
            Entry::Start => at.rate.lr,
            Entry::Restart => at.initial,
            Entry::Step if at.step > self.total_iters => at.rate.lr,
            Entry::Step => {
                let (step, total) = (at.step as f64, self.total_iters as f64);
                let left = (1. - step / total) / (1. - (step - 1.) / total);
                at.rate.lr * left.powf(self.power)
            }
        }))
    }
}
