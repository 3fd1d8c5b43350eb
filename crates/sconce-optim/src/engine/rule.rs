//! What an update rule is to the engine.

use crate::kernels::CpuStep;
use candle_core::Tensor;
use sconce_core::Result;

/// The most state tensors that a rule keeps for a parameter.
pub(crate) const STATES: usize = 3;
/// The most numbers that a rule keeps for a parameter beside them.
pub(crate) const NUMBERS: usize = 2;

/// An update rule: a set of options, and what one step does to one tensor.
pub(crate) trait Rule: Copy + Send + Sync + 'static {
    /// What a step depends on besides the tensors.
    type Constants: CpuStep;
    /// The rule's name in errors.
    const NAME: &'static str;
    /// Whether the number of steps taken is part of the state.
    const COUNTS_STEPS: bool;
    /// The names of what is kept as single numbers, at most [`NUMBERS`].
    const NUMBER_NAMES: &'static [&'static str] = &[];

    /// An error that names the first option that is out of range.
    fn check(&self) -> Result<()>;

    fn learning_rate(&self) -> f64;

    fn set_learning_rate(&mut self, learning_rate: f64);

    /// What schedules cycle beside the learning rate: the momentum, or the first of Adam's betas.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Called only where there is a momentum.
    fn set_momentum(&mut self, _momentum: f64) {}

    /// An error unless this is a parameter that the rule is for.
    fn check_parameter(_name: &str, _dims: &[usize]) -> Result<()> {
        Ok(())
    }

    /// The names of the state tensors of a parameter with so many axes, at most [`STATES`]. What is kept only with a momentum
    /// comes last, since a schedule may set one later.
    fn state_names(&self, rank: usize) -> &'static [&'static str];

    /// The shape of state tensor `index` of a parameter with this shape.
    fn state_dims(_index: usize, dims: &[usize]) -> Vec<usize> {
        dims.to_vec()
    }

    /// What the elements of state tensor `index` are at first.
    fn initial_state(&self, _index: usize) -> f64 {
        0.
    }

    /// What the kept numbers are at first.
    fn initial_numbers(&self) -> [f64; NUMBERS] {
        [0.; NUMBERS]
    }

    /// The constants of a parameter's step number `step`, counted from 1; moves the kept numbers on.
    fn constants(&self, step: u64, numbers: &mut [f64; NUMBERS]) -> Self::Constants;

    /// One step from candle operations: gives the parameter's new value and changes the state.
    fn composite(
        constants: &Self::Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor>;
}

/// What schedules see of a rule with an option `lr`, and of one with a momentum, whose option is named.
macro_rules! scheduled {
    () => {
        fn learning_rate(&self) -> f64 {
            self.lr
        }

        fn set_learning_rate(&mut self, learning_rate: f64) {
            self.lr = learning_rate;
        }
    };
    ($($momentum:tt)+) => {
        $crate::engine::scheduled!();

        fn momentum(&self) -> Option<f64> {
            Some(self.$($momentum)+)
        }

        fn set_momentum(&mut self, momentum: f64) {
            self.$($momentum)+ = momentum;
        }
    };
}
pub(crate) use scheduled;
