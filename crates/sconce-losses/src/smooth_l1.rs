//! Smooth L1 loss.

use crate::differences::fused;
use crate::huber::bent;
use crate::kernels::{Absolute, Bent};
use crate::l1::absolute;
use crate::{Reduction, check};
use candle_core::{DType, Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, graph, widened};

const NAME: &str = "smooth_l1";

/// Smooth L1 loss: absolute error with a rounded tip, `beta` wide.
///
/// l = ½(x − y)²/β where |x − y| < β, else |x − y| − ½β: the [Huber loss](crate::huber()) over β, and L1 where β is 0. The mean
/// is over all elements. PyTorch's default β is 1. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; `beta` is negative or not finite.
///
/// # Source
/// Girshick, "Fast R-CNN", 2015; `torch.nn.functional.smooth_l1_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, smooth_l1};
/// let prediction = Tensor::new(&[1f64, 5.], &Device::Cpu)?;
/// let target = Tensor::new(&[0f64, 0.], &Device::Cpu)?;
/// let losses = smooth_l1(&prediction, &target, 2., Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [0.25, 4.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn smooth_l1(input: &Tensor, target: &Tensor, beta: f64, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::not_negative(NAME, "beta", beta)?;
    if has_kernel(input) && has_kernel(target) {
        // A tip so narrow that its steepness is too large for the type is none.
        let steepest = match input.dtype() {
            DType::F32 => f64::from(f32::MAX),
            _ => f64::MAX,
        };
        if 1. / beta > steepest {
            return dispatch_real!(input, fused(NAME, Absolute, input, target, reduction));
        }
        let curve = Bent {
            delta: beta,
            factor: 1. / beta,
        };
        return dispatch_real!(input, fused(NAME, curve, input, target, reduction));
    }
    let wide = widened(input, |wide| {
        smooth_l1(&wide(input)?, &wide(target)?, beta, reduction)
    })?;
    if let Some(loss) = wide {
        return Ok(loss);
    }
    let loss = composite(input, target, beta, reduction)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

/// The same from candle operations.
pub(crate) fn composite(input: &Tensor, target: &Tensor, beta: f64, reduction: Reduction) -> Result<Tensor> {
    let difference = (input - target)?;
    let losses = if beta == 0. {
        absolute(&difference)?
    } else {
        (bent(&difference, beta)? / beta)?
    };
    reduction.composite(&losses, input.elem_count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{huber, l1};
    use candle_core::{Device, Var};
    use sconce_core::Error;
    use sconce_testkit::golden::{Bound, compare};
    use sconce_testkit::{GradCheck, Layout, Random};

    const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

    #[test]
    fn gradients_are_right_for_both_arguments() {
        let mut random = Random::new(1);
        let x = random.normal((3, 5), DType::F64).unwrap();
        let y = random.normal((3, 5), DType::F64).unwrap();
        for beta in [0., 0.3, 1., 2.5] {
            for reduction in REDUCTIONS {
                let check = GradCheck {
                    layouts: Layout::ALL,
                    ..GradCheck::default()
                };
                check.assert(&[("input", &x), ("target", &y)], &[], |t| {
                    smooth_l1(&t[0], &t[1], beta, reduction)
                });
            }
        }
    }

    #[test]
    fn it_is_hubers_loss_over_beta_and_l1_without() {
        let mut random = Random::new(2);
        let x = random.normal((4, 3), DType::F64).unwrap();
        let y = random.normal((4, 3), DType::F64).unwrap();
        for reduction in REDUCTIONS {
            let actual = smooth_l1(&x, &y, 0.5, reduction).unwrap();
            let expected = (huber(&x, &y, 0.5, reduction).unwrap() / 0.5).unwrap();
            compare("beta 0.5", &actual, &expected, Bound::F64).unwrap();
            let actual = smooth_l1(&x, &y, 0., reduction).unwrap();
            compare("beta 0", &actual, &l1(&x, &y, reduction).unwrap(), Bound::F64).unwrap();
        }
    }

    #[test]
    fn a_tip_too_narrow_for_the_type_is_none() {
        for (dtype, beta) in [(DType::F32, 1e-39), (DType::F32, 1e-50), (DType::F64, 1e-310)] {
            let x = Var::new(&[0f64, 1., -2.], &Device::Cpu).unwrap();
            let y = Tensor::zeros(3, dtype, &Device::Cpu).unwrap();
            let losses = smooth_l1(&x.to_dtype(dtype).unwrap(), &y, beta, Reduction::None).unwrap();
            let gradient = losses.sum_all().unwrap().backward().unwrap().remove(&x).unwrap();
            let losses = losses.to_dtype(DType::F64).unwrap();
            assert_eq!(losses.to_vec1::<f64>().unwrap(), [0., 1., 2.], "{beta}");
            assert_eq!(gradient.to_vec1::<f64>().unwrap(), [0., 1., -1.], "{beta}");
        }
    }

    #[test]
    fn a_bad_beta_is_named() {
        let x = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        for beta in [-1., f64::NAN, f64::INFINITY] {
            let error = smooth_l1(&x, &x, beta, Reduction::Mean).unwrap_err();
            let expected = format!("smooth_l1: beta is {beta}, expected a finite number, at least 0");
            assert_eq!(Error::from(error).to_string(), expected);
        }
    }
}
