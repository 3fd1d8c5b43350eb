//! AdaGrad.

use crate::engine::{Engine, NUMBERS, Rule, Slope, check_not_negative, optimizer, scheduled};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`Adagrad`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdagradConfig {
    /// Learning rate η.
    pub lr: f64,
    /// How fast the learning rate falls, κ: in step t it is η/(1 + (t − 1)κ).
    pub lr_decay: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// What the sum of squares starts with.
    pub initial_accumulator_value: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            lr_decay: 0.,
            weight_decay: 0.,
            initial_accumulator_value: 0.,
            eps: 1e-10,
            maximize: false,
        }
    }
}

/// AdaGrad: steps that shrink with all that an element's gradient has been, so that rare features learn fast.
///
/// g ← ±∂L/∂θ + λθ, s ← s + g², θ ← θ − η/(1 + (t − 1)κ) · g / (√s + ε) in a parameter's step t.
///
/// # Parameters
/// State: `sum` (s), of the parameter's shape; `step` (t).
///
/// # Errors
/// `new`: an option is negative or not finite.
///
/// # Source
/// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011;
/// `torch.optim.Adagrad`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Adagrad, AdagradConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut adagrad = Adagrad::new(&AdagradConfig { lr: 1., ..AdagradConfig::default() }, &store)?;
/// // With a constant gradient, step t has the length 1/√t.
/// for expected in [-1., -1. - 0.5f64.sqrt()] {
///     adagrad.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
///     assert!((w.value().to_vec1::<f64>()?[0] - expected).abs() < 1e-9);
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Adagrad(Engine<AdagradConfig>);

optimizer!(Adagrad, AdagradConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    /// η/(1 + (t − 1)κ).
    pub(crate) rate: f64,
    pub(crate) eps: f64,
}

impl Rule for AdagradConfig {
    type Constants = Constants;
    const NAME: &'static str = "Adagrad";
    const COUNTS_STEPS: bool = true;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("lr_decay", self.lr_decay),
                ("weight_decay", self.weight_decay),
                ("initial_accumulator_value", self.initial_accumulator_value),
                ("eps", self.eps),
            ],
        )
    }

    scheduled!();

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["sum"]
    }

    fn initial_state(&self, _index: usize) -> f64 {
        self.initial_accumulator_value
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        Constants {
            slope: Slope::new(self.maximize, self.weight_decay),
            rate: self.lr / (1. + (step as f64 - 1.) * self.lr_decay),
            eps: self.eps,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let gradient = constants.slope.at(parameter, gradient)?;
        let [sum] = state else {
            return Err(candle_core::Error::Msg("Adagrad keeps one tensor".into()));
        };
        *sum = (&*sum + gradient.sqr()?)?;
        parameter - ((gradient / (sum.sqrt()? + constants.eps)?)? * constants.rate)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (lr_decay, initial_accumulator_value) in [(0., 0.), (0.3, 0.), (0.1, 0.5)] {
            for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
                assert_kernel_is_composite(&AdagradConfig {
                    lr: 0.1,
                    lr_decay,
                    weight_decay,
                    initial_accumulator_value,
                    eps: 1e-3,
                    maximize,
                });
            }
        }
    }
}
