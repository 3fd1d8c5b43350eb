//! NAdam: Adam with Nesterov's momentum.

use crate::engine::{
    Engine, NUMBERS, Rule, Slope, average, check_betas, check_not_negative, optimizer, scheduled,
};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`NAdam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NAdamConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β₁, β₂ of the two running averages, in \[0, 1).
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// How fast the momentum rises to β₁: ψ in 0.96^(tψ).
    pub momentum_decay: f64,
    /// Weight decay takes λ·η·θ off the parameter itself, past the averages.
    pub decoupled_weight_decay: bool,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for NAdamConfig {
    fn default() -> Self {
        Self {
            lr: 2e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

/// NAdam: Adam that looks ahead along its momentum, as Nesterov's does.
///
/// g ← ±∂L/∂θ + λθ, m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², μₜ = β₁(1 − ½·0.96^(tψ)), Πₜ = μ₁⋯μₜ, d = √(v/(1 − β₂ᵗ)) + ε,
/// θ ← θ − η(1 − μₜ)/(1 − Πₜ) · g/d − ημₜ₊₁/(1 − Πₜ₊₁) · m/d in a parameter's step t. Decoupled decay takes θ ← (1 − ηλ)θ at
/// first and leaves g alone.
///
/// # Parameters
/// State: `exp_avg` (m), `exp_avg_sq` (v), of the parameter's shape; `step` (t), `mu_product` (Π).
///
/// # Errors
/// `new`: an option is negative or not finite, or a beta is outside \[0, 1).
///
/// # Source
/// Dozat, "Incorporating Nesterov momentum into Adam", 2016; `torch.optim.NAdam`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{NAdam, NAdamConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = NAdam::new(&NAdamConfig::default(), &store)?;
/// // From rest, the first step is a little shorter than the learning rate: 0.9·(1 − ½·0.96^0.004) of the
/// // gradient is momentum already.
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// let step = -w.value().to_vec1::<f64>()?[0] / 2e-3;
/// assert!((step - 1.0566).abs() < 1e-3, "{step}");
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct NAdam(Engine<NAdamConfig>);

optimizer!(NAdam, NAdamConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    /// What is left of the parameter before the step.
    pub(crate) shrink: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// √(1 − β₂ᵗ).
    pub(crate) root: f64,
    /// η(1 − μₜ)/(1 − Πₜ).
    pub(crate) by_gradient: f64,
    /// ημₜ₊₁/(1 − Πₜ₊₁).
    pub(crate) by_average: f64,
}

impl Rule for NAdamConfig {
    type Constants = Constants;
    const NAME: &'static str = "NAdam";
    const COUNTS_STEPS: bool = true;
    const NUMBER_NAMES: &'static [&'static str] = &["mu_product"];

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("eps", self.eps),
                ("weight_decay", self.weight_decay),
                ("momentum_decay", self.momentum_decay),
            ],
        )?;
        check_betas(Self::NAME, self.betas)
    }

    scheduled!(betas.0);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq"]
    }

    fn initial_numbers(&self) -> [f64; NUMBERS] {
        [1., 0.]
    }

    fn constants(&self, step: u64, numbers: &mut [f64; NUMBERS]) -> Constants {
        let Self {
            lr,
            betas: (beta1, beta2),
            weight_decay,
            decoupled_weight_decay: decoupled,
            ..
        } = *self;
        let step = step as f64;
        let momentum = |step: f64| beta1 * (1. - 0.5 * 0.96f64.powf(step * self.momentum_decay));
        let (now, next) = (momentum(step), momentum(step + 1.));
        let [product, _] = numbers;
        // PyTorch keeps it in single precision, whatever the parameter's type.
        *product = f64::from(*product as f32 * now as f32);
        Constants {
            slope: Slope::new(self.maximize, if decoupled { 0. } else { weight_decay }),
            shrink: if decoupled { 1. - lr * weight_decay } else { 1. },
            beta1,
            beta2,
            eps: self.eps,
            root: (1. - beta2.powf(step)).sqrt(),
            by_gradient: lr * (1. - now) / (1. - *product),
            by_average: lr * next / (1. - *product * next),
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [mean, square] = state else {
            return Err(candle_core::Error::Msg("NAdam keeps two tensors".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        average(mean, &gradient, constants.beta1)?;
        average(square, &gradient.sqr()?, constants.beta2)?;
        let denominator = ((square.sqrt()? / constants.root)? + constants.eps)?;
        let ahead = ((gradient * constants.by_gradient)? + (&*mean * constants.by_average)?)?;
        (parameter * constants.shrink)? - (ahead / denominator)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (weight_decay, decoupled_weight_decay) in [(0., false), (0.1, false), (0.1, true)] {
            for maximize in [false, true] {
                assert_kernel_is_composite(&NAdamConfig {
                    lr: 0.1,
                    betas: (0.7, 0.9),
                    momentum_decay: 0.3,
                    weight_decay,
                    decoupled_weight_decay,
                    maximize,
                    ..NAdamConfig::default()
                });
            }
        }
    }
}
