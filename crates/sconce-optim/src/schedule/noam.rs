//! The schedule of the first transformer.

use super::{Moment, Rate, Schedule, require_count};
use sconce_core::Result;

/// A straight rise over `warmup_steps`, then a fall with the square root of the step; the initial rate is a factor on it.
///
/// ηₜ = η·d^−½·min(n^−½, n·w^−3⁄₂), with n = t + 1
///
/// # Errors
/// `d_model` or `warmup_steps` is 0.
///
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017, equation 3
///
/// # Example
/// ```
/// use sconce_optim::schedule::{NoamLr, rates};
/// let rates = rates(&NoamLr { d_model: 4, warmup_steps: 4 }, 1., 16)?;
/// assert_eq!((rates[0], rates[3], rates[15]), (0.0625, 0.25, 0.125));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoamLr {
    /// The width of the model.
    pub d_model: u64,
    /// Steps of the rise.
    pub warmup_steps: u64,
}

impl NoamLr {
    /// For a model of this width.
    pub fn new(d_model: u64, warmup_steps: u64) -> Self {
        Self {
            d_model,
            warmup_steps,
        }
    }
}

impl Schedule for NoamLr {
    fn name(&self) -> &'static str {
        "NoamLR"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "d_model", self.d_model)?;
        require_count(self.name(), "warmup_steps", self.warmup_steps)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let (n, rise) = (at.step as f64 + 1., self.warmup_steps as f64);
        let factor = (self.d_model as f64).powf(-0.5) * n.powf(-0.5).min(n * rise.powf(-1.5));
        Ok(at.with_lr(at.initial * factor))
    }
}
