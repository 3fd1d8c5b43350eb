//! Focal loss of yes or no.

use crate::elementwise::{Elementwise, elementwise};
use crate::stable::{sigmoid, softplus_of};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::Error;

const NAME: &str = "sigmoid_focal";

/// Options of [`sigmoid_focal`]; the defaults are torchvision's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SigmoidFocalConfig {
    /// The weight of targets that are 1; of those that are 0 it is 1 − α. None counts both the same (torchvision's −1).
    pub alpha: Option<f64>,
    /// How much less a right prediction counts. At 0 nothing does, and the loss is binary cross-entropy.
    pub gamma: f64,
}

impl Default for SigmoidFocalConfig {
    fn default() -> Self {
        Self {
            alpha: Some(0.25),
            gamma: 2.,
        }
    }
}

/// Focal loss of logits of yes or no: binary cross-entropy, times how wrong the prediction is, to a power.
///
/// l = α_t·(1 − p_t)^γ·bce(x, t), where p_t = t·σ(x) + (1 − t)·(1 − σ(x)), α_t = α·t + (1 − α)·(1 − t), σ is the sigmoid and bce
/// is [`bce_with_logits`](crate::bce_with_logits()). 1 − p_t is computed without the difference, so that it keeps its digits for
/// sure predictions. The mean is over all elements. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a target that isn't between 0 and 1, with
/// its position; α isn't between 0 and 1; γ is negative or not finite.
///
/// # Source
/// Lin et al., "Focal Loss for Dense Object Detection", 2017; `torchvision.ops.sigmoid_focal_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, SigmoidFocalConfig, sigmoid_focal};
/// let logits = Tensor::new(&[0f64, 3., -1e4], &Device::Cpu)?;
/// let targets = Tensor::new(&[1f64, 1., 1.], &Device::Cpu)?;
/// let losses = sigmoid_focal(&logits, &targets, &SigmoidFocalConfig::default(), Reduction::None)?.to_vec1::<f64>()?;
/// assert_eq!(losses[0], 0.25 * 0.25 * 2f64.ln());
/// assert!(losses[1] < 1e-4); // nearly right: hardly counts
/// assert_eq!(losses[2], 0.25 * 1e4);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn sigmoid_focal(
    input: &Tensor,
    target: &Tensor,
    cfg: &SigmoidFocalConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::not_negative(NAME, "gamma", cfg.gamma)?;
    check::probabilities(NAME, "target", target)?;
    let mut losses = elementwise(SigmoidFocal { gamma: cfg.gamma }, [input, target])?;
    if let Some(alpha) = cfg.alpha {
        if !(0. ..=1.).contains(&alpha) {
            return Err(Error::config(NAME, "alpha", alpha, "between 0 and 1").into());
        }
        losses = (losses * target.affine(2. * alpha - 1., 1. - alpha)?)?;
    }
    reduction.composite(&losses, input.elem_count() as f64)
}

/// m^γ·c, where m = 1 − p_t and c is the cross-entropy.
struct SigmoidFocal {
    gamma: f64,
}

impl SigmoidFocal {
    /// c, m, σ(x) and σ(−x).
    fn parts(&self, [x, t]: &[Tensor; 2]) -> Result<[Tensor; 4]> {
        let no = (1. - t)?;
        let (yes, not) = (sigmoid(x)?, sigmoid(&x.neg()?)?);
        let entropy = ((t * softplus_of(&x.neg()?)?)? + (&no * softplus_of(x)?)?)?;
        let wrong = ((t * &not)? + (no * &yes)?)?;
        Ok([entropy, wrong, yes, not])
    }
}

impl Elementwise<2> for SigmoidFocal {
    const NAME: &'static str = NAME;

    fn value(&self, x: &[Tensor; 2]) -> Result<Tensor> {
        let [entropy, wrong, ..] = self.parts(x)?;
        wrong.powf(self.gamma)? * entropy
    }

    /// m^γ·(c′ + γ·m′·c/m). Where m is 0, so is m′, and c/m is bounded; m^(γ−1) would overflow before.
    fn slope(&self, x: &[Tensor; 2], i: usize) -> Result<Tensor> {
        let [entropy, wrong, yes, not] = self.parts(x)?;
        let [x, t] = x;
        let (by_entropy, by_wrong) = match i {
            // Not σ(x) − t, which cancels where the prediction is sure and right.
            0 => (
                ((1. - t)? * &yes)?.sub(&(t * &not)?)?,
                (t.affine(-2., 1.)? * (yes * not)?)?,
            ),
            _ => (x.neg()?, (not - yes)?),
        };
        let by_power = ((entropy / &wrong)? * (by_wrong * self.gamma)?)?;
        let by_power = wrong.eq(0.)?.where_cond(&by_power.zeros_like()?, &by_power)?;
        wrong.powf(self.gamma)? * (by_entropy + by_power)?
    }
}
