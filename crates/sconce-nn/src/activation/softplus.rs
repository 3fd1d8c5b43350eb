//! Softplus.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = ln(1 + e^(`beta`·x)) / `beta`; x itself where `beta`·x exceeds `threshold`.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2001; `torch.nn.Softplus`
/// # Example
/// ```
/// use sconce_nn::{Softplus, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f32, 100.], &Device::Cpu)?;
/// let y = Softplus::default().forward(&x)?.to_vec1::<f32>()?;
/// assert!((y[0] - 2f32.ln()).abs() < 1e-6 && y[1] == 100.);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softplus {
    /// Sharpness of the bend; PyTorch's default is 1.
    pub beta: f64,
    /// Where the straight line begins; PyTorch's default is 20.
    pub threshold: f64,
}

impl Default for Softplus {
    fn default() -> Self {
        Self {
            beta: 1.,
            threshold: 20.,
        }
    }
}

impl Pointwise for Softplus {
    const NAME: &'static str = "softplus";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let z = (x * self.beta)?;
        let straight = z.gt(self.threshold)?;
        // The branch that isn't taken must not overflow: infinity times a gradient of 0 is NaN.
        let bent = straight.where_cond(&z.zeros_like()?, &z)?;
        straight.where_cond(x, &((bent.exp()? + 1.)?.log()? / self.beta)?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        let z = x * x.same(self.beta);
        V::select(z.gt(x.same(self.threshold)), x, z.softplus() / x.same(self.beta))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let z = kept * kept.same(self.beta);
        V::select(z.gt(kept.same(self.threshold)), kept.same(1.), z.sigmoid())
    }
}

pointwise_module!(Softplus);
