//! Tanh shrinkage.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x − tanh x.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.Tanhshrink`
/// # Example
/// ```
/// use sconce_nn::{Tanhshrink, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[0f64, 50.], &Device::Cpu)?;
/// assert_eq!(Tanhshrink.forward(&x)?.to_vec1::<f64>()?, [0., 49.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tanhshrink;

impl Pointwise for Tanhshrink {
    const NAME: &'static str = "tanhshrink";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x - x.tanh()?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        x - x.tanh()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let tanh = kept.tanh();
        tanh * tanh
    }
}

pointwise_module!(Tanhshrink);
