//! Rprop: steps by the gradient's sign alone.

use crate::engine::{Engine, NUMBERS, Rule, Slope, check_not_negative, optimizer, scheduled, sign};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// Options of [`Rprop`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RpropConfig {
    /// Every element's first step, η.
    pub lr: f64,
    /// The factors on an element's step where the gradient turned round, below 1, and where it didn't, above 1.
    pub etas: (f64, f64),
    /// The least and the largest step.
    pub step_sizes: (f64, f64),
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for RpropConfig {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            etas: (0.5, 1.2),
            step_sizes: (1e-6, 50.),
            maximize: false,
        }
    }
}

/// Rprop: every element has a step of its own, which grows while its gradient keeps its sign and shrinks when it turns. It is
/// for whole batches: noise turns signs round.
///
/// g ← ±∂L/∂θ, s ← clamp(s·η⁺ where g·p > 0, s·η⁻ where g·p < 0, s elsewhere); g ← 0 where g·p < 0; θ ← θ − s·sign(g), p ← g.
///
/// A learning rate that is set later has no effect on parameters that have taken a step, as in PyTorch. A gradient that is
/// NaN makes its parameter so; PyTorch passes over it in silence.
///
/// # Parameters
/// State, of the parameter's shape: `prev` (p), `step_size` (s); `step`.
///
/// # Errors
/// `new`: not 0 < η⁻ < 1 < η⁺; `lr` or a step size is negative or not finite; the least step is above the largest.
///
/// # Source
/// Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", 1993;
/// `torch.optim.Rprop`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Rprop, RpropConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut rule = Rprop::new(&RpropConfig::default(), &store)?;
/// for step in [1e-2, 1.2e-2] {
///     let before = w.value().to_vec1::<f64>()?[0];
///     rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
///     assert!((before - w.value().to_vec1::<f64>()?[0] - step).abs() < 1e-12);
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Rprop(Engine<RpropConfig>);

optimizer!(Rprop, RpropConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub(crate) slope: Slope,
    pub(crate) etas: (f64, f64),
    pub(crate) step_sizes: (f64, f64),
}

impl Rule for RpropConfig {
    type Constants = Constants;
    const NAME: &'static str = "Rprop";
    const COUNTS_STEPS: bool = true;

    fn check(&self) -> Result<()> {
        let ((minus, plus), (least, largest)) = (self.etas, self.step_sizes);
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("step_sizes.0", least),
                ("step_sizes.1", largest),
            ],
        )?;
        if !(minus > 0. && minus < 1. && plus > 1. && plus.is_finite()) {
            let expected = "one between 0 and 1, and one above 1";
            return Err(Error::config(
                Self::NAME,
                "etas",
                format!("({minus}, {plus})"),
                expected,
            ));
        }
        if least > largest {
            let value = format!("({least}, {largest})");
            return Err(Error::config(
                Self::NAME,
                "step_sizes",
                value,
                "the smaller first",
            ));
        }
        Ok(())
    }

    scheduled!();

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["prev", "step_size"]
    }

    fn initial_state(&self, index: usize) -> f64 {
        if index == 1 { self.lr } else { 0. }
    }

    fn constants(&self, _step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        Constants {
            slope: Slope::new(self.maximize, 0.),
            etas: self.etas,
            step_sizes: self.step_sizes,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [last, size] = state else {
            return Err(candle_core::Error::Msg("Rprop keeps two tensors".into()));
        };
        let gradient = constants.slope.at(parameter, gradient)?;
        let product = (&gradient * &*last)?;
        let fill = |value: f64| product.ones_like()? * value;
        let (kept, turned) = (product.gt(0.)?, product.lt(0.)?);
        let factor = kept.where_cond(&fill(constants.etas.1)?, &fill(1.)?)?;
        let factor = turned.where_cond(&fill(constants.etas.0)?, &factor)?;
        *size = (&*size * factor)?.clamp(constants.step_sizes.0, constants.step_sizes.1)?;
        *last = turned.where_cond(&fill(0.)?, &gradient)?;
        parameter - (sign(last)? * &*size)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{assert_kernel_is_composite, assert_nan_shows};

    #[test]
    fn kernel_is_composite() {
        for maximize in [false, true] {
            assert_kernel_is_composite(&RpropConfig {
                lr: 0.1,
                step_sizes: (0.06, 0.13),
                maximize,
                ..RpropConfig::default()
            });
        }
    }

    #[test]
    fn a_gradient_that_is_no_number_shows() {
        assert_nan_shows(&RpropConfig::default());
    }
}
