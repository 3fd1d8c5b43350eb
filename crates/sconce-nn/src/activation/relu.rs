//! ReLU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = max(x, 0), with slope 0 at 0; NaN stays NaN.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010; `torch.nn.ReLU`
/// # Example
/// ```
/// use sconce_nn::{Relu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, 0., 2.], &Device::Cpu)?;
/// assert_eq!(Relu.forward(&x)?.to_vec1::<f32>()?, [0., 0., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu;

impl Pointwise for Relu {
    const NAME: &'static str = "relu";
    const KEPT: Kept = Kept::Output;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        // Where x ≤ 0 is false for NaN, so it passes.
        x.le(0.)?.where_cond(&x.zeros_like()?, x)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        // `max` gives its argument where either is NaN.
        x.same(0.).max(x)
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        // As in PyTorch, a NaN's gradient passes too.
        V::select(kept.le(kept.same(0.)), kept.same(0.), kept.same(1.))
    }
}

pointwise_module!(Relu);
