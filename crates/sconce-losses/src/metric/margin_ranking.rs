//! Margin ranking loss.

use crate::margin::positive_part;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "margin_ranking";

/// Loss of pairs of scores of which the first is to be the larger, 1, or the smaller, −1.
///
/// l = max(0, margin − y·(a − b)). The mean is over all elements. PyTorch's default margin is 0. At the bend the gradient is 0.
/// Both scores get their gradient, if they are tracked.
///
/// # Shapes
/// `input1`, `input2`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// The arguments differ in shape, or the inputs in element type; these aren't of floating point; a target that is neither 1 nor
/// −1, with its position; a tracked target; a margin that isn't finite.
///
/// # Source
/// Herbrich, Graepel and Obermayer, "Large Margin Rank Boundaries for Ordinal Regression", 2000;
/// `torch.nn.functional.margin_ranking_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, margin_ranking};
/// let (a, b) = (Tensor::new(&[2f64, 2.], &Device::Cpu)?, Tensor::new(&[1f64, 1.], &Device::Cpu)?);
/// let larger = Tensor::new(&[1i64, -1], &Device::Cpu)?;
/// let losses = margin_ranking(&a, &b, &larger, 0.5, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [0., 1.5]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn margin_ranking(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    check::float(NAME, "input1", input1)?;
    check::like(NAME, "input2", input2, input1)?;
    check::finite(NAME, "margin", margin)?;
    let signs = check::signs(NAME, target, ("the inputs' shape", input1.dims()), input1)?;
    if let Some(loss) = widened(input1, |wide| {
        margin_ranking(&wide(input1)?, &wide(input2)?, target, margin, reduction)
    })? {
        return Ok(loss);
    }
    let losses = positive_part(&(((input2 - input1)? * signs)? + margin)?)?;
    let loss = reduction.composite(&losses, input1.elem_count() as f64)?;
    graph::note(NAME, &[input1, input2], std::slice::from_ref(&loss));
    Ok(loss)
}
