//! Leaky ReLU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x for x > 0, else `negative_slope`·x.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013; `torch.nn.LeakyReLU`
/// # Example
/// ```
/// use sconce_nn::{LeakyRelu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, 2.], &Device::Cpu)?;
/// assert_eq!(LeakyRelu { negative_slope: 0.5 }.forward(&x)?.to_vec1::<f32>()?, [-0.5, 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu {
    /// Slope below zero; PyTorch's default is 0.01.
    pub negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { negative_slope: 0.01 }
    }
}

impl Pointwise for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        x.gt(0.)?.where_cond(x, &(x * self.negative_slope)?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        V::select(x.gt(x.same(0.)), x, x * x.same(self.negative_slope))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(
            kept.gt(kept.same(0.)),
            kept.same(1.),
            kept.same(self.negative_slope),
        )
    }
}

pointwise_module!(LeakyRelu);
