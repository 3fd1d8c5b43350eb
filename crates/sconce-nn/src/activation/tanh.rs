//! Hyperbolic tangent.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = tanh(x).
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Tanh`
/// # Example
/// ```
/// use sconce_nn::{Tanh, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f32, f32::INFINITY], &Device::Cpu)?;
/// assert_eq!(Tanh.forward(&x)?.to_vec1::<f32>()?, [0., 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tanh;

impl Pointwise for Tanh {
    const NAME: &'static str = "tanh";
    const KEPT: Kept = Kept::Output;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x.tanh()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        (-kept).mul_add(kept, kept.same(1.))
    }
}

pointwise_module!(Tanh);
