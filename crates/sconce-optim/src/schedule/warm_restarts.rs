//! Falls along cosines, each from the top.

use super::{Moment, Rate, Schedule, require_count, require_rate};
use sconce_core::Result;
use std::f64::consts::PI;

/// From the rate to `eta_min` along half a cosine, then from the rate again: the first time in `t_0` steps, and each time
/// `t_mult` times as long.
///
/// ηₜ = η_min + (η − η_min)·(1 + cos(π·T_cur/Tᵢ))/2, with T_cur steps since the last restart, and Tᵢ from it to the next
///
/// # Errors
/// `t_0` or `t_mult` is 0; `eta_min` is negative or not finite.
///
/// # Source
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017;
/// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{CosineAnnealingWarmRestarts, rates};
/// let schedule = CosineAnnealingWarmRestarts { t_mult: 2, ..CosineAnnealingWarmRestarts::new(2) };
/// let rates = rates(&schedule, 1., 7)?;
/// let expected = [1., 0.5, 1., 0.8536, 0.5, 0.1464, 1.];
/// assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineAnnealingWarmRestarts {
    /// Steps to the first restart.
    pub t_0: u64,
    /// How many times as long it is to each next one.
    pub t_mult: u64,
    /// The lowest rate.
    pub eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// To 0, every `t_0` steps.
    pub fn new(t_0: u64) -> Self {
        Self {
            t_0,
            t_mult: 1,
            eta_min: 0.,
        }
    }

    /// Steps since the last restart, and from it to the next.
    fn phase(&self, step: u64) -> (u64, u64) {
        if self.t_mult == 1 {
            return (step % self.t_0, self.t_0);
        }
        let (mut since, mut length) = (step, self.t_0);
        while since >= length {
            since -= length;
            length = length.saturating_mul(self.t_mult);
        }
        (since, length)
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn name(&self) -> &'static str {
        "CosineAnnealingWarmRestarts"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "t_0", self.t_0)?;
        require_count(self.name(), "t_mult", self.t_mult)?;
        require_rate(self.name(), "eta_min", self.eta_min)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let (since, length) = self.phase(at.step);
        let height = 1. + (PI * since as f64 / length as f64).cos();
        Ok(at.with_lr(self.eta_min + (at.initial - self.eta_min) * height / 2.))
    }
}
