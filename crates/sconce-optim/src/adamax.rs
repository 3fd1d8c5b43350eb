//! Adamax.

use crate::engine::{
    Engine, NUMBERS, Rule, Slope, average, check_betas, check_not_negative, optimizer, scheduled,
};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`Adamax`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamaxConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β₁ of the gradient's running average, β₂ of its running maximum, in \[0, 1).
    pub betas: (f64, f64),
    /// Added to the gradient's size before the maximum.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AdamaxConfig {
    fn default() -> Self {
        Self {
            lr: 2e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.,
            maximize: false,
        }
    }
}

/// Adamax: Adam with the gradient's decaying maximum in place of its root mean square.
///
/// g ← ±∂L/∂θ + λθ, m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + ε), θ ← θ − η/(1 − β₁ᵗ) · m/u in a parameter's step t.
///
/// # Parameters
/// State, of the parameter's shape: `exp_avg` (m), `exp_inf` (u); `step` (t).
///
/// # Errors
/// `new`: `lr`, `eps` or `weight_decay` is negative, or a beta is outside \[0, 1).
///
/// # Source
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, section 7.1; `torch.optim.Adamax`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Adamax, AdamaxConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = Adamax::new(&AdamaxConfig::default(), &store)?;
/// // The first step has the learning rate's length, whatever the gradient's.
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// assert!((w.value().to_vec1::<f64>()?[0] + 2e-3).abs() < 1e-9);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Adamax(Engine<AdamaxConfig>);

optimizer!(Adamax, AdamaxConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// η/(1 − β₁ᵗ).
    pub(crate) rate: f64,
}

impl Rule for AdamaxConfig {
    type Constants = Constants;
    const NAME: &'static str = "Adamax";
    const COUNTS_STEPS: bool = true;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("eps", self.eps),
                ("weight_decay", self.weight_decay),
            ],
        )?;
        check_betas(Self::NAME, self.betas)
    }

    scheduled!(betas.0);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["exp_avg", "exp_inf"]
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let (beta1, beta2) = self.betas;
        Constants {
            slope: Slope::new(self.maximize, self.weight_decay),
            beta1,
            beta2,
            eps: self.eps,
            rate: self.lr / (1. - beta1.powf(step as f64)),
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [mean, largest] = state else {
            return Err(candle_core::Error::Msg("Adamax keeps two tensors".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        average(mean, &gradient, constants.beta1)?;
        *largest = (&*largest * constants.beta2)?.maximum(&(gradient.abs()? + constants.eps)?)?;
        parameter - ((&*mean / &*largest)? * constants.rate)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
            assert_kernel_is_composite(&AdamaxConfig {
                lr: 0.1,
                betas: (0.7, 0.8),
                eps: 1e-3,
                weight_decay,
                maximize,
            });
        }
    }
}
