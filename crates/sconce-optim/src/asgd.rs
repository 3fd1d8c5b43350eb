//! ASGD: stochastic descent whose steps shrink, with the average of where it has been.

use crate::engine::{Engine, NUMBERS, Rule, Slope, check_not_negative, optimizer, scheduled};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// Options of [`Asgd`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AsgdConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay λ₀ of the parameter, and of the learning rate with the number of steps.
    pub lambd: f64,
    /// The learning rate's power.
    pub alpha: f64,
    /// The step from which on positions are averaged.
    pub t0: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AsgdConfig {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            lambd: 1e-4,
            alpha: 0.75,
            t0: 1e6,
            weight_decay: 0.,
            maximize: false,
        }
    }
}

/// ASGD: stochastic gradient descent with shrinking steps; the state's `ax` is the average of the positions.
///
/// g ← ±∂L/∂θ + λθ, θ ← (1 − λ₀ηₜ)θ − ηₜg, a ← a + (θ − a)μₜ, with η₁ = η, ηₜ₊₁ = η/(1 + λ₀ηt)^α, μ₁ = 1 and
/// μₜ₊₁ = 1/max(1, t − t₀) in a parameter's step t.
///
/// # Parameters
/// State: `ax` (a), of the parameter's shape; `step` (t), `eta` (η), `mu` (μ) of the next step.
///
/// # Errors
/// `new`: `lr`, `lambd` or `weight_decay` is negative or not finite, `alpha` or `t0` isn't finite.
///
/// # Source
/// Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; `torch.optim.ASGD`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Asgd, AsgdConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = Asgd::new(&AsgdConfig { t0: 0., ..AsgdConfig::default() }, &store)?;
/// for _ in 0..3 {
///     rule.step(&backward(&w.tensor().sum_all()?, &store)?)?;
/// }
/// // The positions were about −0.01, −0.02 and −0.03.
/// let (_, average) = rule.state()?.into_iter().find(|(name, _)| name == "w.ax").unwrap();
/// assert!((average.to_vec1::<f64>()?[0] + 0.025).abs() < 1e-4);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Asgd(Engine<AsgdConfig>);

optimizer!(Asgd, AsgdConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    /// What is left of the parameter before the step.
    pub(crate) shrink: f64,
    /// ηₜ.
    pub(crate) rate: f64,
    /// μₜ.
    pub(crate) weight: f64,
}

/// PyTorch keeps η and μ in single precision, whatever the parameter's type.
fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

impl Rule for AsgdConfig {
    type Constants = Constants;
    const NAME: &'static str = "Asgd";
    const COUNTS_STEPS: bool = true;
    const NUMBER_NAMES: &'static [&'static str] = &["eta", "mu"];

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("lambd", self.lambd),
                ("weight_decay", self.weight_decay),
            ],
        )?;
        for (field, value) in [("alpha", self.alpha), ("t0", self.t0)] {
            if !value.is_finite() {
                return Err(Error::config(Self::NAME, field, value, "a finite number"));
            }
        }
        Ok(())
    }

    scheduled!();

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["ax"]
    }

    fn initial_numbers(&self) -> [f64; NUMBERS] {
        [single(self.lr), 1.]
    }

    fn constants(&self, step: u64, numbers: &mut [f64; NUMBERS]) -> Constants {
        let [rate, weight] = *numbers;
        let step = step as f64;
        *numbers = [
            self.lr / (1. + self.lambd * self.lr * step).powf(self.alpha),
            (step - self.t0).max(1.).recip(),
        ]
        .map(single);
        Constants {
            slope: Slope::new(self.maximize, self.weight_decay),
            shrink: 1. - self.lambd * rate,
            rate,
            weight,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [mean] = state else {
            return Err(candle_core::Error::Msg("Asgd keeps one tensor".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        let updated = ((parameter * constants.shrink)? - (gradient * constants.rate)?)?;
        *mean = match constants.weight {
            1. => updated.clone(),
            weight => (&*mean + ((&updated - &*mean)? * weight)?)?,
        };
        Ok(updated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
            assert_kernel_is_composite(&AsgdConfig {
                lr: 0.1,
                lambd: 0.2,
                t0: 1.,
                weight_decay,
                maximize,
                ..AsgdConfig::default()
            });
        }
    }
}
