//! How a loss's elements become its result.

use candle_core::{Result, Tensor};

/// How the losses of the single elements are put together.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, mse};
/// let (x, y) = (Tensor::new(&[1f64, 2.], &Device::Cpu)?, Tensor::new(&[1f64, 4.], &Device::Cpu)?);
/// assert_eq!(mse(&x, &y, Reduction::None)?.to_vec1::<f64>()?, [0., 4.]);
/// assert_eq!(mse(&x, &y, Reduction::Sum)?.to_scalar::<f64>()?, 4.);
/// assert_eq!(mse(&x, &y, Reduction::Mean)?.to_scalar::<f64>()?, 2.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduction {
    /// They are the result, one loss an element or a row.
    None,
    /// Their mean; what it divides by stands at each loss. Over nothing at all it is NaN.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// Reduces a tensor of losses; the mean divides by `count`.
    pub(crate) fn composite(self, losses: &Tensor, count: f64) -> Result<Tensor> {
        if self != Self::None
            && let Some(loss) = sconce_core::widened(losses, |wide| self.composite(&wide(losses)?, count))?
        {
            return Ok(loss);
        }
        match self {
            Self::None => Ok(losses.clone()),
            Self::Sum => losses.sum_all(),
            Self::Mean => losses.sum_all()? / count,
        }
    }

    /// What the sum is multiplied by.
    pub(crate) fn factor(self, count: f64) -> f64 {
        match self {
            Self::Mean => 1. / count,
            Self::None | Self::Sum => 1.,
        }
    }
}
