//! A straight rise or fall.

use super::{Entry, Moment, Rate, Schedule, require, require_count};
use sconce_core::Result;

/// The rate times a factor that goes in a straight line from `start_factor` to `end_factor` over `total_iters` steps, and
/// stays: the usual warm-up.
///
/// ηₜ = η·(s + (e − s)·t/T)
///
/// # Errors
/// `start_factor` isn't above 0 and at most 1; `end_factor` isn't between 0 and 1; `total_iters` is 0.
///
/// # Source
/// `torch.optim.lr_scheduler.LinearLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{LinearLr, rates};
/// let schedule = LinearLr { start_factor: 0.25, total_iters: 3, ..LinearLr::default() };
/// assert_eq!(rates(&schedule, 1., 5)?, [0.25, 0.5, 0.75, 1., 1.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearLr {
    /// The factor at first, above 0, at most 1.
    pub start_factor: f64,
    /// The factor in the end, 0 to 1.
    pub end_factor: f64,
    /// The number of steps between them.
    pub total_iters: u64,
}

impl Default for LinearLr {
    fn default() -> Self {
        Self {
            start_factor: 1. / 3.,
            end_factor: 1.,
            total_iters: 5,
        }
    }
}

impl Schedule for LinearLr {
    fn name(&self) -> &'static str {
        "LinearLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        let (start, end) = (self.start_factor, self.end_factor);
        let ok = start > 0. && start <= 1.;
        require(ok, self.name(), "start_factor", start, "above 0, at most 1")?;
        require(
            (0. ..=1.).contains(&end),
            self.name(),
            "end_factor",
            end,
            "0 to 1",
        )?;
        require_count(self.name(), "total_iters", self.total_iters)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let rise = self.end_factor - self.start_factor;
        Ok(at.with_lr(match at.entry {
            Entry::Start => at.rate.lr * self.start_factor,
            Entry::Restart => at.initial * self.start_factor,
            Entry::Step if at.step > self.total_iters => at.rate.lr,
            Entry::Step => {
                let last = self.total_iters as f64 * self.start_factor + (at.step as f64 - 1.) * rise;
                at.rate.lr * (1. + rise / last)
            }
        }))
    }
}
