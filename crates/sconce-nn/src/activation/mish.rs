//! Mish.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x·tanh(ln(1 + eˣ)).
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019; `torch.nn.Mish`
/// # Example
/// ```
/// use sconce_nn::{Mish, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f64, 1.], &Device::Cpu)?;
/// let y = Mish.forward(&x)?.to_vec1::<f64>()?;
/// assert!(y[0] == 0. && (y[1] - 0.8650983882673103).abs() < 1e-15);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mish;

impl Pointwise for Mish {
    const NAME: &'static str = "mish";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x * super::Softplus::default().composite(x)?.tanh()?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x * x.softplus().tanh()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let gate = kept.softplus().tanh();
        gate + kept * kept.sigmoid() * (kept.same(1.) - gate * gate)
    }
}

pointwise_module!(Mish);
