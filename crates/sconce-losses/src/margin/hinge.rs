//! Hinge loss.

use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "hinge";

/// Hinge loss of scores for two classes, called 1 and −1: the support vector machine's.
///
/// l = max(0, 1 − y·x): nothing once the score is on the right side by a margin of 1. The mean is over all elements. At the bend
/// the gradient is 0. `input` gets its gradient, if it is tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape; `input` isn't of floating point; a target that is neither 1 nor −1, with its position; a
/// tracked target.
///
/// # Source
/// Cortes and Vapnik, "Support-Vector Networks", 1995
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, hinge};
/// let scores = Tensor::new(&[2f64, 0.5, -3.], &Device::Cpu)?;
/// let classes = Tensor::new(&[1i64, 1, 1], &Device::Cpu)?;
/// assert_eq!(hinge(&scores, &classes, Reduction::None)?.to_vec1::<f64>()?, [0., 0.5, 4.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn hinge(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::float(NAME, "input", input)?;
    let signs = check::signs(NAME, target, ("the input's shape", input.dims()), input)?;
    if let Some(loss) = widened(input, |wide| hinge(&wide(input)?, target, reduction))? {
        return Ok(loss);
    }
    let losses = positive_part(&(1. - (input * signs)?)?)?;
    let loss = reduction.composite(&losses, input.elem_count() as f64)?;
    graph::note(NAME, &[input], std::slice::from_ref(&loss));
    Ok(loss)
}

/// max(0, z), whose slope at 0 is 0, as PyTorch's `clamp_min` has it. NaN stays.
pub(crate) fn positive_part(z: &Tensor) -> Result<Tensor> {
    z.le(0.)?.where_cond(&z.zeros_like()?, z)
}
