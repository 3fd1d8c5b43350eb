//! Focal loss of classes.

use crate::elementwise::{Elementwise, elementwise};
use crate::rows::Rows;
use crate::stable::exp_m1;
use crate::{CrossEntropyConfig, Reduction, check, cross_entropy_with};
use candle_core::{Result, Tensor};
use sconce_core::widened;

const NAME: &str = "softmax_focal";

/// Options of [`softmax_focal`].
#[derive(Debug, Clone)]
pub struct SoftmaxFocalConfig {
    /// A weight a class, at least 0: `[classes]`, the paper's α. None counts all the same.
    pub weight: Option<Tensor>,
    /// How much less a right prediction counts. At 0 nothing does, and the loss is cross-entropy.
    pub gamma: f64,
    /// Rows with this target count for nothing. It may be a class or no class at all.
    pub ignore_index: i64,
}

impl Default for SoftmaxFocalConfig {
    fn default() -> Self {
        Self {
            weight: None,
            gamma: 2.,
            ignore_index: -100,
        }
    }
}

/// Focal loss of logits of classes: cross-entropy, times how wrong the prediction is, to a power.
///
/// l = −w\[t\]·(1 − p\[t\])^γ·ln p\[t\], where p = softmax(x). The mean is Σ l / Σ w\[t\] over the rows that count, as of
/// [`cross_entropy_with`]; if none does, it is NaN. `logits` get their gradient, if they are tracked.
///
/// # Shapes
/// `logits`: `[batch, classes, *positions]` or `[classes]`; `targets`: the same without `classes`, of type `u8`, `u32` or `i64`;
/// output: like `targets` with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a target that is no class, with its position and value; a weight that is negative,
/// not finite or tracked, or another number of them than classes; γ is negative or not finite.
///
/// # Source
/// Lin et al., "Focal Loss for Dense Object Detection", 2017
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, SoftmaxFocalConfig, softmax_focal};
/// let logits = Tensor::new(&[[0f64, 0.], [5., 0.]], &Device::Cpu)?;
/// let targets = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let losses = softmax_focal(&logits, &targets, &SoftmaxFocalConfig::default(), Reduction::None)?.to_vec1::<f64>()?;
/// assert!((losses[0] - 0.25 * 2f64.ln()).abs() < 1e-12);
/// assert!(losses[1] < 1e-6); // nearly right: hardly counts
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn softmax_focal(
    logits: &Tensor,
    targets: &Tensor,
    cfg: &SoftmaxFocalConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::float(NAME, "logits", logits)?;
    check::not_negative(NAME, "gamma", cfg.gamma)?;
    let rows = Rows::new(
        NAME,
        "logits",
        logits,
        targets,
        cfg.weight.as_ref(),
        cfg.ignore_index,
    )?;
    if let Some(loss) = widened(logits, |wide| {
        softmax_focal(&wide(logits)?, targets, cfg, reduction)
    })? {
        return Ok(loss);
    }
    let plain = CrossEntropyConfig {
        ignore_index: cfg.ignore_index,
        ..CrossEntropyConfig::default()
    };
    let entropy = cross_entropy_with(logits, targets, &plain, Reduction::None)?;
    let mut losses = elementwise(SoftmaxFocal { gamma: cfg.gamma }, [&entropy])?;
    if cfg.weight.is_some() {
        let weights = rows.targets.iter().map(|t| t.map_or(0., |t| rows.weight(t)));
        let weights = Tensor::from_vec(weights.collect::<Vec<_>>(), losses.dims(), losses.device())?;
        losses = (losses * weights.to_dtype(logits.dtype())?)?;
    }
    reduction.composite(&losses, rows.count())
}

/// c·(1 − e^−c)^γ of a cross-entropy c = −ln p.
struct SoftmaxFocal {
    gamma: f64,
}

/// m = 1 − p, with its digits where p is near 1.
fn wrong(c: &Tensor) -> Result<Tensor> {
    exp_m1(&c.neg()?)?.neg()
}

impl Elementwise<1> for SoftmaxFocal {
    const NAME: &'static str = NAME;

    fn value(&self, [c]: &[Tensor; 1]) -> Result<Tensor> {
        c * wrong(c)?.powf(self.gamma)?
    }

    /// m^γ·(1 + γ·p·c/m), where c/m is 1 at 0 and p·c is 0 at infinity.
    fn slope(&self, [c]: &[Tensor; 1], _: usize) -> Result<Tensor> {
        let m = wrong(c)?;
        let finite = c.minimum(1e4)?;
        let ratio = m.eq(0.)?.where_cond(&c.ones_like()?, &(&finite / &m)?)?;
        let by_power = ((finite.neg()?.exp()? * ratio)? * self.gamma)?;
        m.powf(self.gamma)? * (by_power + 1.)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// 1 − p keeps its digits where p is near 1, also where p is 1 to the type.
    #[test]
    fn tiny_entropies_keep_their_digits() {
        let entropies = [0f64, 1e-20, 1e-9, 0.3, 5.];
        for gamma in [0., 0.5, 2.] {
            let x = Var::new(&entropies, &Device::Cpu).unwrap();
            let losses = elementwise(SoftmaxFocal { gamma }, [&x]).unwrap();
            let slopes = losses.sum_all().unwrap().backward().unwrap().remove(&x).unwrap();
            let (losses, slopes) = (losses.to_vec1::<f64>().unwrap(), slopes.to_vec1::<f64>().unwrap());
            for ((c, loss), slope) in entropies.into_iter().zip(losses).zip(slopes) {
                let wrong = -(-c).exp_m1();
                let near = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-14 * b.abs();
                assert!(near(loss, c * wrong.powf(gamma)), "{gamma} {c}: {loss}");
                let share = if c == 0. { 1. } else { c / wrong };
                let expected = wrong.powf(gamma) * (1. + gamma * (-c).exp() * share);
                assert!(near(slope, expected), "{gamma} {c}: {slope}, not {expected}");
            }
        }
    }
}
