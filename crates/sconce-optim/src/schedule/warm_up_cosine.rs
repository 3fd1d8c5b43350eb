//! A warm-up and a cosine at once.

use super::{Moment, Rate, Schedule, require, require_count};
use sconce_core::Result;
use std::f64::consts::PI;

/// The product of a straight rise over the first part of the run and a cosine's fall to 0 over all of it.
///
/// ηₜ = η·min(d/w, 1)·(1 + cos(π·d))/2, where d = (t + 1)/T is how much of the run is done. After the last step it is 0.
///
/// # Errors
/// `total_steps` is 0; `warm_up` isn't above 0 and at most 1.
///
/// # Source
/// The two factors: Goyal et al., "Accurate, Large Minibatch SGD", 2017; Loshchilov and Hutter, "SGDR: Stochastic Gradient
/// Descent with Warm Restarts", 2017
///
/// # Example
/// ```
/// use sconce_optim::schedule::{WarmUpCosine, rates};
/// let rates = rates(&WarmUpCosine::new(40), 1., 40)?;
/// assert!(rates[0] < rates[3] && rates[3] > rates[20] && rates[39] < 1e-12);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUpCosine {
    /// Steps of the whole run.
    pub total_steps: u64,
    /// The part of them in which the rate rises.
    pub warm_up: f64,
}

impl WarmUpCosine {
    /// With a rise over the first tenth.
    pub fn new(total_steps: u64) -> Self {
        Self {
            total_steps,
            warm_up: 0.1,
        }
    }

    /// The rate of a step, counted from 0, where `lr` would be the highest but for the fall.
    pub fn lr(&self, lr: f64, step: u64) -> f64 {
        let done = ((step as f64 + 1.) / self.total_steps as f64).min(1.);
        let (up, down) = ((done / self.warm_up).min(1.), 0.5 * (1. + (PI * done).cos()));
        lr * up * down
    }
}

impl Schedule for WarmUpCosine {
    fn name(&self) -> &'static str {
        "WarmUpCosine"
    }

    fn check(&self, _groups: usize) -> Result<()> {
        require_count(self.name(), "total_steps", self.total_steps)?;
        let ok = self.warm_up > 0. && self.warm_up <= 1.;
        require(ok, self.name(), "warm_up", self.warm_up, "above 0, at most 1")
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(at.with_lr(self.lr(at.initial, at.step)))
    }
}
