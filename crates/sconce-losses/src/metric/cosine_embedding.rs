//! Cosine embedding loss.

use crate::margin::positive_part;
use crate::{Reduction, check};
use candle_core::{D, Result, Tensor};
use sconce_core::{Error, graph, widened};

const NAME: &str = "cosine_embedding";

/// What PyTorch adds to both squared lengths: a constant that it holds in single precision.
const EPS: f64 = 1e-12_f32 as f64;

/// Loss of the angle between pairs of vectors that belong together, 1, or don't, −1.
///
/// l = 1 − cos where y = 1, max(0, cos − margin) where y = −1, with cos = a·b / √((a·a + 10⁻¹²)·(b·b + 10⁻¹²)), so that the
/// cosine with a vector of zeros is 0. The mean is over the rows. PyTorch's default margin is 0; between −1 and 1 makes sense. At
/// the bend the gradient is 0. Both inputs get their gradient, if they are tracked.
///
/// # Shapes
/// `input1`, `input2`: `[batch, features]` or `[features]`, the same; `target`: `[batch]` or a scalar; output: like `target` with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes other than these; inputs that differ in element type or aren't of floating point; a target that is neither 1 nor −1,
/// with its position (PyTorch counts those for nothing); a tracked target; a margin that isn't finite.
///
/// # Source
/// `torch.nn.functional.cosine_embedding_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, cosine_embedding};
/// let a = Tensor::new(&[[1f64, 0.], [1., 0.]], &Device::Cpu)?;
/// let b = Tensor::new(&[[0f64, 2.], [3., 0.]], &Device::Cpu)?;
/// let same = Tensor::new(&[1i64, -1], &Device::Cpu)?;
/// let losses = cosine_embedding(&a, &b, &same, 0., Reduction::None)?.to_vec1::<f64>()?;
/// assert!(losses[0] == 1. && (losses[1] - 1.).abs() < 1e-11);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn cosine_embedding(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    check::float(NAME, "input1", input1)?;
    let (batch, axes) = match input1.dims() {
        [_] => (&[][..], "no axis"),
        [batch, _] => (std::slice::from_ref(batch), "[batch]"),
        dims => {
            let expected = "[batch, features] or [features]";
            return Err(Error::shape(NAME, "input1", expected, dims).into());
        }
    };
    check::like(NAME, "input2", input2, input1)?;
    check::finite(NAME, "margin", margin)?;
    let signs = check::signs(NAME, target, (axes, batch), input1)?;
    if let Some(loss) = widened(input1, |wide| {
        cosine_embedding(&wide(input1)?, &wide(input2)?, target, margin, reduction)
    })? {
        return Ok(loss);
    }
    let product = (input1 * input2)?.sum(D::Minus1)?;
    let square = |x: &Tensor| x.sqr()?.sum(D::Minus1)? + EPS;
    let cosine = (product / (square(input1)? * square(input2)?)?.sqrt()?)?;
    let apart = positive_part(&(&cosine - margin)?)?;
    let losses = signs.gt(0.)?.where_cond(&(1. - cosine)?, &apart)?;
    let loss = reduction.composite(&losses, losses.elem_count() as f64)?;
    graph::note(NAME, &[input1, input2], std::slice::from_ref(&loss));
    Ok(loss)
}
