//! Dice loss.

use super::overlap::{Overlap, checked};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "dice";

/// Options of [`dice`]; the defaults are MONAI's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiceConfig {
    /// Added above and below the fraction, so that nothing predicted where there is nothing is right.
    pub smooth: f64,
    /// Whether sizes are sums of squares, as in V-Net's paper.
    pub squared: bool,
    /// Whether a class's regions in all samples count as one.
    pub batch: bool,
}

impl Default for DiceConfig {
    fn default() -> Self {
        Self {
            smooth: 1e-5,
            squared: false,
            batch: false,
        }
    }
}

/// One less the overlap of predicted and actual regions, by Dice's coefficient (the F1 score of soft masks).
///
/// l = 1 − (2·Σ x·t + s)/(Σ x + Σ t + s) over the positions, for each sample and class; x are probabilities, and s is `smooth`.
/// The mean is over samples and classes. However small a region is, it counts as much as a large one. Both arguments get their
/// gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: `[batch, classes, *positions]`, the same; output: `[batch, classes]` with [`Reduction::None`], `[classes]`
/// if `batch` is set, else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, aren't of floating point, or lack axes; a value that isn't between 0 and
/// 1, with its position; `smooth` is negative or not finite.
///
/// # Source
/// Milletari, Navab and Ahmadi, "V-Net", 2016; `monai.losses.DiceLoss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{DiceConfig, Reduction, dice};
/// let predicted = Tensor::new(&[[[1f64, 1., 0., 0.]]], &Device::Cpu)?;
/// let actual = Tensor::new(&[[[0f64, 1., 1., 0.]]], &Device::Cpu)?;
/// let cfg = DiceConfig { smooth: 0., ..DiceConfig::default() };
/// assert_eq!(dice(&predicted, &actual, &cfg, Reduction::Mean)?.to_scalar::<f64>()?, 0.5);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn dice(input: &Tensor, target: &Tensor, cfg: &DiceConfig, reduction: Reduction) -> Result<Tensor> {
    checked(NAME, input, target)?;
    check::not_negative(NAME, "smooth", cfg.smooth)?;
    if let Some(loss) = widened(input, |wide| dice(&wide(input)?, &wide(target)?, cfg, reduction))? {
        return Ok(loss);
    }
    let overlap = Overlap::of(input, target, cfg.squared, cfg.batch)?;
    let sizes = ((overlap.predicted + overlap.actual)? + cfg.smooth)?;
    let losses = (1. - (overlap.both.affine(2., cfg.smooth)? / sizes)?)?;
    let loss = reduction.composite(&losses, losses.elem_count() as f64)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}
