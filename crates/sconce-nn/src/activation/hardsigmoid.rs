//! Hard sigmoid.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

const SLOPE: f64 = (1f32 / 6.) as f64;

/// y = (x + 3) / 6, no less than 0 and no more than 1; the slope is 0 at ±3.
///
/// The slope between is 1/6 rounded to f32 in every dtype, since PyTorch's is.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Courbariaux et al., "BinaryConnect", 2015; `torch.nn.Hardsigmoid`
/// # Example
/// ```
/// use sconce_nn::{Hardsigmoid, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-4f32, 0., 4.], &Device::Cpu)?;
/// assert_eq!(Hardsigmoid.forward(&x)?.to_vec1::<f32>()?, [0., 0.5, 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardsigmoid;

impl Pointwise for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let line = (x * SLOPE)?;
        // The value of (x + 3) / 6 with the slope of `line`.
        let value = ((x.detach() + 3.)? / 6.)?;
        let line = (&line + (value - line.detach())?)?;
        let line = x.le(-3.)?.where_cond(&x.zeros_like()?, &line)?;
        x.ge(3.)?.where_cond(&x.ones_like()?, &line)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x.same(6.).min(x.same(0.).max(x + x.same(3.))) / x.same(6.)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(kept.abs().lt(kept.same(3.)), kept.same(SLOPE), kept.same(0.))
    }
}

pointwise_module!(Hardsigmoid);
