//! Up and down between two rates.

use super::{Moment, PerGroup, Rate, Schedule, require_count, require_rate};
use sconce_core::Result;
use std::fmt;
use std::sync::Arc;

/// How the height of a [`CyclicLr`]'s cycles changes.
#[derive(Clone)]
pub enum CyclicMode {
    /// It doesn't.
    Triangular,
    /// Each is half as high as the one before.
    Triangular2,
    /// It falls by `gamma` at every step.
    ExpRange,
    /// By a function of the cycle's number, from 1: PyTorch's `scale_fn`.
    ByCycle(Arc<dyn Fn(u64) -> f64 + Send + Sync>),
    /// By a function of the step's number, from 0: PyTorch's `scale_fn` with `scale_mode="iterations"`.
    ByStep(Arc<dyn Fn(u64) -> f64 + Send + Sync>),
}

impl CyclicMode {
    /// [`ByCycle`](Self::ByCycle)
    pub fn by_cycle(scale: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Self::ByCycle(Arc::new(scale))
    }

    /// [`ByStep`](Self::ByStep)
    pub fn by_step(scale: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Self::ByStep(Arc::new(scale))
    }
}

impl fmt::Debug for CyclicMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Triangular => "Triangular",
            Self::Triangular2 => "Triangular2",
            Self::ExpRange => "ExpRange",
            Self::ByCycle(_) => "ByCycle",
            Self::ByStep(_) => "ByStep",
        })
    }
}

/// From `base_lr` to `max_lr` and back in straight lines, over and over; the momentum the other way round.
///
/// ηₜ = η_base + (η_max − η_base)·h·s, where h goes from 0 to 1 and back in each cycle c = 1, 2, …, and s is 1, 2^(1 − c), γᵗ
/// or a function of c or t. The momentum is m_max − (m_max − m_base)·h·s.
///
/// # Errors
/// A rate or momentum is negative, not finite, or isn't one number or one for each group; `step_size_up` or
/// `step_size_down` is 0; `gamma` is negative or not finite. A step: a function's rate isn't a finite number, at least 0. With `cycle_momentum`, the optimiser has none.
///
/// # Source
/// Smith, "Cyclical Learning Rates for Training Neural Networks", 2017; `torch.optim.lr_scheduler.CyclicLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{CyclicLr, CyclicMode, rates};
/// let schedule = CyclicLr { step_size_up: 2, step_size_down: Some(4), ..CyclicLr::new(0., 1.) };
/// let expected = [0., 0.5, 1., 0.75, 0.5, 0.25, 0.];
/// assert!(rates(&schedule, 0.1, 7)?.iter().zip(expected).all(|(rate, e)| (rate - e).abs() < 1e-15));
/// let softer = CyclicLr { mode: CyclicMode::by_cycle(|cycle| 1. / cycle as f64), ..schedule };
/// assert!((rates(&softer, 0.1, 9)?[8] - 0.5).abs() < 1e-15);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CyclicLr {
    /// The lowest rate.
    pub base_lr: PerGroup,
    /// The highest rate.
    pub max_lr: PerGroup,
    /// Steps from the lowest to the highest.
    pub step_size_up: u64,
    /// Steps back; as many if `None`.
    pub step_size_down: Option<u64>,
    /// How the height changes.
    pub mode: CyclicMode,
    /// The factor of [`CyclicMode::ExpRange`].
    pub gamma: f64,
    /// Whether the momentum, or the first of the betas, goes the other way.
    pub cycle_momentum: bool,
    /// The momentum at the highest rate.
    pub base_momentum: PerGroup,
    /// The momentum at the lowest rate.
    pub max_momentum: PerGroup,
}

impl CyclicLr {
    /// Triangles of 2000 steps up and as many down, with the momentum between 0.9 and 0.8.
    pub fn new(base_lr: impl Into<PerGroup>, max_lr: impl Into<PerGroup>) -> Self {
        Self {
            base_lr: base_lr.into(),
            max_lr: max_lr.into(),
            step_size_up: 2000,
            step_size_down: None,
            mode: CyclicMode::Triangular,
            gamma: 1.,
            cycle_momentum: true,
            base_momentum: 0.8.into(),
            max_momentum: 0.9.into(),
        }
    }
}

impl Schedule for CyclicLr {
    fn name(&self) -> &'static str {
        "CyclicLR"
    }

    fn check(&self, groups: usize) -> Result<()> {
        let name = self.name();
        self.base_lr.check(name, "base_lr", groups)?;
        self.max_lr.check(name, "max_lr", groups)?;
        require_count(name, "step_size_up", self.step_size_up)?;
        if let Some(down) = self.step_size_down {
            require_count(name, "step_size_down", down)?;
        }
        require_rate(name, "gamma", self.gamma)?;
        self.base_momentum.check(name, "base_momentum", groups)?;
        self.max_momentum.check(name, "max_momentum", groups)
    }

    fn cycles_momentum(&self) -> bool {
        self.cycle_momentum
    }

    fn initial(&self, group: usize, initial: Rate, first: bool) -> Rate {
        let momentum = self.cycle_momentum.then(|| self.max_momentum.of(group));
        Rate {
            lr: if first { self.base_lr.of(group) } else { initial.lr },
            momentum: momentum.or(initial.momentum),
        }
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let (step, up) = (at.step as f64, self.step_size_up as f64);
        let total = up + self.step_size_down.map_or(up, |down| down as f64);
        let turn = up / total;
        let cycle = (1. + step / total).floor();
        let x = 1. + step / total - cycle;
        let height = if x <= turn {
            x / turn
        } else {
            (x - 1.) / (turn - 1.)
        };
        let scale = match &self.mode {
            CyclicMode::Triangular => 1.,
            CyclicMode::Triangular2 => 1. / 2f64.powf(cycle - 1.),
            CyclicMode::ExpRange => self.gamma.powf(step),
            CyclicMode::ByCycle(scale) => scale(cycle as u64),
            CyclicMode::ByStep(scale) => scale(at.step),
        };
        let (base, max) = (self.base_lr.of(at.group), self.max_lr.of(at.group));
        let (calm, fast) = (self.base_momentum.of(at.group), self.max_momentum.of(at.group));
        let momentum = fast - (fast - calm) * height * scale;
        Ok(Rate {
            lr: base + (max - base) * height * scale,
            momentum: if self.cycle_momentum {
                Some(momentum)
            } else {
                at.rate.momentum
            },
        })
    }
}
