//! Hard shrinkage.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x where |x| > `lambd`, else 0; the slope is 0 at ±`lambd`.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Hardshrink`
/// # Example
/// ```
/// use sconce_nn::{Hardshrink, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, -0.5, 0.2, 0.6], &Device::Cpu)?;
/// assert_eq!(Hardshrink::default().forward(&x)?.to_vec1::<f32>()?, [-1., 0., 0., 0.6]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hardshrink {
    /// How far the zeros reach to both sides; PyTorch's default is 0.5.
    pub lambd: f64,
}

impl Default for Hardshrink {
    fn default() -> Self {
        Self { lambd: 0.5 }
    }
}

impl Pointwise for Hardshrink {
    const NAME: &'static str = "hardshrink";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x.detach().abs()?.le(self.lambd)?.where_cond(&x.zeros_like()?, x)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        V::select(x.abs().le(x.same(self.lambd)), x.same(0.), x)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(kept.abs().le(kept.same(self.lambd)), kept.same(0.), kept.same(1.))
    }
}

pointwise_module!(Hardshrink);
