//! Schedules one on top of the other.

use super::{Entry, Moment, Rate, Schedule, require};
use sconce_core::Result;

/// Several schedules at once: each goes on from the rate that the one before it gave, so that their factors multiply.
///
/// # Errors
/// There is none; those of the schedules.
///
/// # Source
/// `torch.optim.lr_scheduler.ChainedScheduler`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{ChainedScheduler, ConstantLr, ExponentialLr, rates};
/// let start = ConstantLr { factor: 0.5, total_iters: 2 };
/// let schedule = ChainedScheduler::new(start).and(ExponentialLr::new(0.5));
/// assert_eq!(rates(&schedule, 1., 4)?, [0.5, 0.25, 0.25, 0.125]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct ChainedScheduler<'a>(Vec<Box<dyn Schedule + 'a>>);

impl<'a> ChainedScheduler<'a> {
    /// One schedule, for others to follow.
    pub fn new(schedule: impl Schedule + 'a) -> Self {
        Self(vec![Box::new(schedule)])
    }

    /// Adds one that goes on from the rates that those so far give.
    pub fn and(mut self, schedule: impl Schedule + 'a) -> Self {
        self.0.push(Box::new(schedule));
        self
    }
}

/// For lists that are made while the program runs.
impl<'a> From<Vec<Box<dyn Schedule + 'a>>> for ChainedScheduler<'a> {
    fn from(schedules: Vec<Box<dyn Schedule + 'a>>) -> Self {
        Self(schedules)
    }
}

impl Schedule for ChainedScheduler<'_> {
    fn name(&self) -> &'static str {
        "ChainedScheduler"
    }

    fn check(&self, groups: usize) -> Result<()> {
        let some = !self.0.is_empty();
        require(some, self.name(), "schedules", "[]", "at least one")?;
        self.0.iter().try_for_each(|schedule| schedule.check(groups))
    }

    fn cycles_momentum(&self) -> bool {
        self.0.iter().any(|schedule| schedule.cycles_momentum())
    }

    fn initial(&self, group: usize, initial: Rate, first: bool) -> Rate {
        let mut all = initial;
        for (i, schedule) in self.0.iter().enumerate() {
            all = schedule.initial(group, all, first && i == 0);
        }
        all
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let mut here = *at;
        if at.entry == Entry::Restart {
            // What the one before left is not this one's to multiply.
            here.entry = Entry::Start;
            here.rate.lr = at.initial;
        }
        for (i, schedule) in self.0.iter().enumerate() {
            here.rate = schedule.next(&here)?;
            let before = here.with_lr(here.initial);
            here.initial = schedule.initial(at.group, before, i == 0).lr;
        }
        Ok(here.rate)
    }
}
