//! ReLU6.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

const CLAMP: super::Hardtanh = super::Hardtanh {
    min_val: 0.,
    max_val: 6.,
};

/// y = x, no less than 0 and no more than 6; the slope is 0 at both.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Howard et al., "MobileNets", 2017; `torch.nn.ReLU6`
/// # Example
/// ```
/// use sconce_nn::{Relu6, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-4f32, 2., 7.], &Device::Cpu)?;
/// assert_eq!(Relu6.forward(&x)?.to_vec1::<f32>()?, [0., 2., 6.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu6;

impl Pointwise for Relu6 {
    const NAME: &'static str = "relu6";
    const KEPT: Kept = Kept::Output;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        CLAMP.composite(x)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        CLAMP.value(x)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        CLAMP.slope(kept)
    }
}

pointwise_module!(Relu6);
