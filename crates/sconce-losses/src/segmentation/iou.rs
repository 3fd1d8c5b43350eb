//! Loss of intersection over union.

use super::overlap::{Overlap, checked};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "iou";

/// Options of [`iou`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IouConfig {
    /// Added above and below the fraction, so that nothing predicted where there is nothing is right.
    pub smooth: f64,
    /// Whether a class's regions in all samples count as one.
    pub batch: bool,
}

impl Default for IouConfig {
    fn default() -> Self {
        Self {
            smooth: 1e-5,
            batch: false,
        }
    }
}

/// One less the intersection over the union of predicted and actual regions (the Jaccard index of soft masks).
///
/// l = 1 − (I + s)/(Σ x + Σ t − I + s) with I = Σ x·t over the positions, for each sample and class; x are probabilities, and s is
/// `smooth`. The mean is over samples and classes. With hard masks it is 1 − IoU exactly. Both arguments get their gradient, if
/// they are tracked.
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
/// Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation", 2016
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{IouConfig, Reduction, iou};
/// let predicted = Tensor::new(&[[[1f64, 1., 0., 0.]]], &Device::Cpu)?;
/// let actual = Tensor::new(&[[[0f64, 1., 1., 0.]]], &Device::Cpu)?;
/// let cfg = IouConfig { smooth: 0., ..IouConfig::default() };
/// let loss = iou(&predicted, &actual, &cfg, Reduction::Mean)?.to_scalar::<f64>()?;
/// assert!((loss - 2. / 3.).abs() < 1e-12);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn iou(input: &Tensor, target: &Tensor, cfg: &IouConfig, reduction: Reduction) -> Result<Tensor> {
    checked(NAME, input, target)?;
    check::not_negative(NAME, "smooth", cfg.smooth)?;
    if let Some(loss) = widened(input, |wide| iou(&wide(input)?, &wide(target)?, cfg, reduction))? {
        return Ok(loss);
    }
    let Overlap {
        both,
        predicted,
        actual,
    } = Overlap::of(input, target, false, cfg.batch)?;
    let union = (((predicted + actual)? - &both)? + cfg.smooth)?;
    let losses = (1. - ((both + cfg.smooth)? / union)?)?;
    let loss = reduction.composite(&losses, losses.elem_count() as f64)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}
