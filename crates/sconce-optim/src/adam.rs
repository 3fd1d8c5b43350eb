//! Adam, with AMSGrad and AdamW's decoupled weight decay.

use crate::engine::{
    Engine, NUMBERS, Rule, Slope, average, check_betas, check_not_negative, optimizer, scheduled,
};
use candle_core::Tensor;
use sconce_core::Result;

/// Options of [`Adam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β₁, β₂ of the two running averages, in \[0, 1).
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// AdamW: weight decay takes λ·η·θ off the parameter itself, past the averages. (AdamW's usual λ is 0.01.)
    pub decoupled_weight_decay: bool,
    /// AMSGrad: divide by the largest second moment so far.
    pub amsgrad: bool,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.,
            decoupled_weight_decay: false,
            amsgrad: false,
            maximize: false,
        }
    }
}

impl AdamConfig {
    /// AdamW's defaults: decoupled weight decay of 0.01.
    pub fn adamw() -> Self {
        Self {
            weight_decay: 0.01,
            decoupled_weight_decay: true,
            ..Self::default()
        }
    }
}

/// Adam: steps scaled by running averages of the gradient and of its square.
///
/// g ← ±∂L/∂θ + λθ, m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
/// θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε) in a parameter's step t. AMSGrad puts the largest v so far in v's place;
/// decoupled decay takes θ ← (1 − ηλ)θ at first and leaves g alone.
///
/// # Parameters
/// State: `exp_avg` (m), `exp_avg_sq` (v), with AMSGrad `max_exp_avg_sq`, of the parameter's shape; `step` (t).
///
/// # Errors
/// `new`: `lr`, `eps` or `weight_decay` is negative, or a beta is outside \[0, 1).
///
/// # Source
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015; Reddi et al., "On the convergence of Adam and
/// beyond", 2018; Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; `torch.optim.Adam`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Adam, AdamConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut adam = Adam::new(&AdamConfig::default(), &store)?;
/// // The first step has the learning rate's length, whatever the gradient's.
/// adam.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// assert!((w.value().to_vec1::<f64>()?[0] + 1e-3).abs() < 1e-9);
/// let names: Vec<String> = adam.state()?.into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["w.step", "w.exp_avg", "w.exp_avg_sq"]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Adam(Engine<AdamConfig>);

optimizer!(Adam, AdamConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    /// λ is 0 here with decoupled decay.
    pub(crate) slope: Slope,
    /// What is left of the parameter before the step: 1 − ηλ with decoupled decay, else 1.
    pub(crate) shrink: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// η/(1 − β₁ᵗ).
    pub(crate) rate: f64,
    /// √(1 − β₂ᵗ).
    pub(crate) root: f64,
    pub(crate) amsgrad: bool,
}

impl Rule for AdamConfig {
    type Constants = Constants;
    const NAME: &'static str = "Adam";
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
        match self.amsgrad {
            true => &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
            false => &["exp_avg", "exp_avg_sq"],
        }
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let Self {
            lr,
            betas: (beta1, beta2),
            eps,
            weight_decay,
            decoupled_weight_decay: decoupled,
            amsgrad,
            maximize,
        } = *self;
        let step = step as f64;
        Constants {
            slope: Slope::new(maximize, if decoupled { 0. } else { weight_decay }),
            shrink: if decoupled { 1. - lr * weight_decay } else { 1. },
            beta1,
            beta2,
            eps,
            rate: lr / (1. - beta1.powf(step)),
            root: (1. - beta2.powf(step)).sqrt(),
            amsgrad,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let Constants {
            slope,
            shrink,
            beta1,
            beta2,
            eps,
            rate,
            root,
            ..
        } = *constants;
        let gradient = slope.at(parameter, gradient)?;
        let (mean, largest) = match state {
            [mean, square] => {
                average(mean, &gradient, beta1)?;
                average(square, &gradient.sqr()?, beta2)?;
                (mean, square)
            }
            [mean, square, largest] => {
                average(mean, &gradient, beta1)?;
                average(square, &gradient.sqr()?, beta2)?;
                *largest = largest.maximum(&*square)?;
                (mean, largest)
            }
            _ => return Err(candle_core::Error::Msg("Adam keeps two or three tensors".into())),
        };
        let denominator = ((largest.sqrt()? / root)? + eps)?;
        (parameter * shrink)? - ((&*mean / denominator)? * rate)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for amsgrad in [false, true] {
            for (weight_decay, decoupled_weight_decay) in [(0., false), (0.1, false), (0.1, true)] {
                for maximize in [false, true] {
                    assert_kernel_is_composite(&AdamConfig {
                        lr: 0.1,
                        betas: (0.7, 0.9),
                        weight_decay,
                        decoupled_weight_decay,
                        amsgrad,
                        maximize,
                        ..AdamConfig::default()
                    });
                }
            }
        }
    }
}
