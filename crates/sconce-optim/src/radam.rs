//! RAdam: Adam whose first steps are rectified.

use crate::engine::{
    Engine, NUMBERS, Rule, Slope, average, check_betas, check_not_negative, optimizer, scheduled,
};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`RAdam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RAdamConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β₁, β₂ of the two running averages, in \[0, 1).
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Weight decay takes λ·η·θ off the parameter itself, past the averages.
    pub decoupled_weight_decay: bool,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for RAdamConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

/// RAdam: Adam that steps by the gradient's average alone until it has seen enough gradients to know their variance.
///
/// g ← ±∂L/∂θ + λθ, m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², ρ∞ = 2/(1 − β₂) − 1, ρₜ = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ). Where ρₜ > 5:
/// r = √((ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ)), θ ← θ − ηr/(1 − β₁ᵗ) · m·√(1 − β₂ᵗ)/(√v + ε); elsewhere
/// θ ← θ − η/(1 − β₁ᵗ) · m. Decoupled decay takes θ ← (1 − ηλ)θ at first and leaves g alone.
///
/// # Parameters
/// State: `exp_avg` (m), `exp_avg_sq` (v), of the parameter's shape; `step` (t).
///
/// # Errors
/// `new`: `lr`, `eps` or `weight_decay` is negative, or a beta is outside \[0, 1).
///
/// # Source
/// Liu et al., "On the variance of the adaptive learning rate and beyond", 2020; `torch.optim.RAdam`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{RAdam, RAdamConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = RAdam::new(&RAdamConfig::default(), &store)?;
/// // The first steps are as long as the gradient says.
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// assert!((w.value().to_vec1::<f64>()?[0] + 7e-3).abs() < 1e-9);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct RAdam(Engine<RAdamConfig>);

optimizer!(RAdam, RAdamConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    /// What is left of the parameter before the step.
    pub(crate) shrink: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// The factor on m, and whether it is divided by √v + ε.
    pub(crate) rate: f64,
    pub(crate) rectified: bool,
}

impl Rule for RAdamConfig {
    type Constants = Constants;
    const NAME: &'static str = "RAdam";
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
        &["exp_avg", "exp_avg_sq"]
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let Self {
            lr,
            betas: (beta1, beta2),
            weight_decay,
            decoupled_weight_decay: decoupled,
            ..
        } = *self;
        let step = step as f64;
        let power = beta2.powf(step);
        let most = 2. / (1. - beta2) - 1.;
        let length = most - 2. * step * power / (1. - power);
        let rectified = length > 5.;
        let rectifier = if rectified {
            let ratio = (length - 4.) * (length - 2.) * most / ((most - 4.) * (most - 2.) * length);
            ratio.sqrt() * (1. - power).sqrt()
        } else {
            1.
        };
        Constants {
            slope: Slope::new(self.maximize, if decoupled { 0. } else { weight_decay }),
            shrink: if decoupled { 1. - lr * weight_decay } else { 1. },
            beta1,
            beta2,
            eps: self.eps,
            rate: lr / (1. - beta1.powf(step)) * rectifier,
            rectified,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [mean, square] = state else {
            return Err(candle_core::Error::Msg("RAdam keeps two tensors".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        average(mean, &gradient, constants.beta1)?;
        average(square, &gradient.sqr()?, constants.beta2)?;
        let direction = match constants.rectified {
            true => (&*mean / (square.sqrt()? + constants.eps)?)?,
            false => mean.clone(),
        };
        (parameter * constants.shrink)? - (direction * constants.rate)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        // The third step is the first that is rectified with these rates.
        for (weight_decay, decoupled_weight_decay) in [(0., false), (0.1, false), (0.1, true)] {
            for (beta2, maximize) in [(0.999, false), (0.8, true)] {
                assert_kernel_is_composite(&RAdamConfig {
                    lr: 0.1,
                    betas: (0.7, beta2),
                    weight_decay,
                    decoupled_weight_decay,
                    maximize,
                    ..RAdamConfig::default()
                });
            }
        }
    }
}
