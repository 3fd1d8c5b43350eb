//! SiLU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x·σ(x), also called swish.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Elfwing et al., "Sigmoid-Weighted Linear Units", 2017; `torch.nn.SiLU`
/// # Example
/// ```
/// use sconce_nn::{Silu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f32, 1.], &Device::Cpu)?;
/// let y = Silu.forward(&x)?.to_vec1::<f32>()?;
/// assert!(y[0] == 0. && (y[1] - 0.7310586).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silu;

impl Pointwise for Silu {
    const NAME: &'static str = "silu";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x * super::Sigmoid.composite(x)?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x * x.sigmoid()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let (sigmoid, one) = (kept.sigmoid(), kept.same(1.));
        // Far to the left σ is 0, and x may be infinite.
        let bend = V::select(kept.lt(kept.same(-1e3)), kept.same(0.), kept * (one - sigmoid));
        sigmoid * (one + bend)
    }
}

pointwise_module!(Silu);
