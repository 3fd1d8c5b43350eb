//! CELU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_core::Error;
use sconce_kernels::simd::Vector;

/// y = x for x > 0, else `alpha`·(e^(x/`alpha`) − 1): an ELU whose slope is 1 on both sides of 0.
///
/// PyTorch's gradient rounds `alpha` to f32 even in f64, so that its slope at 0 is off by up to 4·10⁻⁸; this one's is exact.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `forward`: `alpha` is 0.
/// # Source
/// Barron, "Continuously Differentiable Exponential Linear Units", 2017; `torch.nn.CELU`
/// # Example
/// ```
/// use sconce_nn::{Celu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[f32::NEG_INFINITY, 2.], &Device::Cpu)?;
/// assert_eq!(Celu { alpha: 0.5 }.forward(&x)?.to_vec1::<f32>()?, [-0.5, 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Celu {
    /// Minus the value at −∞; PyTorch's default is 1.
    pub alpha: f64,
}

impl Default for Celu {
    fn default() -> Self {
        Self { alpha: 1. }
    }
}

impl Pointwise for Celu {
    const NAME: &'static str = "celu";
    const KEPT: Kept = Kept::Input;

    fn check(&self) -> sconce_core::Result<()> {
        if self.alpha == 0. || self.alpha.is_nan() {
            return Err(Error::config(
                "Celu",
                "alpha",
                self.alpha,
                "a number other than 0",
            ));
        }
        Ok(())
    }

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let (positive, negative) = super::split(x)?;
        positive.where_cond(x, &(((negative / self.alpha)?.exp()? - 1.)? * self.alpha)?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        let alpha = x.same(self.alpha);
        V::select(x.gt(x.same(0.)), x, (x / alpha).exp_m1() * alpha)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(
            kept.gt(kept.same(0.)),
            kept.same(1.),
            (kept / kept.same(self.alpha)).exp(),
        )
    }
}

pointwise_module!(Celu);
