//! Soft shrinkage.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_core::Error;
use sconce_kernels::simd::Vector;

/// y = x − `lambd` for x > `lambd`, x + `lambd` for x < −`lambd`, else 0; the slope is 0 at ±`lambd`.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `forward`: `lambd` is negative or infinite.
/// # Source
/// `torch.nn.Softshrink`
/// # Example
/// ```
/// use sconce_nn::{Softshrink, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, -0.5, 0.2, 1.5], &Device::Cpu)?;
/// assert_eq!(Softshrink::default().forward(&x)?.to_vec1::<f32>()?, [-0.5, 0., 0., 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softshrink {
    /// How far values move towards 0; PyTorch's default is 0.5.
    pub lambd: f64,
}

impl Default for Softshrink {
    fn default() -> Self {
        Self { lambd: 0.5 }
    }
}

impl Pointwise for Softshrink {
    const NAME: &'static str = "softshrink";
    const KEPT: Kept = Kept::Input;

    fn check(&self) -> sconce_core::Result<()> {
        if !(0. ..=f64::MAX).contains(&self.lambd) {
            return Err(Error::config(
                "Softshrink",
                "lambd",
                self.lambd,
                "0 or more, and finite",
            ));
        }
        Ok(())
    }

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let shrunk = x.lt(0.)?.where_cond(&(x + self.lambd)?, &(x - self.lambd)?)?;
        x.detach()
            .abs()?
            .le(self.lambd)?
            .where_cond(&x.zeros_like()?, &shrunk)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        let lambd = x.same(self.lambd);
        V::select(x.abs().le(lambd), x.same(0.), x - lambd.with_sign_of(x))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(kept.abs().le(kept.same(self.lambd)), kept.same(0.), kept.same(1.))
    }
}

pointwise_module!(Softshrink);
