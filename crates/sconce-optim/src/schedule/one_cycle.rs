//! One cycle over the whole run.

use super::{Moment, PerGroup, Rate, Schedule, require, require_count};
use sconce_core::{Error, Result};

/// Along what a rate goes from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    fn between(self, start: f64, end: f64, part: f64) -> f64 {
        match self {
            Self::Cos => end + (start - end) / 2. * ((std::f64::consts::PI * part).cos() + 1.),
            // The step after the last, which a loop sets and nobody takes, would lie below 0 on a straight line.
            Self::Linear => (end - start) * part.min(1.) + start,
        }
    }
}

/// From a low rate to `max_lr`, and down to nearly nothing by the end of the run; the momentum the other way round. It has
/// its own initial rate, whatever the optimiser's is.
///
/// The first phase goes from `max_lr/div_factor` up to `max_lr` in `pct_start` of the steps, the second to
/// `max_lr/div_factor/final_div_factor` in the rest; with `three_phase`, the second is as long as the first and ends where
/// that began, and a third goes down from there.
///
/// # Errors
/// A rate or momentum is negative, not finite, or isn't one number or one for each group; `total_steps` is 0; `pct_start`
/// isn't between 0 and 1; a factor isn't a finite number above 0; a phase has no length. With `cycle_momentum`, the optimiser
/// has none. A step beyond the last.
///
/// # Source
/// Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018;
/// `torch.optim.lr_scheduler.OneCycleLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{OneCycleLr, rates};
/// let rates = rates(&OneCycleLr::new(1., 10), 0.1, 10)?;
/// let expected = [(0, 0.04), (1, 0.52), (2, 1.), (9, 4e-6)];
/// assert!(expected.into_iter().all(|(i, lr)| f64::abs(rates[i] - lr) < 1e-12));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OneCycleLr {
    /// The highest rate.
    pub max_lr: PerGroup,
    /// Steps of the whole run: with epochs of so many batches, their product.
    pub total_steps: u64,
    /// The part of them in which the rate rises.
    pub pct_start: f64,
    /// Along what.
    pub anneal_strategy: Anneal,
    /// Whether the momentum, or the first of the betas, goes the other way.
    pub cycle_momentum: bool,
    /// The momentum at the highest rate.
    pub base_momentum: PerGroup,
    /// The momentum at the start and the end.
    pub max_momentum: PerGroup,
    /// The highest rate by the first.
    pub div_factor: f64,
    /// The first rate by the last.
    pub final_div_factor: f64,
    /// Whether the fall has a part of its own below the first rate.
    pub three_phase: bool,
}

impl OneCycleLr {
    /// Along cosines, up in the first three tenths, with the momentum between 0.95 and 0.85.
    pub fn new(max_lr: impl Into<PerGroup>, total_steps: u64) -> Self {
        Self {
            max_lr: max_lr.into(),
            total_steps,
            pct_start: 0.3,
            anneal_strategy: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: 0.85.into(),
            max_momentum: 0.95.into(),
            div_factor: 25.,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// For each phase the step at which it ends, and where rate and momentum go meanwhile.
    fn phases(&self, group: usize) -> Vec<(f64, [f64; 2], [f64; 2])> {
        let max = self.max_lr.of(group);
        let first = max / self.div_factor;
        let last = first / self.final_div_factor;
        let (calm, fast) = (self.base_momentum.of(group), self.max_momentum.of(group));
        let total = self.total_steps as f64;
        let up = (self.pct_start * total - 1., [first, max], [fast, calm]);
        match self.three_phase {
            true => vec![
                up,
                (2. * self.pct_start * total - 2., [max, first], [calm, fast]),
                (total - 1., [first, last], [fast, fast]),
            ],
            false => vec![up, (total - 1., [max, last], [calm, fast])],
        }
    }
}

impl Schedule for OneCycleLr {
    fn name(&self) -> &'static str {
        "OneCycleLR"
    }

    fn check(&self, groups: usize) -> Result<()> {
        let name = self.name();
        self.max_lr.check(name, "max_lr", groups)?;
        require_count(name, "total_steps", self.total_steps)?;
        let part = (0. ..=1.).contains(&self.pct_start);
        require(part, name, "pct_start", self.pct_start, "0 to 1")?;
        self.base_momentum.check(name, "base_momentum", groups)?;
        self.max_momentum.check(name, "max_momentum", groups)?;
        for (field, value) in [
            ("div_factor", self.div_factor),
            ("final_div_factor", self.final_div_factor),
        ] {
            let ok = value.is_finite() && value > 0.;
            require(ok, name, field, value, "a finite number above 0")?;
        }
        Ok(())
    }

    fn cycles_momentum(&self) -> bool {
        self.cycle_momentum
    }

    fn initial(&self, group: usize, initial: Rate, _first: bool) -> Rate {
        let momentum = self.cycle_momentum.then(|| self.max_momentum.of(group));
        Rate {
            lr: self.max_lr.of(group) / self.div_factor,
            momentum: momentum.or(initial.momentum),
        }
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        if at.step > self.total_steps {
            let expected = format!("at most total_steps = {}", self.total_steps);
            return Err(Error::config(self.name(), "step", at.step, expected));
        }
        let (step, mut start) = (at.step as f64, 0.);
        let phases = self.phases(at.group);
        for (i, (end, [from, to], [momentum_from, momentum_to])) in phases.iter().copied().enumerate() {
            if step > end && i + 1 < phases.len() {
                start = end;
                continue;
            }
            let part = (step - start) / (end - start);
            if !part.is_finite() {
                let expected = "one that leaves a length to every phase";
                return Err(Error::config(self.name(), "pct_start", self.pct_start, expected));
            }
            let momentum = self.anneal_strategy.between(momentum_from, momentum_to, part);
            return Ok(Rate {
                lr: self.anneal_strategy.between(from, to, part),
                momentum: if self.cycle_momentum {
                    Some(momentum)
                } else {
                    at.rate.momentum
                },
            });
        }
        Ok(at.rate)
    }
}
