//! Logarithm of the hyperbolic cosine.

use crate::elementwise::{Elementwise, elementwise};
use crate::stable::{exp_m1, ln_1p, softplus_of};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use std::f64::consts::LN_2;

const NAME: &str = "log_cosh";

/// Logarithm of the error's hyperbolic cosine: squared error near the target, absolute error far from it, and smooth throughout.
///
/// l = ln cosh(x − y), about ½(x − y)² near 0 and |x − y| − ln 2 far from it; the slope is tanh(x − y). The mean is over all
/// elements. It keeps its digits near 0 and doesn't overflow. Both arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point.
///
/// # Source
/// Chen et al., "Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder", 2018; `tf.keras.losses.LogCosh`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, log_cosh};
/// let prediction = Tensor::new(&[1f64, -1e4], &Device::Cpu)?;
/// let target = Tensor::new(&[0f64, 0.], &Device::Cpu)?;
/// let losses = log_cosh(&prediction, &target, Reduction::None)?.to_vec1::<f64>()?;
/// assert!((losses[0] - 1f64.cosh().ln()).abs() < 1e-15);
/// assert_eq!(losses[1], 1e4 - 2f64.ln());
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn log_cosh(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    let losses = elementwise(LogCosh, [input, target])?;
    reduction.composite(&losses, input.elem_count() as f64)
}

struct LogCosh;

impl Elementwise<2> for LogCosh {
    const NAME: &'static str = NAME;

    /// ln(1 + 2·sinh²(d/2)) within ±1, |d| + ln(1 + e^−2|d|) − ln 2 beyond.
    fn value(&self, [x, y]: &[Tensor; 2]) -> Result<Tensor> {
        let d = (x - y)?;
        let size = d.abs()?;
        let e = exp_m1(&(&size * 0.5)?)?;
        let sinh = ((&e + (&e / (&e + 1.)?)?)? * 0.5)?;
        let near = ln_1p(&(sinh.sqr()? * 2.)?)?;
        let far = ((&size + softplus_of(&(&size * -2.)?)?)? - LN_2)?;
        size.lt(1.)?.where_cond(&near, &far)
    }

    fn slope(&self, [x, y]: &[Tensor; 2], i: usize) -> Result<Tensor> {
        let slope = (x - y)?.tanh()?;
        if i == 0 { Ok(slope) } else { slope.neg() }
    }
}
