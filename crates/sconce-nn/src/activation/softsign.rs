//! Softsign.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x / (1 + |x|).
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Softsign`
/// # Example
/// ```
/// use sconce_nn::{Softsign, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, 0., 3.], &Device::Cpu)?;
/// assert_eq!(Softsign.forward(&x)?.to_vec1::<f32>()?, [-0.5, 0., 0.75]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softsign;

impl Pointwise for Softsign {
    const NAME: &'static str = "softsign";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x / (x.abs()? + 1.)?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x / (x.same(1.) + x.abs())
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let size = kept.same(1.) + kept.abs();
        kept.same(1.) / (size * size)
    }
}

pointwise_module!(Softsign);
