//! Log-sigmoid.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;

/// y = ln(1 / (1 + e⁻ˣ)), computed without overflow.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// `torch.nn.LogSigmoid`
/// # Example
/// ```
/// use sconce_nn::{LogSigmoid, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1000f64, 0., 1000.], &Device::Cpu)?;
/// assert_eq!(LogSigmoid.forward(&x)?.to_vec1::<f64>()?, [-1000., -(2f64.ln()), 0.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSigmoid;

impl Pointwise for LogSigmoid {
    const NAME: &'static str = "logsigmoid";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        // min(x, 0) − ln(1 + e^−|x|), with both slopes of either part chosen by one mask.
        let right = x.ge(0.)?;
        let far = right.where_cond(&x.neg()?, x)?;
        right.where_cond(&x.zeros_like()?, x)? - (far.exp()? + 1.)?.log()?
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        -(-x).softplus()
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        (-kept).sigmoid()
    }
}

pointwise_module!(LogSigmoid);
