//! A fall along a cosine.

use super::{Entry, Moment, Rate, Schedule, require_count, require_rate};
use sconce_core::Result;
use std::f64::consts::PI;

/// From the rate to `eta_min` over `t_max` steps along half a cosine, and back up again if it goes on.
///
/// ηₜ = η_min + (η − η_min)·(1 + cos(π·t/T))/2
///
/// # Errors
/// `t_max` is 0; `eta_min` is negative or not finite.
///
/// # Source
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without the restarts;
/// `torch.optim.lr_scheduler.CosineAnnealingLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{CosineAnnealingLr, rates};
/// let rates = rates(&CosineAnnealingLr::new(2), 1., 5)?;
/// assert!(rates.iter().zip([1., 0.5, 0., 0.5, 1.]).all(|(a, b)| (a - b).abs() < 1e-15));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineAnnealingLr {
    /// Steps to the lowest rate.
    pub t_max: u64,
    /// The lowest rate.
    pub eta_min: f64,
}

impl CosineAnnealingLr {
    /// To 0 in `t_max` steps.
    pub fn new(t_max: u64) -> Self {
        Self { t_max, eta_min: 0. }
    }
}

impl Schedule for CosineAnnealingLr {
    fn name(&self) -> &'static str {
        "CosineAnnealingLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "t_max", self.t_max)?;
        require_rate(self.name(), "eta_min", self.eta_min)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let (low, lr, length) = (self.eta_min, at.rate.lr, self.t_max as f64);
        let height = |step: f64| 1. + (PI * step / length).cos();
        // At the bottom there is nothing to go on from.
        let leaves_bottom =
            at.step > self.t_max && (at.step - 1 - self.t_max).is_multiple_of(self.t_max.saturating_mul(2));
        Ok(at.with_lr(match at.entry {
            Entry::Start => lr,
            Entry::Restart => low + (at.initial - low) * height(0.) / 2.,
            Entry::Step if leaves_bottom => lr + (at.initial - low) * (1. - (PI / length).cos()) / 2.,
            Entry::Step => {
                let step = at.step as f64;
                height(step) / height(step - 1.) * (lr - low) + low
            }
        }))
    }
}
