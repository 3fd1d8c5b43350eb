//! Hard tanh.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_core::Error;
use sconce_kernels::simd::Vector;

/// y = x, no less than `min_val` and no more than `max_val`; the slope is 0 at both.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `forward`: `max_val` isn't more than `min_val`.
/// # Source
/// Collobert and Bengio, "Links between perceptrons, MLPs and SVMs", 2004; `torch.nn.Hardtanh`
/// # Example
/// ```
/// use sconce_nn::{Hardtanh, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-4f32, 0.5, 4.], &Device::Cpu)?;
/// assert_eq!(Hardtanh::default().forward(&x)?.to_vec1::<f32>()?, [-1., 0.5, 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hardtanh {
    /// The least value; PyTorch's default is −1.
    pub min_val: f64,
    /// The greatest value; PyTorch's default is 1.
    pub max_val: f64,
}

impl Default for Hardtanh {
    fn default() -> Self {
        Self {
            min_val: -1.,
            max_val: 1.,
        }
    }
}

impl Pointwise for Hardtanh {
    const NAME: &'static str = "hardtanh";
    const KEPT: Kept = Kept::Output;

    fn check(&self) -> sconce_core::Result<()> {
        if self.max_val > self.min_val {
            return Ok(());
        }
        let expected = format!("more than min_val = {}", self.min_val);
        Err(Error::config("Hardtanh", "max_val", self.max_val, expected))
    }

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let limit = |value: f64| x.ones_like()?.affine(value, 0.);
        let y = x.le(self.min_val)?.where_cond(&limit(self.min_val)?, x)?;
        x.ge(self.max_val)?.where_cond(&limit(self.max_val)?, &y)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        // `min` and `max` give their argument where either is NaN.
        x.same(self.max_val).min(x.same(self.min_val).max(x))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let outside = kept.le(kept.same(self.min_val)) | kept.ge(kept.same(self.max_val));
        V::select(outside, kept.same(0.), kept.same(1.))
    }
}

pointwise_module!(Hardtanh);
