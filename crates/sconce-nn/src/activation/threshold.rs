//! Threshold.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x where x > `threshold`, else `value`; the slope at `threshold` is 0.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Threshold`
/// # Example
/// ```
/// use sconce_nn::{Threshold, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, 1., 3.], &Device::Cpu)?;
/// let layer = Threshold { threshold: 1., value: 20. };
/// assert_eq!(layer.forward(&x)?.to_vec1::<f32>()?, [20., 20., 3.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Up to where values are replaced.
    pub threshold: f64,
    /// What they are replaced by.
    pub value: f64,
}

impl Pointwise for Threshold {
    const NAME: &'static str = "threshold";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let value = x.ones_like()?.affine(self.value, 0.)?;
        x.le(self.threshold)?.where_cond(&value, x)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        V::select(x.le(x.same(self.threshold)), x.same(self.value), x)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(kept.le(kept.same(self.threshold)), kept.same(0.), kept.same(1.))
    }
}

pointwise_module!(Threshold);
