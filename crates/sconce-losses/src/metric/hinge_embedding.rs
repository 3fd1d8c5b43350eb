//! Hinge embedding loss.

use crate::margin::positive_part;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "hinge_embedding";

/// Loss of distances between pairs that belong together, 1, or don't, −1.
///
/// l = x where y = 1, max(0, margin − x) where y = −1: distances are to be small, or at least the margin. The mean is over all
/// elements. PyTorch's default margin is 1. At the bend the gradient is 0. `input` gets its gradient, if it is tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape; `input` isn't of floating point; a target that is neither 1 nor −1, with its position
/// (PyTorch adds both losses for those); a tracked target; a margin that isn't finite.
///
/// # Source
/// Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006;
/// `torch.nn.functional.hinge_embedding_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, hinge_embedding};
/// let distances = Tensor::new(&[0.25f64, 0.25, 3.], &Device::Cpu)?;
/// let same = Tensor::new(&[1i64, -1, -1], &Device::Cpu)?;
/// let losses = hinge_embedding(&distances, &same, 1., Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [0.25, 0.75, 0.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn hinge_embedding(input: &Tensor, target: &Tensor, margin: f64, reduction: Reduction) -> Result<Tensor> {
    check::float(NAME, "input", input)?;
    check::finite(NAME, "margin", margin)?;
    let signs = check::signs(NAME, target, ("the input's shape", input.dims()), input)?;
    if let Some(loss) = widened(input, |wide| {
        hinge_embedding(&wide(input)?, target, margin, reduction)
    })? {
        return Ok(loss);
    }
    let losses = signs
        .gt(0.)?
        .where_cond(input, &positive_part(&(margin - input)?)?)?;
    let loss = reduction.composite(&losses, input.elem_count() as f64)?;
    graph::note(NAME, &[input], std::slice::from_ref(&loss));
    Ok(loss)
}
