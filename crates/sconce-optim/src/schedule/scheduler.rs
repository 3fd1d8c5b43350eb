//! What sets an optimiser's rates by a schedule.

use super::{Entry, Moment, Rate, Schedule, require_rate};
use crate::Optimize;
use candle_core::{DType, Device, Tensor};
use sconce_core::{Error, Result, cast};

/// Drives the learning rates of an optimiser, and its momenta where the schedule has any, by a [`Schedule`].
///
/// It sets the first rates when it is made. Each [`step`](Self::step) sets the next ones: call it after the optimiser's
/// step, be it once a batch or once an epoch, whatever the schedule counts. The rates that were set by others in between are
/// what the next ones are computed from, except where the schedule computes them from the start.
///
/// # Errors
/// `new`: an option is out of range; momenta are to be cycled, and the optimiser has none. `step`: the number of groups
/// changed; the schedule is at its end; a rate isn't a finite number, at least 0. Then nothing was changed.
///
/// # Source
/// `torch.optim.lr_scheduler.LRScheduler`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_optim::schedule::{Scheduler, StepLr};
/// use sconce_optim::{Optimize, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// param(&store.builder(), 1, "w", &Init::Const(1.))?;
/// let mut sgd = Sgd::new(&SgdConfig { lr: 1., ..SgdConfig::default() }, &store)?;
/// let mut scheduler = Scheduler::new(StepLr { gamma: 0.5, ..StepLr::new(2) }, &mut sgd)?;
/// for expected in [1., 1., 0.5, 0.5, 0.25] {
///     assert_eq!(sgd.learning_rate(), expected);
///     scheduler.step(&mut sgd)?;
/// }
/// // Saved, and gone on with elsewhere.
/// let saved = scheduler.state(&sgd)?;
/// let mut other = Sgd::new(&SgdConfig { lr: 1., ..SgdConfig::default() }, &store)?;
/// let mut resumed = Scheduler::new(StepLr { gamma: 0.5, ..StepLr::new(2) }, &mut other)?;
/// resumed.load_state(&saved, &mut other)?;
/// assert_eq!((resumed.last_epoch(), other.learning_rate()), (5, 0.25));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scheduler<S> {
    schedule: S,
    last_epoch: u64,
    initial: Vec<f64>,
}

const LAST_EPOCH: &str = "last_epoch";
const INITIAL: &str = "initial_lr";
const LR: &str = "lr";
const MOMENTUM: &str = "momentum";

impl<S: Schedule> Scheduler<S> {
    /// Starts a schedule, from the rates that the optimiser has.
    ///
    /// # Errors
    /// See [`Scheduler`].
    pub fn new<O: Optimize + ?Sized>(schedule: S, rule: &mut O) -> Result<Self> {
        let initial = rule.learning_rates();
        Self::from_rates(schedule, &initial, rule)
    }

    /// A second schedule beside others, which have changed the optimiser's rates already: it starts from those that the first
    /// one started from, as in PyTorch.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); there isn't one initial rate for each group.
    pub fn from_rates<O: Optimize + ?Sized>(schedule: S, initial: &[f64], rule: &mut O) -> Result<Self> {
        let groups = rule.learning_rates().len();
        if initial.len() != groups {
            let expected = format!("one for each of the {groups} groups of parameters");
            return Err(Error::config(
                schedule.name(),
                INITIAL,
                format!("{initial:?}"),
                expected,
            ));
        }
        let initial = initial.to_vec();
        schedule.check(groups)?;
        if schedule.cycles_momentum() && rule.momenta().len() != initial.len() {
            return Err(Error::config(
                schedule.name(),
                "cycle_momentum",
                true,
                "false: the optimiser has no momentum and no betas",
            ));
        }
        let scheduler = Self {
            schedule,
            last_epoch: 0,
            initial,
        };
        scheduler.set(rule, 0, Entry::Start)?;
        Ok(scheduler)
    }

    /// Sets the next rates.
    ///
    /// # Errors
    /// See [`Scheduler`].
    pub fn step<O: Optimize + ?Sized>(&mut self, rule: &mut O) -> Result<()> {
        let next = self.last_epoch + 1;
        self.set(rule, next, Entry::Step)?;
        self.last_epoch = next;
        Ok(())
    }

    /// Steps so far: PyTorch's `last_epoch`.
    pub fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    /// The schedule.
    pub fn schedule(&self) -> &S {
        &self.schedule
    }

    fn set<O: Optimize + ?Sized>(&self, rule: &mut O, step: u64, entry: Entry) -> Result<()> {
        let (lrs, momenta) = (rule.learning_rates(), rule.momenta());
        if lrs.len() != self.initial.len() {
            let expected = format!("{}, as when the schedule was started", self.initial.len());
            return Err(Error::config(self.schedule.name(), "groups", lrs.len(), expected));
        }
        let mut next = Vec::with_capacity(lrs.len());
        for (group, (&lr, &initial)) in lrs.iter().zip(&self.initial).enumerate() {
            let momentum = momenta.get(group).copied().filter(|_| momenta.len() == lrs.len());
            let rate = Rate { lr, momentum };
            next.push(computed(
                &self.schedule,
                &Moment {
                    group,
                    step,
                    entry,
                    initial,
                    rate,
                },
            )?);
        }
        let (new, cycled): (Vec<f64>, Vec<_>) = next.iter().map(|rate| (rate.lr, rate.momentum)).unzip();
        rule.set_learning_rates(&new)?;
        let cycled: Option<Vec<f64>> = cycled.into_iter().collect();
        match cycled.filter(|_| self.schedule.cycles_momentum()) {
            Some(cycled) => rule.set_momenta(&cycled).or_else(|error| {
                rule.set_learning_rates(&lrs)?;
                Err(error)
            }),
            None => Ok(()),
        }
    }

    /// Where the schedule is, with the optimiser's rates, which its own state leaves out. They can be written to a file by
    /// [`save_tensors`](sconce_core::io::save_tensors).
    ///
    /// # Errors
    /// None that is expected: numbers are put into tensors.
    pub fn state<O: Optimize + ?Sized>(&self, rule: &O) -> Result<Vec<(String, Tensor)>> {
        let mut all = vec![
            (
                LAST_EPOCH.to_string(),
                Tensor::new(self.last_epoch as i64, &Device::Cpu)?,
            ),
            (
                INITIAL.to_string(),
                Tensor::new(self.initial.as_slice(), &Device::Cpu)?,
            ),
        ];
        all.extend(rates_of(rule)?);
        Ok(all)
    }

    /// Goes on from a state that [`state`](Self::state) gave: the following steps set the rates that would have followed
    /// there, to the bit. The options are this schedule's.
    ///
    /// # Errors
    /// A name is missing, unknown or there twice; there isn't a rate for each group, or one is out of range. Then nothing was
    /// changed.
    pub fn load_state<O: Optimize + ?Sized>(
        &mut self,
        state: &[(String, Tensor)],
        rule: &mut O,
    ) -> Result<()> {
        let name = self.schedule.name();
        let read = Saved::new(name, state, &[LAST_EPOCH, INITIAL, LR, MOMENTUM])?;
        let last_epoch = read.count(LAST_EPOCH)?;
        let initial = read.numbers(INITIAL)?;
        if initial.len() != self.initial.len() {
            let expected = format!("one for each of the {} groups of parameters", self.initial.len());
            return Err(Error::config(name, INITIAL, format!("{initial:?}"), expected));
        }
        for &value in &initial {
            require_rate(name, INITIAL, value)?;
        }
        read.set_rates(rule)?;
        (self.last_epoch, self.initial) = (last_epoch, initial);
        Ok(())
    }
}

/// The rates at a moment, checked.
fn computed(schedule: &(impl Schedule + ?Sized), at: &Moment) -> Result<Rate> {
    let rate = schedule.next(at)?;
    match rate.lr.is_finite() && rate.lr >= 0. {
        true => Ok(rate),
        false => {
            let expected = format!(
                "a finite number, at least 0, at step {} of group {}",
                at.step, at.group
            );
            Err(Error::config(schedule.name(), "lr", rate.lr, expected))
        }
    }
}

/// The learning rates of the first `count` steps of a schedule that starts at `lr`, without an optimiser: to be drawn or
/// looked at.
///
/// # Errors
/// An option is out of range; the schedule ends before; a rate isn't a finite number, at least 0.
///
/// # Example
/// ```
/// use sconce_optim::schedule::{ExponentialLr, rates};
/// assert_eq!(rates(&ExponentialLr::new(0.5), 1., 4)?, [1., 0.5, 0.25, 0.125]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn rates<S: Schedule + ?Sized>(schedule: &S, lr: f64, count: u64) -> Result<Vec<f64>> {
    schedule.check(1)?;
    let mut rate = Rate { lr, momentum: None };
    let mut all = Vec::new();
    for step in 0..count {
        let entry = if step == 0 { Entry::Start } else { Entry::Step };
        rate = computed(
            schedule,
            &Moment {
                group: 0,
                step,
                entry,
                initial: lr,
                rate,
            },
        )?;
        all.push(rate.lr);
    }
    Ok(all)
}

/// An optimiser's rates, as part of a state.
pub(super) fn rates_of<O: Optimize + ?Sized>(rule: &O) -> Result<Vec<(String, Tensor)>> {
    let numbers = |values: Vec<f64>| Tensor::new(values.as_slice(), &Device::Cpu);
    let mut all = vec![(LR.to_string(), numbers(rule.learning_rates())?)];
    let momenta = rule.momenta();
    if !momenta.is_empty() {
        all.push((MOMENTUM.to_string(), numbers(momenta)?));
    }
    Ok(all)
}

/// A saved state, with its names checked.
pub(super) struct Saved<'a> {
    schedule: &'static str,
    state: &'a [(String, Tensor)],
}

impl<'a> Saved<'a> {
    pub(super) fn new(schedule: &'static str, state: &'a [(String, Tensor)], names: &[&str]) -> Result<Self> {
        for (i, (name, _)) in state.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                return Err(Error::config(
                    schedule,
                    "state",
                    name,
                    format!("one of {names:?}"),
                ));
            }
            if state.iter().take(i).any(|(other, _)| other == name) {
                return Err(Error::config(schedule, "state", name, "each name once"));
            }
        }
        Ok(Self { schedule, state })
    }

    fn find(&self, name: &'static str) -> Result<&Tensor> {
        let found = self.state.iter().find(|(other, _)| other == name);
        let missing = || Error::config(self.schedule, "state", "incomplete", format!("{name} in it"));
        Ok(&found.ok_or_else(missing)?.1)
    }

    pub(super) fn numbers(&self, name: &'static str) -> Result<Vec<f64>> {
        let tensor = self.find(name)?;
        Ok(cast(&tensor.flatten_all()?, DType::F64)?.to_vec1()?)
    }

    pub(super) fn number(&self, name: &'static str) -> Result<f64> {
        match *self.numbers(name)? {
            [value] => Ok(value),
            _ => {
                let got = self.find(name)?.dims();
                Err(Error::shape(self.schedule, name, "one element", got))
            }
        }
    }

    pub(super) fn count(&self, name: &'static str) -> Result<u64> {
        let value = self.number(name)?;
        match value >= 0. && value.fract() == 0. && value < 2f64.powi(53) {
            true => Ok(value as u64),
            false => Err(Error::config(
                self.schedule,
                name,
                value,
                "a whole number, at least 0",
            )),
        }
    }

    /// Gives an optimiser the rates that were saved.
    pub(super) fn set_rates<O: Optimize + ?Sized>(&self, rule: &mut O) -> Result<()> {
        let (lrs, old) = (self.numbers(LR)?, rule.learning_rates());
        let momenta = match self.state.iter().any(|(name, _)| name == MOMENTUM) {
            true => Some(self.numbers(MOMENTUM)?),
            false => None,
        };
        rule.set_learning_rates(&lrs)?;
        match momenta {
            Some(momenta) => rule.set_momenta(&momenta).or_else(|error| {
                rule.set_learning_rates(&old)?;
                Err(error)
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
