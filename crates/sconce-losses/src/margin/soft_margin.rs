//! Soft margin loss.

use crate::stable::softplus;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{graph, widened};

const NAME: &str = "soft_margin";

/// Logistic loss of scores for two classes, called 1 and −1: the hinge loss without a bend.
///
/// l = ln(1 + e^(−y·x)). The mean is over all elements. A sure mistake's loss is −y·x, where PyTorch's overflows to infinity and
/// its gradient to NaN. `input` gets its gradient, if it is tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape; `input` isn't of floating point; a target that is neither 1 nor −1, with its position; a
/// tracked target.
///
/// # Source
/// `torch.nn.functional.soft_margin_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, soft_margin};
/// let scores = Tensor::new(&[0f64, 1e4, -1e4], &Device::Cpu)?;
/// let classes = Tensor::new(&[1i64, 1, 1], &Device::Cpu)?;
/// let losses = soft_margin(&scores, &classes, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln(), 0., 1e4]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn soft_margin(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::float(NAME, "input", input)?;
    let signs = check::signs(NAME, target, ("the input's shape", input.dims()), input)?;
    if let Some(loss) = widened(input, |wide| soft_margin(&wide(input)?, target, reduction))? {
        return Ok(loss);
    }
    let losses = softplus(&(input * signs.neg()?)?)?;
    let loss = reduction.composite(&losses, input.elem_count() as f64)?;
    graph::note(NAME, &[input], std::slice::from_ref(&loss));
    Ok(loss)
}
