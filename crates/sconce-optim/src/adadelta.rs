//! AdaDelta.

use crate::engine::{Engine, NUMBERS, Rule, Slope, average, check_not_negative, optimizer, scheduled};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// Options of [`Adadelta`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdadeltaConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate ρ of the running averages, from 0 to 1.
    pub rho: f64,
    /// Added within both roots.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AdadeltaConfig {
    fn default() -> Self {
        Self {
            lr: 1.,
            rho: 0.9,
            eps: 1e-6,
            weight_decay: 0.,
            maximize: false,
        }
    }
}

/// AdaDelta: steps in the parameter's own unit, from the sizes of the last ones.
///
/// g ← ±∂L/∂θ + λθ, v ← ρv + (1 − ρ)g², d = √(u + ε) / √(v + ε) · g, u ← ρu + (1 − ρ)d², θ ← θ − ηd.
///
/// # Parameters
/// State, of the parameter's shape: `square_avg` (v), `acc_delta` (u); `step`.
///
/// # Errors
/// `new`: an option is negative or not finite, or `rho` is above 1.
///
/// # Source
/// Zeiler, "ADADELTA: an adaptive learning rate method", 2012; `torch.optim.Adadelta`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Adadelta, AdadeltaConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = Adadelta::new(&AdadeltaConfig { rho: 0.75, ..AdadeltaConfig::default() }, &store)?;
/// // With no steps yet, the first is √ε over √(1 − ρ), whatever the gradient's size.
/// rule.step(&backward(&(w.tensor() * 70.)?.sum_all()?, &store)?)?;
/// assert!((w.value().to_vec1::<f64>()?[0] + 0.002).abs() < 1e-8);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Adadelta(Engine<AdadeltaConfig>);

optimizer!(Adadelta, AdadeltaConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    pub(crate) lr: f64,
    pub(crate) rho: f64,
    pub(crate) eps: f64,
}

impl Rule for AdadeltaConfig {
    type Constants = Constants;
    const NAME: &'static str = "Adadelta";
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
        match (0. ..=1.).contains(&self.rho) {
            true => Ok(()),
            false => Err(Error::config(Self::NAME, "rho", self.rho, "between 0 and 1")),
        }
    }

    scheduled!();

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["square_avg", "acc_delta"]
    }

    fn constants(&self, _step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        Constants {
            slope: Slope::new(self.maximize, self.weight_decay),
            lr: self.lr,
            rho: self.rho,
            eps: self.eps,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [square, steps] = state else {
            return Err(candle_core::Error::Msg("Adadelta keeps two tensors".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        average(square, &gradient.sqr()?, constants.rho)?;
        let size = ((&*steps + constants.eps)?.sqrt()? / (&*square + constants.eps)?.sqrt()?)?;
        let direction = (size * gradient)?;
        average(steps, &direction.sqr()?, constants.rho)?;
        parameter - (direction * constants.lr)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
            assert_kernel_is_composite(&AdadeltaConfig {
                rho: 0.7,
                eps: 1e-2,
                weight_decay,
                maximize,
                ..AdadeltaConfig::default()
            });
        }
    }
}
