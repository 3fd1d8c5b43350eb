//! ELU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = x for x > 0, else `alpha`·(eˣ − 1).
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2015; `torch.nn.ELU`
/// # Example
/// ```
/// use sconce_nn::{Elu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[f32::NEG_INFINITY, 2.], &Device::Cpu)?;
/// assert_eq!(Elu::default().forward(&x)?.to_vec1::<f32>()?, [-1., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elu {
    /// Minus the value at −∞; PyTorch's default is 1.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: 1. }
    }
}

impl Pointwise for Elu {
    const NAME: &'static str = "elu";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let (positive, negative) = super::split(x)?;
        positive.where_cond(x, &((negative.exp()? - 1.)? * self.alpha)?)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        V::select(x.gt(x.same(0.)), x, x.exp_m1() * x.same(self.alpha))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        V::select(
            kept.gt(kept.same(0.)),
            kept.same(1.),
            kept.exp() * kept.same(self.alpha),
        )
    }
}

pointwise_module!(Elu);
