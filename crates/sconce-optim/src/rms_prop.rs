//! RMSProp, plain, centred and with momentum.

use crate::engine::{Engine, NUMBERS, Rule, Slope, average, check_not_negative, optimizer, scheduled};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// Options of [`RmsProp`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate α of the running averages, from 0 to 1.
    pub alpha: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Momentum μ: how much of the last direction is kept.
    pub momentum: f64,
    /// Divide by an estimate of the gradient's standard deviation, not by its root mean square.
    pub centered: bool,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.,
            momentum: 0.,
            centered: false,
            maximize: false,
        }
    }
}

/// RMSProp: the gradient over a running root mean square of itself.
///
/// g ← ±∂L/∂θ + λθ, v ← αv + (1 − α)g², d = g / (√v + ε), θ ← θ − ηd. Centred: m ← αm + (1 − α)g, and v − m² stands in v's
/// place. With momentum: b ← μb + d stands in d's.
///
/// Rounding can make v − m² negative where the gradient is constant; here it is then 0 (PyTorch's root of it is NaN).
///
/// # Parameters
/// State, of the parameter's shape: `square_avg` (v), with momentum `momentum_buffer` (b), if centred `grad_avg` (m); `step`.
///
/// # Errors
/// `new`: an option is negative or not finite, or `alpha` is above 1.
///
/// # Source
/// Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012; Graves, "Generating sequences with recurrent neural networks", 2013
/// (centred); `torch.optim.RMSprop`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Optimize, RmsProp, RmsPropConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = RmsProp::new(&RmsPropConfig { alpha: 0.75, ..RmsPropConfig::default() }, &store)?;
/// // The average starts at 0, so the first step is 1/√(1 − α) = 2 learning rates long.
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// assert!((w.value().to_vec1::<f64>()?[0] + 0.02).abs() < 1e-9);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct RmsProp(Engine<RmsPropConfig>);

optimizer!(RmsProp, RmsPropConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    pub(crate) lr: f64,
    pub(crate) alpha: f64,
    pub(crate) eps: f64,
    pub(crate) momentum: Option<f64>,
    pub(crate) centered: bool,
}

impl Rule for RmsPropConfig {
    type Constants = Constants;
    const NAME: &'static str = "RmsProp";
    const COUNTS_STEPS: bool = true;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("eps", self.eps),
                ("weight_decay", self.weight_decay),
                ("momentum", self.momentum),
            ],
        )?;
        match (0. ..=1.).contains(&self.alpha) {
            true => Ok(()),
            false => Err(Error::config(Self::NAME, "alpha", self.alpha, "between 0 and 1")),
        }
    }

    scheduled!(momentum);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        match (self.momentum > 0., self.centered) {
            (false, false) => &["square_avg"],
            (true, false) => &["square_avg", "momentum_buffer"],
            (false, true) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "grad_avg", "momentum_buffer"],
        }
    }

    fn constants(&self, _step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        Constants {
            slope: Slope::new(self.maximize, self.weight_decay),
            lr: self.lr,
            alpha: self.alpha,
            eps: self.eps,
            momentum: (self.momentum > 0.).then_some(self.momentum),
            centered: self.centered,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let gradient = constants.slope.at(parameter, gradient)?;
        let Some((square, rest)) = state.split_first_mut() else {
            return Err(candle_core::Error::Msg("RmsProp keeps a tensor at least".into()));
        };
        average(square, &gradient.sqr()?, constants.alpha)?;
        let variance = match rest.first_mut() {
            Some(mean) if constants.centered => {
                average(mean, &gradient, constants.alpha)?;
                (&*square - mean.sqr()?)?.relu()?
            }
            _ => square.clone(),
        };
        let mut direction = (gradient / (variance.sqrt()? + constants.eps)?)?;
        if let (Some(momentum), Some(buffer)) = (constants.momentum, rest.last_mut()) {
            *buffer = ((&*buffer * momentum)? + direction)?;
            direction = buffer.clone();
        }
        parameter - (direction * constants.lr)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite;

    #[test]
    fn kernel_is_composite() {
        for (momentum, centered) in [(0., false), (0., true), (0.7, false), (0.7, true)] {
            for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
                assert_kernel_is_composite(&RmsPropConfig {
                    lr: 0.1,
                    alpha: 0.8,
                    eps: 1e-3,
                    weight_decay,
                    momentum,
                    centered,
                    maximize,
                });
            }
        }
    }
}
