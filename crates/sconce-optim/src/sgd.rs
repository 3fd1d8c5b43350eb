//! Stochastic gradient descent, with momentum.

use crate::engine::{Engine, NUMBERS, Rule, Slope, check_not_negative, optimizer, scheduled};
use candle_core::Tensor;
use sconce_core::{Error, Result};
use std::fmt::Display;

/// Options of [`Sgd`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ: how much of the last direction is kept.
    pub momentum: f64,
    /// Dampening τ: how much of the gradient is left out of the direction, from the second step on.
    pub dampening: f64,
    /// Weight decay λ, added to the gradient as λ·θ.
    pub weight_decay: f64,
    /// Nesterov momentum: look one step ahead along the direction.
    pub nesterov: bool,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            momentum: 0.,
            dampening: 0.,
            weight_decay: 0.,
            nesterov: false,
            maximize: false,
        }
    }
}

/// Stochastic gradient descent, with momentum if asked for.
///
/// g ← ±∂L/∂θ + λθ, b ← μb + (1 − τ)g (at first b ← g), θ ← θ − ηb; with Nesterov's momentum θ ← θ − η(g + μb), without
/// momentum θ ← θ − ηg.
///
/// # Parameters
/// State, with momentum: `momentum_buffer` (b), of the parameter's shape.
///
/// # Errors
/// `new`: `lr`, `momentum` or `weight_decay` is negative, `dampening` isn't finite; `nesterov` without momentum or with
/// dampening.
///
/// # Source
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013; `torch.optim.SGD`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Optimize, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut sgd = Sgd::new(&SgdConfig { lr: 1., momentum: 0.9, ..SgdConfig::default() }, &store)?;
/// for expected in [-1., -2.9, -5.61] {
///     sgd.step(&backward(&w.tensor().sum_all()?, &store)?)?;
///     assert!((w.value().to_vec1::<f64>()?[0] - expected).abs() < 1e-12);
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Sgd(Engine<SgdConfig>);

optimizer!(Sgd, SgdConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) lr: f64,
    pub(crate) slope: Slope,
    pub(crate) momentum: Option<Momentum>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Momentum {
    /// How much of the buffer is kept.
    pub(crate) keep: f64,
    /// How much of the gradient is added to it.
    pub(crate) add: f64,
    /// How much of the buffer is added to the gradient; without it the buffer itself is the direction.
    pub(crate) ahead: Option<f64>,
}

impl Rule for SgdConfig {
    type Constants = Constants;
    const NAME: &'static str = "Sgd";
    const COUNTS_STEPS: bool = false;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("momentum", self.momentum),
                ("weight_decay", self.weight_decay),
            ],
        )?;
        let refuse =
            |field, value: &dyn Display, expected| Err(Error::config(Self::NAME, field, value, expected));
        match self {
            Self { dampening, .. } if !dampening.is_finite() => {
                refuse("dampening", dampening, "a finite number")
            }
            Self { nesterov: false, .. } => Ok(()),
            Self { momentum: 0., .. } => refuse("nesterov", &true, "false, or a momentum above 0"),
            Self { dampening, .. } if *dampening != 0. => refuse("dampening", dampening, "0 with nesterov"),
            _ => Ok(()),
        }
    }

    scheduled!(momentum);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        if self.momentum == 0. {
            &[]
        } else {
            &["momentum_buffer"]
        }
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let Self {
            lr,
            momentum,
            dampening,
            weight_decay,
            nesterov,
            maximize,
        } = *self;
        // The first step sets the buffer to the gradient, whatever the dampening.
        let (keep, add) = if step == 1 {
            (0., 1.)
        } else {
            (momentum, 1. - dampening)
        };
        Constants {
            lr,
            slope: Slope::new(maximize, weight_decay),
            momentum: (momentum != 0.).then_some(Momentum {
                keep,
                add,
                ahead: nesterov.then_some(momentum),
            }),
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let mut direction = constants.slope.at(parameter, gradient)?;
        if let (Some(momentum), [buffer]) = (constants.momentum, state) {
            *buffer = ((&*buffer * momentum.keep)? + (&direction * momentum.add)?)?;
            direction = match momentum.ahead {
                Some(ahead) => (direction + (&*buffer * ahead)?)?,
                None => buffer.clone(),
            };
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
        for (momentum, dampening, nesterov) in [
            (0., 0., false),
            (0.9, 0., false),
            (0.9, 0.3, false),
            (0.9, 0., true),
        ] {
            for (weight_decay, maximize) in [(0., false), (0.1, false), (0.1, true)] {
                assert_kernel_is_composite(&SgdConfig {
                    lr: 0.1,
                    momentum,
                    dampening,
                    weight_decay,
                    nesterov,
                    maximize,
                });
            }
        }
    }
}
