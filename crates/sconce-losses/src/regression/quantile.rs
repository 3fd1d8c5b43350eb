//! Quantile loss.

use crate::elementwise::{Elementwise, elementwise};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::Error;

const NAME: &str = "quantile";

/// Quantile loss, also called pinball loss: the best constant prediction is the targets' `q`-quantile.
///
/// l = q·(y − x) where the target y is above the prediction x, else (1 − q)·(x − y); half the absolute error for q = ½. The mean
/// is over all elements. Where x = y the slope is the middle of the two sides', (1 − 2q)/2 by x, which is what PyTorch gives for
/// `torch.maximum` of the two lines. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; `q` isn't above 0 and below 1.
///
/// # Source
/// Koenker and Bassett, "Regression Quantiles", 1978
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, quantile};
/// let prediction = Tensor::new(&[0f64, 0.], &Device::Cpu)?;
/// let target = Tensor::new(&[2f64, -2.], &Device::Cpu)?;
/// let losses = quantile(&prediction, &target, 0.75, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [1.5, 0.5]); // too low costs three times as much as too high
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn quantile(input: &Tensor, target: &Tensor, q: f64, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    if !(q > 0. && q < 1.) {
        return Err(Error::config(NAME, "q", q, "above 0 and below 1").into());
    }
    let losses = elementwise(Quantile { q }, [input, target])?;
    reduction.composite(&losses, input.elem_count() as f64)
}

struct Quantile {
    q: f64,
}

impl Elementwise<2> for Quantile {
    const NAME: &'static str = NAME;

    fn value(&self, [x, y]: &[Tensor; 2]) -> Result<Tensor> {
        let below = (y - x)?;
        let rising = (&below * (self.q - 1.))?;
        below.gt(0.)?.where_cond(&(&below * self.q)?, &rising)
    }

    fn slope(&self, [x, y]: &[Tensor; 2], i: usize) -> Result<Tensor> {
        // −q below the target, 1 − q above, and the middle at it.
        let by_input = (((x - y)?.sign()? * 0.5)? + (0.5 - self.q))?;
        if i == 0 { Ok(by_input) } else { by_input.neg() }
    }
}
