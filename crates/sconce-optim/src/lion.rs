//! Lion: steps by the sign of a momentum.

use crate::engine::{
    Engine, NUMBERS, Rule, Slope, average, check_betas, check_not_negative, optimizer, scheduled, sign,
};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`Lion`]; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionConfig {
    /// Learning rate η.
    pub lr: f64,
    /// β₁, the last direction's weight in a step, and β₂, the decay rate of the direction that is kept, in \[0, 1).
    pub betas: (f64, f64),
    /// Decoupled weight decay λ: takes λ·η·θ off the parameter.
    pub weight_decay: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for LionConfig {
    fn default() -> Self {
        Self {
            lr: 1e-4,
            betas: (0.9, 0.99),
            weight_decay: 0.,
            maximize: false,
        }
    }
}

/// Lion: every element moves by the learning rate, in the direction of a mix of its gradient and a running average of them. It
/// keeps half of Adam's state; its learning rate wants to be three to ten times smaller than Adam's, and its decay as much larger.
///
/// g ← ±∂L/∂θ, θ ← (1 − ηλ)θ − η·sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g.
///
/// # Parameters
/// State, of the parameter's shape: `exp_avg` (m).
///
/// # Errors
/// `new`: `lr` or `weight_decay` is negative, or a beta is outside \[0, 1).
///
/// # Source
/// Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Lion, LionConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = Lion::new(&LionConfig::default(), &store)?;
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// assert_eq!(w.value().to_vec1::<f64>()?, [-1e-4]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Lion(Engine<LionConfig>);

optimizer!(Lion, LionConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    /// What is left of the parameter before the step.
    pub(crate) shrink: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) lr: f64,
}

impl Rule for LionConfig {
    type Constants = Constants;
    const NAME: &'static str = "Lion";
    const COUNTS_STEPS: bool = false;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[("lr", self.lr), ("weight_decay", self.weight_decay)],
        )?;
        check_betas(Self::NAME, self.betas)
    }

    scheduled!(betas.0);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["exp_avg"]
    }

    fn constants(&self, _step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let (beta1, beta2) = self.betas;
        Constants {
            slope: Slope::new(self.maximize, 0.),
            shrink: 1. - self.lr * self.weight_decay,
            beta1,
            beta2,
            lr: self.lr,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [mean] = state else {
            return Err(candle_core::Error::Msg("Lion keeps one tensor".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        let mut mix = mean.clone();
        average(&mut mix, &gradient, constants.beta1)?;
        average(mean, &gradient, constants.beta2)?;
        (parameter * constants.shrink)? - (sign(&mix)? * constants.lr)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{assert_kernel_is_composite, assert_nan_shows};

    #[test]
    fn kernel_is_composite() {
        for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
            assert_kernel_is_composite(&LionConfig {
                lr: 0.1,
                betas: (0.7, 0.8),
                weight_decay,
                maximize,
            });
        }
    }

    #[test]
    fn a_gradient_that_is_no_number_shows() {
        assert_nan_shows(&LionConfig {
            lr: 0.1,
            ..LionConfig::default()
        });
    }
}
