//! Huber loss.

use crate::differences::fused;
use crate::kernels::Bent;
use crate::weighted::{MeanOver, WeightedLoss};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, graph, widened};

const NAME: &str = "huber";

/// Huber loss: squared error within `delta` of the target, absolute error beyond.
///
/// l = ½(x − y)² where |x − y| < δ, else δ·(|x − y| − ½δ); the mean is over all elements. PyTorch's default δ is 1. Both
/// arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; `delta` isn't a finite number above 0.
///
/// # Source
/// Huber, "Robust estimation of a location parameter", 1964; `torch.nn.functional.huber_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, huber};
/// let prediction = Tensor::new(&[1f64, 5.], &Device::Cpu)?;
/// let target = Tensor::new(&[0f64, 0.], &Device::Cpu)?;
/// let losses = huber(&prediction, &target, 2., Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [0.5, 8.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn huber(input: &Tensor, target: &Tensor, delta: f64, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::positive(NAME, "delta", delta)?;
    if has_kernel(input) && has_kernel(target) {
        let curve = Bent { delta, factor: 1. };
        return dispatch_real!(input, fused(NAME, curve, input, target, reduction));
    }
    if let Some(loss) = widened(input, |wide| {
        huber(&wide(input)?, &wide(target)?, delta, reduction)
    })? {
        return Ok(loss);
    }
    let loss = composite(input, target, delta, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// [Huber loss](huber()) of elements that count by weights.
///
/// l = w·huber(x − y). The mean is over all elements, whatever the weights: PyTorch divides by their sum in the
/// [squared](crate::mse_weighted) and the [absolute error](crate::l1_weighted), and not here. All arguments get their gradient, if
/// they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; `weight`: one that broadcasts to it, such as `[batch, 1]` (PyTorch takes the input's alone);
/// output: the input's shape with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a weight of another type, that doesn't
/// broadcast, or that isn't a finite number of at least 0, with its position; `delta` isn't a finite number
/// above 0.
///
/// # Source
/// `torch.nn.functional.huber_loss` with `weight`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, huber_weighted};
/// let prediction = Tensor::new(&[1f64, 5.], &Device::Cpu)?;
/// let target = Tensor::new(&[0f64, 0.], &Device::Cpu)?;
/// let weight = Tensor::new(&[1f64, 3.], &Device::Cpu)?;
/// let loss = huber_weighted(&prediction, &target, &weight, 2., Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f64>()?, (0.5 + 3. * 8.) / 2.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn huber_weighted(
    input: &Tensor,
    target: &Tensor,
    weight: &Tensor,
    delta: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    let name = "huber_weighted";
    check::positive(name, "delta", delta)?;
    let loss = WeightedLoss {
        name,
        curve: Bent { delta, factor: 1. },
        composite: &|difference| bent(difference, delta),
        mean: MeanOver::Elements,
    };
    loss.of(input, target, weight, reduction)
}

/// The same from candle operations.
pub(crate) fn composite(input: &Tensor, target: &Tensor, delta: f64, reduction: Reduction) -> Result<Tensor> {
    reduction.composite(&bent(&(input - target)?, delta)?, input.elem_count() as f64)
}

/// c·(d − ½c), where c is d within ±δ: both of Huber's branches, and, with c as a constant, their slope.
pub(crate) fn bent(difference: &Tensor, delta: f64) -> Result<Tensor> {
    let clipped = difference.detach().clamp(-delta, delta)?;
    (difference - (&clipped * 0.5)?)? * clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_core::Error;
    use sconce_testkit::{GradCheck, Layout, Random};

    #[test]
    fn gradients_are_right_for_both_arguments() {
        let mut random = Random::new(1);
        let x = random.normal((3, 5), DType::F64).unwrap();
        let y = random.normal((3, 5), DType::F64).unwrap();
        for delta in [0.3, 1., 2.5] {
            for reduction in [Reduction::None, Reduction::Mean, Reduction::Sum] {
                let check = GradCheck {
                    layouts: Layout::ALL,
                    ..GradCheck::default()
                };
                check.assert(&[("input", &x), ("target", &y)], &[], |t| {
                    huber(&t[0], &t[1], delta, reduction)
                });
            }
        }
    }

    #[test]
    fn at_the_bend_and_far_from_the_target() {
        let inf = f64::INFINITY;
        // difference, loss, slope
        for (difference, loss, slope) in [
            (0., 0., 0.),
            (2., 2., 2.),
            (-2., 2., -2.),
            (3., 4., 2.),
            (1e4, 2e4 - 2., 2.),
            (inf, inf, 2.),
            (-inf, inf, -2.),
        ] {
            for huber in [huber, composite] {
                let x = Var::new(difference, &Device::Cpu).unwrap();
                let y = huber(&x, &x.zeros_like().unwrap(), 2., Reduction::Sum).unwrap();
                let gradient = y.backward().unwrap().remove(&x).unwrap();
                assert_eq!(y.to_scalar::<f64>().unwrap(), loss, "{difference}");
                assert_eq!(gradient.to_scalar::<f64>().unwrap(), slope, "{difference}");
            }
        }
        let nan = Tensor::new(f64::NAN, &Device::Cpu).unwrap();
        let loss = huber(&nan, &nan, 1., Reduction::Mean).unwrap();
        assert!(loss.to_scalar::<f64>().unwrap().is_nan());
    }

    #[test]
    fn a_bad_delta_is_named() {
        let x = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        for delta in [0., -1., f64::NAN, f64::INFINITY] {
            let error = huber(&x, &x, delta, Reduction::Mean).unwrap_err();
            let expected = format!("huber: delta is {delta}, expected a finite number above 0");
            assert_eq!(Error::from(error).to_string(), expected);
        }
    }
}
