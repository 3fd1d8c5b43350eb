//! Schedules one after the other.

use super::{Entry, Moment, Rate, Schedule, require};
use sconce_core::Result;

/// Several schedules in turn: at each milestone the next one takes over, from its own beginning.
///
/// # Errors
/// There is none; there isn't a milestone between any two, in rising order; those of the schedules.
///
/// # Source
/// `torch.optim.lr_scheduler.SequentialLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{ConstantLr, ExponentialLr, SequentialLr, rates};
/// let start = ConstantLr { factor: 0.5, total_iters: 10 };
/// let schedule = SequentialLr::new(2, start, ExponentialLr::new(0.5));
/// assert_eq!(rates(&schedule, 1., 5)?, [0.5, 0.5, 1., 0.5, 0.25]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct SequentialLr<'a> {
    schedules: Vec<Box<dyn Schedule + 'a>>,
    milestones: Vec<u64>,
}

impl<'a> SequentialLr<'a> {
    /// One schedule, and at the milestone another.
    pub fn new(milestone: u64, first: impl Schedule + 'a, second: impl Schedule + 'a) -> Self {
        Self {
            schedules: vec![Box::new(first), Box::new(second)],
            milestones: vec![milestone],
        }
    }

    /// Adds one that takes over at a later milestone, counted from the beginning.
    pub fn then(mut self, milestone: u64, schedule: impl Schedule + 'a) -> Self {
        self.schedules.push(Box::new(schedule));
        self.milestones.push(milestone);
        self
    }

    /// For lists that are made while the program runs: whether they fit each other is checked when the schedule is started.
    pub fn from_lists(schedules: Vec<Box<dyn Schedule + 'a>>, milestones: Vec<u64>) -> Self {
        Self {
            schedules,
            milestones,
        }
    }

    /// The initial rates, momenta among them, as the schedule of this number finds them; at the end those after all.
    fn initial_of(&self, count: usize, group: usize, initial: Rate, first: bool) -> Rate {
        let mut all = initial;
        for (i, schedule) in self.schedules.iter().take(count).enumerate() {
            all = schedule.initial(group, all, first && i == 0);
        }
        all
    }
}

impl Schedule for SequentialLr<'_> {
    fn name(&self) -> &'static str {
        "SequentialLR"
    }

    fn check(&self, groups: usize) -> Result<()> {
        let (name, count) = (self.name(), self.schedules.len());
        require(count > 0, name, "schedules", "[]", "at least one")?;
        let milestones = format!("{:?}", self.milestones);
        let expected = format!("one between any two of the {count} schedules");
        require(
            self.milestones.len() + 1 == count,
            name,
            "milestones",
            &milestones,
            &expected,
        )?;
        let rising = self.milestones.is_sorted();
        require(rising, name, "milestones", &milestones, "rising numbers")?;
        self.schedules
            .iter()
            .try_for_each(|schedule| schedule.check(groups))
    }

    fn cycles_momentum(&self) -> bool {
        self.schedules.iter().any(|schedule| schedule.cycles_momentum())
    }

    fn initial(&self, group: usize, initial: Rate, first: bool) -> Rate {
        self.initial_of(self.schedules.len(), group, initial, first)
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        let turn = self.milestones.partition_point(|&milestone| milestone <= at.step);
        let begun = turn.checked_sub(1).and_then(|i| self.milestones.get(i));
        let step = at.step - begun.unwrap_or(&0);
        let Some(schedule) = self.schedules.get(turn) else {
            return Ok(at.rate);
        };
        let mut here = Moment { step, ..*at };
        let initial = at.with_lr(at.initial);
        here.initial = self.initial_of(turn, at.group, initial, true).lr;
        match at.entry {
            // All have been made by now, so the first starts from what the last of them left.
            Entry::Start => here.rate = self.initial(at.group, initial, true),
            _ if step == 0 => here.entry = Entry::Restart,
            _ => {}
        }
        schedule.next(&here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Anneal, ChainedScheduler, CyclicLr, ExponentialLr, OneCycleLr, SwaLr, rates};

    #[test]
    fn each_of_two_schedules_with_rates_of_its_own_goes_to_its_own() {
        let cycle = |top, steps| OneCycleLr {
            cycle_momentum: false,
            ..OneCycleLr::new(top, steps)
        };
        let two = SequentialLr::new(4, cycle(2., 4), cycle(0.5, 5));
        let own = [
            rates(&cycle(2., 4), 1., 4).unwrap(),
            rates(&cycle(0.5, 5), 1., 5).unwrap(),
        ];
        assert_eq!(rates(&two, 1., 9).unwrap()[..4], own[0]);
        assert_eq!(rates(&two, 1., 9).unwrap()[4..], own[1]);

        let to = |swa_lr| SwaLr {
            anneal_epochs: 2,
            anneal_strategy: Anneal::Linear,
            ..SwaLr::new(swa_lr)
        };
        let all = rates(&SequentialLr::new(3, to(0.5), to(0.25)), 1., 7).unwrap();
        assert_eq!(all, [1., 0.75, 0.5, 0.5, 0.375, 0.25, 0.25]);

        let cyclic = || CyclicLr {
            step_size_up: 2,
            cycle_momentum: false,
            ..CyclicLr::new(0.125, 0.5)
        };
        let all = rates(
            &ChainedScheduler::new(ExponentialLr::new(0.5)).and(cyclic()),
            1.,
            5,
        )
        .unwrap();
        assert_eq!(all, rates(&cyclic(), 1., 5).unwrap());
    }
}
