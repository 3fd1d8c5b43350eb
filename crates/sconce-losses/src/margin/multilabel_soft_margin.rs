//! Multi-label soft margin loss.

use crate::stable::softplus;
use crate::{Reduction, check};
use candle_core::{D, Result, Tensor};
use sconce_core::{Error, graph, widened};

const NAME: &str = "multilabel_soft_margin";

/// Binary cross-entropy of the logits of several classes, each of which may be right, as one loss a row.
///
/// l = −1/K · Σ_c w\[c\]·(t\[c\]·ln σ(x\[c\]) + (1 − t\[c\])·ln(1 − σ(x\[c\]))), where K is the number of classes and σ the sigmoid,
/// computed as in [`bce_with_logits`](crate::bce_with_logits()). The mean is over the rows. All arguments get their gradient, if
/// they are tracked.
///
/// # Shapes
/// `input`, `target`: `[*, classes]`, the same; `weight`: one that broadcasts to that, as `[classes]`; output: `[*]` with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, aren't of floating point, or have no axis of at least one class; a
/// weight of another type, or that doesn't broadcast.
///
/// # Source
/// `torch.nn.functional.multilabel_soft_margin_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, multilabel_soft_margin};
/// let logits = Tensor::new(&[[0f64, 1e4, -1e4]], &Device::Cpu)?;
/// let targets = Tensor::new(&[[1f64, 1., 0.]], &Device::Cpu)?;
/// let losses = multilabel_soft_margin(&logits, &targets, None, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln() / 3.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn multilabel_soft_margin(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    let Some(classes @ (1..)) = input.dims().last().copied() else {
        let expected = "[*, classes], at least one class";
        return Err(Error::shape(NAME, "input", expected, input.dims()).into());
    };
    if let Some(weight) = weight {
        check::broadcast(NAME, "weight", weight, input)?;
    }
    if let Some(loss) = widened(input, |wide| {
        let weight = weight.map(wide).transpose()?;
        multilabel_soft_margin(&wide(input)?, &wide(target)?, weight.as_ref(), reduction)
    })? {
        return Ok(loss);
    }
    let positive = (target * softplus(&input.neg()?)?)?;
    let mut losses = (positive + ((1. - target)? * softplus(input)?)?)?;
    if let Some(weight) = weight {
        losses = losses.broadcast_mul(weight)?;
    }
    let losses = (losses.sum(D::Minus1)? / classes as f64)?;
    let loss = reduction.composite(&losses, losses.elem_count() as f64)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}
