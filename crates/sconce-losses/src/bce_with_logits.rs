//! Binary cross-entropy of logits.

mod fused;

use crate::stable::softplus;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, graph, widened};

const NAME: &str = "bce_with_logits";

/// Options of [`bce_with_logits`].
#[derive(Debug, Clone, Default)]
pub struct BceWithLogitsConfig {
    /// Factors of the losses, of any shape that broadcasts to theirs, such as `[batch, 1]`. None counts all the same.
    pub weight: Option<Tensor>,
    /// Factors of the positive terms, of any shape that broadcasts to the losses', such as `[classes]`: above 1 they favour
    /// recall, below 1 precision. None is 1.
    pub pos_weight: Option<Tensor>,
}

/// Binary cross-entropy between logits and targets.
///
/// l = −w·(p·t·ln σ(x) + (1 − t)·ln(1 − σ(x))), where σ is the sigmoid and p is `pos_weight`. It is computed as
/// w·(p·t·s(−x) + (1 − t)·s(x)) with s(x) = ln(1 + eˣ), in which nothing overflows or cancels, however sure the prediction. The
/// mean is over all elements, whatever the weights. All arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a weight of another type, or that doesn't
/// broadcast.
///
/// # Source
/// `torch.nn.functional.binary_cross_entropy_with_logits`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{BceWithLogitsConfig, Reduction, bce_with_logits};
/// let logits = Tensor::new(&[0f64, 1000., -1000.], &Device::Cpu)?;
/// let targets = Tensor::new(&[1f64, 1., 1.], &Device::Cpu)?;
/// let losses = bce_with_logits(&logits, &targets, &BceWithLogitsConfig::default(), Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln(), 0., 1000.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn bce_with_logits(
    input: &Tensor,
    target: &Tensor,
    cfg: &BceWithLogitsConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    for (argument, weight) in [("weight", &cfg.weight), ("pos_weight", &cfg.pos_weight)] {
        if let Some(weight) = weight {
            check::broadcast(NAME, argument, weight, input)?;
        }
    }
    let weights = cfg.weight.iter().chain(&cfg.pos_weight);
    if [input, target].into_iter().chain(weights).all(has_kernel) {
        return dispatch_real!(input, fused::bce_with_logits(input, target, cfg, reduction));
    }
    let of_half = widened(input, |wide| {
        let cfg = BceWithLogitsConfig {
            weight: cfg.weight.as_ref().map(wide).transpose()?,
            pos_weight: cfg.pos_weight.as_ref().map(wide).transpose()?,
        };
        bce_with_logits(&wide(input)?, &wide(target)?, &cfg, reduction)
    })?;
    if let Some(loss) = of_half {
        return Ok(loss);
    }
    let loss = composite(input, target, cfg, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// The same from candle operations.
fn composite(
    input: &Tensor,
    target: &Tensor,
    cfg: &BceWithLogitsConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let mut positive = (target * softplus(&input.neg()?)?)?;
    if let Some(weight) = &cfg.pos_weight {
        positive = positive.broadcast_mul(weight)?;
    }
    let mut losses = (positive + ((1. - target)? * softplus(input)?)?)?;
    if let Some(weight) = &cfg.weight {
        losses = losses.broadcast_mul(weight)?;
    }
    reduction.composite(&losses, input.elem_count() as f64)
}

#[cfg(test)]
mod tests;
