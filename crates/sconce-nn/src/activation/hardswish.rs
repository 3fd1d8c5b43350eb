//! Hard swish.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x·hardsigmoid(x): 0 up to −3, x from 3 on, x·(x + 3)/6 between; the slope is 0 at −3 and 1 at 3.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardswish`
/// # Example
/// ```
/// use sconce_nn::{Hardswish, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-4f32, -1.5, 0., 3., 4.], &Device::Cpu)?;
/// assert_eq!(Hardswish.forward(&x)?.to_vec1::<f32>()?, [0., -0.375, 0., 3., 4.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardswish;

impl Pointwise for Hardswish {
    const NAME: &'static str = "hardswish";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let (low, high, zeros) = (x.le(-3.)?, x.ge(3.)?, x.zeros_like()?);
        // The branch that isn't taken must not overflow: infinity times a gradient of 0 is NaN.
        let inner = high.where_cond(&zeros, &low.where_cond(&zeros, x)?)?;
        let bend = ((&inner * (&inner + 3.)?)? / 6.)?;
        high.where_cond(x, &low.where_cond(&zeros, &bend)?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        let gate = x.same(6.).min(x.same(0.).max(x + x.same(3.)));
        V::select(x.ge(x.same(3.)), x, x * gate / x.same(6.))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let bend = kept / kept.same(3.) + kept.same(0.5);
        let bend = V::select(kept.lt(kept.same(3.)), bend, kept.same(1.));
        V::select(kept.le(kept.same(-3.)), kept.same(0.), bend)
    }
}

pointwise_module!(Hardswish);
