//! Mean absolute error.

use crate::differences::fused;
use crate::kernels::Absolute;
use crate::weighted::{MeanOver, WeightedLoss};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, graph, widened};

const NAME: &str = "l1";

/// Absolute error, by default its mean (MAE).
///
/// l = |x − y|; the mean is over all elements. Where x = y the gradient is 0, as PyTorch's. Both arguments get their gradient,
/// if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point.
///
/// # Source
/// `torch.nn.functional.l1_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, l1};
/// let prediction = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// let target = Tensor::new(&[4f32, 1.], &Device::Cpu)?;
/// assert_eq!(l1(&prediction, &target, Reduction::Mean)?.to_scalar::<f32>()?, 2.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn l1(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    if has_kernel(input) && has_kernel(target) {
        return dispatch_real!(input, fused(NAME, Absolute, input, target, reduction));
    }
    if let Some(loss) = widened(input, |wide| l1(&wide(input)?, &wide(target)?, reduction))? {
        return Ok(loss);
    }
    let loss = composite(input, target, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// [Absolute error](l1()) of elements that count by weights.
///
/// l = w·|x − y|; the mean divides by the sum of the weights, so it is NaN where all are 0. All arguments get their gradient, if
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
/// `torch.nn.functional.l1_loss` with `weight`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, l1_weighted};
/// let prediction = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// let target = Tensor::new(&[4f32, 1.], &Device::Cpu)?;
/// let weight = Tensor::new(&[1f32, 3.], &Device::Cpu)?;
/// let loss = l1_weighted(&prediction, &target, &weight, Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f32>()?, (3. + 3.) / 4.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn l1_weighted(input: &Tensor, target: &Tensor, weight: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let loss = WeightedLoss {
        name: "l1_weighted",
        curve: Absolute,
        composite: &absolute,
        mean: MeanOver::Weights,
    };
    loss.of(input, target, weight, reduction)
}

/// The same from candle operations.
pub(crate) fn composite(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    reduction.composite(&absolute(&(input - target)?)?, input.elem_count() as f64)
}

/// |x|, whose slope at 0 is 0; candle's own is 1 there.
pub(crate) fn absolute(x: &Tensor) -> Result<Tensor> {
    x * x.detach().sign()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_testkit::{GradCheck, Layout, Random};

    #[test]
    fn gradients_are_right_for_both_arguments() {
        let mut random = Random::new(1);
        let x = random.normal((3, 5), DType::F64).unwrap();
        let y = random.normal((3, 5), DType::F64).unwrap();
        for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
            let check = GradCheck {
                layouts: Layout::ALL,
                ..GradCheck::default()
            };
            check.assert(&[("input", &x), ("target", &y)], &[], |t| {
                l1(&t[0], &t[1], reduction)
            });
        }
    }

    #[test]
    fn at_and_far_from_the_target() {
        let x = Var::new(&[1f64, -2., 0., f64::INFINITY, f64::NAN], &Device::Cpu).unwrap();
        let y = Tensor::new(&[1f64, 2., -0., 0., 0.], &Device::Cpu).unwrap();
        let losses = l1(&x, &y, Reduction::None).unwrap();
        let values = losses.to_vec1::<f64>().unwrap();
        assert_eq!(values[..4], [0., 4., 0., f64::INFINITY]);
        assert!(values[4].is_nan());
        let gradient = losses.sum_all().unwrap().backward().unwrap().remove(&x).unwrap();
        assert_eq!(gradient.to_vec1::<f64>().unwrap()[..4], [0., -1., 0., 1.]);
    }

    #[test]
    fn where_both_are_equal_there_is_no_slope() {
        let y = Tensor::new(&[1f64, 0.], &Device::Cpu).unwrap();
        for loss in [l1, composite] {
            let x = Var::new(&[1f64, 2.], &Device::Cpu).unwrap();
            let loss = loss(&x, &y, Reduction::Sum).unwrap();
            let slope = loss.backward().unwrap().remove(&x).unwrap();
            assert_eq!(slope.to_vec1::<f64>().unwrap(), [0., 1.]);
        }
    }
}
