//! SELU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// λ.
const SCALE: f64 = 1.0507009873554805;
const ALPHA: f64 = 1.6732632423543772;

/// y = λ·x for x > 0, else λ·α·(eˣ − 1), with the constants that keep a network's values at mean 0 and variance 1.
///
/// λ = 1.0507…, α = 1.6732…. The slope at 0 is λ·α, as in PyTorch.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.SELU`
/// # Example
/// ```
/// use sconce_nn::{Selu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[f64::NEG_INFINITY, 0., 1.], &Device::Cpu)?;
/// let y = Selu.forward(&x)?.to_vec1::<f64>()?;
/// assert_eq!(y, [-1.7580993408473766, 0., 1.0507009873554805]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selu;

impl Pointwise for Selu {
    const NAME: &'static str = "selu";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let (positive, negative) = super::split(x)?;
        positive.where_cond(&(x * SCALE)?, &((negative.exp()? - 1.)? * (SCALE * ALPHA))?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        V::select(
            x.gt(x.same(0.)),
            x * x.same(SCALE),
            x.exp_m1() * x.same(SCALE * ALPHA),
        )
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(
            kept.gt(kept.same(0.)),
            kept.same(SCALE),
            kept.exp() * kept.same(SCALE * ALPHA),
        )
    }
}

pointwise_module!(Selu);
