//! Learning-rate schedules, PyTorch's names, defaults and numbers, and what drives an optimiser by one.
//!
//! A schedule is a plain struct of options: what it gives depends on the number of the step and on the rates that there
//! are, and on nothing that it would remember. A [`Scheduler`] counts the steps and sets the optimiser's rates; when a step
//! of it is due, after a batch or after an epoch, the caller says. [`ReduceLrOnPlateau`] looks at a metric and stands for
//! itself.
//!
//! PyTorch computes most of them from one step to the next, not from the first: a rate that something else changed
//! meanwhile is changed on from there. So do these, with the same operations in the same order.
//!
//! One thing differs on purpose. [`OneCycleLr`] and [`SwaLr`] have rates of their own, which PyTorch keeps in the optimiser's
//! groups: there the second of two such schedules, in a sequence or a chain, overwrites the first one's. Here each goes to its
//! own. [`CyclicLr`] computes its rates from its bounds alone; in a chain it undoes what those before it gave.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device};
//! use sconce_core::{Init, ParamStore, backward, param};
//! use sconce_optim::schedule::{CosineAnnealingLr, LinearLr, Scheduler, SequentialLr};
//! use sconce_optim::{Optimize, Sgd, SgdConfig};
//!
//! let store = ParamStore::new(DType::F64, &Device::Cpu);
//! let w = param(&store.builder(), 1, "w", &Init::Const(1.))?;
//! let mut sgd = Sgd::new(&SgdConfig { lr: 0.4, ..SgdConfig::default() }, &store)?;
//! let warm_up = LinearLr { start_factor: 0.25, total_iters: 3, ..LinearLr::default() };
//! let schedule = SequentialLr::new(3, warm_up, CosineAnnealingLr::new(4));
//! let mut scheduler = Scheduler::new(schedule, &mut sgd)?;
//! let mut rates = Vec::new();
//! for _ in 0..8 {
//!     rates.push((sgd.learning_rate() * 1e3).round());
//!     sgd.step(&backward(&w.tensor().sqr()?.sum_all()?, &store)?)?;
//!     scheduler.step(&mut sgd)?;
//! }
//! assert_eq!(rates, [100., 200., 300., 400., 341., 200., 59., 0.]);
//! # Ok::<(), sconce_core::Error>(())
//! ```

mod chained;
mod constant;
mod cosine;
mod cyclic;
mod exponential;
mod lambda;
mod linear;
mod multi_step;
mod noam;
mod one_cycle;
mod per_group;
mod plateau;
mod polynomial;
mod scheduler;
mod sequential;
mod step;
mod swa;
#[cfg(test)]
mod tests;
mod warm_restarts;
mod warm_up_cosine;

pub use chained::ChainedScheduler;
pub use constant::ConstantLr;
pub use cosine::CosineAnnealingLr;
pub use cyclic::{CyclicLr, CyclicMode};
pub use exponential::ExponentialLr;
pub use lambda::{LambdaLr, MultiplicativeLr};
pub use linear::LinearLr;
pub use multi_step::MultiStepLr;
pub use noam::NoamLr;
pub use one_cycle::{Anneal, OneCycleLr};
pub use per_group::PerGroup;
pub use plateau::{Mode, ReduceLrOnPlateau, ReduceLrOnPlateauConfig, ThresholdMode};
pub use polynomial::PolynomialLr;
pub use scheduler::{Scheduler, rates};
pub use sequential::SequentialLr;
pub use step::StepLr;
pub use swa::SwaLr;
pub use warm_restarts::CosineAnnealingWarmRestarts;
pub use warm_up_cosine::WarmUpCosine;

use sconce_core::{Error, Result};

/// What a schedule sets for a group of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The learning rate.
    pub lr: f64,
    /// The momentum, or the first of Adam's betas; none where the rule has nothing of the kind.
    pub momentum: Option<f64>,
}

/// How a schedule comes to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It has just been made, and finds the rates as others left them: the optimiser, or schedules that it is chained with.
    Start,
    /// It takes over from another in a sequence, and starts from the initial rate.
    Restart,
    /// One step after the last.
    Step,
}

/// Where a schedule is, for one group of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The group's number.
    pub group: usize,
    /// Steps since the schedule started: PyTorch's `last_epoch`.
    pub step: u64,
    /// How it came here.
    pub entry: Entry,
    /// The learning rate before any schedule: PyTorch's `initial_lr`.
    pub initial: f64,
    /// The rates until now.
    pub rate: Rate,
}

impl Moment {
    /// The moment's rates with another learning rate.
    pub fn with_lr(&self, lr: f64) -> Rate {
        Rate { lr, ..self.rate }
    }
}

/// A learning-rate schedule: which rates follow, from where it is and from those that there are.
///
/// One of one's own needs `name` and `next`:
///
/// ```
/// use sconce_optim::schedule::{Moment, Rate, Schedule, rates};
/// /// The n-th step has the n-th part of the first rate.
/// struct Harmonic;
/// impl Schedule for Harmonic {
///     fn name(&self) -> &'static str {
///         "Harmonic"
///     }
///     fn next(&self, at: &Moment) -> sconce_core::Result<Rate> {
///         Ok(at.with_lr(at.initial / (at.step + 1) as f64))
///     }
/// }
/// assert_eq!(rates(&Harmonic, 1., 4)?, [1., 1. / 2., 1. / 3., 1. / 4.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub trait Schedule {
    /// Its name in errors.
    fn name(&self) -> &'static str;

    /// Checks the options, for an optimiser with so many groups of parameters.
    ///
    /// # Errors
    /// An option is out of range, or there isn't one for each group.
    fn check(&self, groups: usize) -> Result<()> {
        let _ = groups;
        Ok(())
    }

    /// Whether it sets momenta too, which the optimiser must have then.
    fn cycles_momentum(&self) -> bool {
        false
    }

    /// The initial rates of a group for the schedules that are made after this one; `first` if none was made before it.
    /// [`OneCycleLr`] and [`CyclicLr`] have initial rates of their own.
    fn initial(&self, group: usize, initial: Rate, first: bool) -> Rate {
        let _ = (group, first);
        initial
    }

    /// The rates at a moment.
    ///
    /// # Errors
    /// The schedule has come to its end.
    fn next(&self, at: &Moment) -> Result<Rate>;
}

/// So that schedules can be chosen while the program runs.
impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn check(&self, groups: usize) -> Result<()> {
        (**self).check(groups)
    }

    fn cycles_momentum(&self) -> bool {
        (**self).cycles_momentum()
    }

    fn initial(&self, group: usize, initial: Rate, first: bool) -> Rate {
        (**self).initial(group, initial, first)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        (**self).next(at)
    }
}

/// An error unless the option is as it should be.
fn require(
    ok: bool,
    schedule: &'static str,
    field: &'static str,
    value: impl std::fmt::Display,
    expected: &str,
) -> Result<()> {
    match ok {
        true => Ok(()),
        false => Err(Error::config(schedule, field, value, expected)),
    }
}

/// An error unless the option is a finite number, not negative.
fn require_rate(schedule: &'static str, field: &'static str, value: f64) -> Result<()> {
    let ok = value.is_finite() && value >= 0.;
    require(ok, schedule, field, value, "a finite number, at least 0")
}

/// An error unless the option is a whole number above 0.
fn require_count(schedule: &'static str, field: &'static str, value: u64) -> Result<()> {
    require(value > 0, schedule, field, value, "at least 1")
}
