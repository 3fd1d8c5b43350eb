//! What takes a run's steps: a rule that is given gradients, or one that evaluates the loss itself.

use candle_core::Tensor;
use sconce_core::{Error, Gradients, Result};
use sconce_optim::{Minimize, Optimize};

/// An optimiser of either kind. Schedules drive it as one of the first.
pub(super) enum Rule<'a> {
    Steps(Box<dyn Optimize + 'a>),
    Evaluates(Box<dyn Minimize + 'a>),
}

impl Rule<'_> {
    /// A step by the loss and its gradients wherever the rule wants to know them; of one that is given them, where it is.
    pub(super) fn minimize(&mut self, closure: &mut dyn FnMut() -> Result<(f64, Gradients)>) -> Result<f64> {
        match self {
            Self::Evaluates(rule) => rule.step(closure),
            Self::Steps(rule) => {
                let (loss, gradients) = closure()?;
                rule.step(&gradients)?;
                Ok(loss)
            }
        }
    }
}

impl Optimize for Rule<'_> {
    fn step(&mut self, gradients: &Gradients) -> Result<()> {
        match self {
            Self::Steps(rule) => rule.step(gradients),
            Self::Evaluates(_) => Err(Error::config(
                "Trainer",
                "optimizer",
                "one that evaluates the loss itself",
                "one that steps by gradients, for a training step of one's own",
            )),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Steps(rule) => rule.name(),
            Self::Evaluates(rule) => rule.name(),
        }
    }

    fn learning_rates(&self) -> Vec<f64> {
        match self {
            Self::Steps(rule) => rule.learning_rates(),
            Self::Evaluates(rule) => vec![rule.learning_rate()],
        }
    }

    fn set_learning_rates(&mut self, learning_rates: &[f64]) -> Result<()> {
        match (self, learning_rates) {
            (Self::Steps(rule), all) => rule.set_learning_rates(all),
            (Self::Evaluates(rule), &[one]) => rule.set_learning_rate(one),
            (Self::Evaluates(_), all) => Err(Error::config(
                "Trainer",
                "lr",
                format!("{all:?}"),
                "one: all parameters are one group",
            )),
        }
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        match self {
            Self::Steps(rule) => rule.state(),
            Self::Evaluates(rule) => rule.state(),
        }
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        match self {
            Self::Steps(rule) => rule.load_state(state),
            Self::Evaluates(rule) => rule.load_state(state),
        }
    }

    fn learning_rate_of(&self, name: &str) -> f64 {
        match self {
            Self::Steps(rule) => rule.learning_rate_of(name),
            Self::Evaluates(rule) => rule.learning_rate(),
        }
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        match self {
            Self::Steps(rule) => rule.set_learning_rate(learning_rate),
            // It refuses what isn't one, and stays as it was.
            Self::Evaluates(rule) => _ = rule.set_learning_rate(learning_rate),
        }
    }

    fn momenta(&self) -> Vec<f64> {
        match self {
            Self::Steps(rule) => rule.momenta(),
            Self::Evaluates(_) => Vec::new(),
        }
    }

    fn set_momenta(&mut self, momenta: &[f64]) -> Result<()> {
        match self {
            Self::Steps(rule) => rule.set_momenta(momenta),
            Self::Evaluates(_) => Err(Error::config(
                "Trainer",
                "momentum",
                format!("{momenta:?}"),
                "none, since this rule has none",
            )),
        }
    }
}
