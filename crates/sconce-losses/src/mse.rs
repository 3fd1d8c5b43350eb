//! Mean squared error.

use crate::differences::fused;
use crate::kernels::Square;
use crate::weighted::{MeanOver, WeightedLoss};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, graph, widened};

const NAME: &str = "mse";

/// Squared error, by default its mean.
///
/// l = (x − y)²; the mean is over all elements. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point. (PyTorch broadcasts, with a warning.)
///
/// # Source
/// `torch.nn.functional.mse_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, mse};
/// let prediction = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32, 2.], [3., 2.]], &Device::Cpu)?;
/// assert_eq!(mse(&prediction, &target, Reduction::Mean)?.to_scalar::<f32>()?, 1.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn mse(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    if has_kernel(input) && has_kernel(target) {
        return dispatch_real!(input, fused(NAME, Square, input, target, reduction));
    }
    if let Some(loss) = widened(input, |wide| mse(&wide(input)?, &wide(target)?, reduction))? {
        return Ok(loss);
    }
    let loss = composite(input, target, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// [Squared error](mse()) of elements that count by weights.
///
/// l = w·(x − y)²; the mean divides by the sum of the weights, so it is NaN where all are 0. All arguments get their gradient, if
/// they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; `weight`: one that broadcasts to it, such as `[batch, 1]` (PyTorch takes the input's alone);
/// output: the input's shape with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a weight of another type, that doesn't
/// broadcast, or that isn't a finite number of at least 0, with its position.
///
/// # Source
/// `torch.nn.functional.mse_loss` with `weight`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, mse_weighted};
/// let prediction = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32, 4.], [2., 4.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32], [3.]], &Device::Cpu)?;
/// let loss = mse_weighted(&prediction, &target, &weight, Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f32>()?, (4. + 3.) / 8.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn mse_weighted(
    input: &Tensor,
    target: &Tensor,
    weight: &Tensor,
    reduction: Reduction,
) -> Result<Tensor> {
    let loss = WeightedLoss {
        name: "mse_weighted",
        curve: Square,
        composite: &Tensor::sqr,
        mean: MeanOver::Weights,
    };
    loss.of(input, target, weight, reduction)
}

/// The same from candle operations.
fn composite(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    reduction.composite(&(input - target)?.sqr()?, input.elem_count() as f64)
}

#[cfg(test)]
mod tests;
