//! Sigmoid.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = σ(x) = 1 / (1 + e⁻ˣ).
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Sigmoid`
/// # Example
/// ```
/// use sconce_nn::{Sigmoid, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f32, f32::INFINITY], &Device::Cpu)?;
/// assert_eq!(Sigmoid.forward(&x)?.to_vec1::<f32>()?, [0.5, 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigmoid;

impl Pointwise for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const KEPT: Kept = Kept::Output;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        // By e^−|x|, which doesn't overflow.
        let small = x.abs()?.neg()?.exp()?;
        let ones = small.ones_like()?;
        x.ge(0.)?.where_cond(&ones, &small)? / (small + 1.)?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x.sigmoid()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        kept * (kept.same(1.) - kept)
    }
}

pointwise_module!(Sigmoid);
