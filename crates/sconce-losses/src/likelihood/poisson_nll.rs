//! Negative log-likelihood of counts.

use crate::elementwise::{Elementwise, elementwise};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use std::f64::consts::PI;

const NAME: &str = "poisson_nll";

/// Options of [`poisson_nll`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoissonNllConfig {
    /// Whether `input` is the logarithm of the rate, and not the rate.
    pub log_input: bool,
    /// Adds Stirling's approximation of ln t!, which no prediction changes, for targets above 1.
    pub full: bool,
    /// Added to a rate before its logarithm is taken; says nothing with `log_input`.
    pub eps: f64,
}

impl Default for PoissonNllConfig {
    fn default() -> Self {
        Self {
            log_input: true,
            full: false,
            eps: 1e-8,
        }
    }
}

/// Negative log-likelihood of counts from their predicted rate, by Poisson's distribution.
///
/// l = eˣ − t·x, or x − t·ln(x + eps) without `log_input`; with `full`, t·ln t − t + ½·ln(2πt) more where t > 1. The mean is over
/// all elements. A rate below −eps has no logarithm: its loss is NaN, as PyTorch's. Both arguments get their gradient, if they
/// are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; `eps` is negative or not finite.
///
/// # Source
/// `torch.nn.functional.poisson_nll_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{PoissonNllConfig, Reduction, poisson_nll};
/// let log_rates = Tensor::new(&[0f64, 1.], &Device::Cpu)?;
/// let counts = Tensor::new(&[3f64, 2.], &Device::Cpu)?;
/// let losses = poisson_nll(&log_rates, &counts, &PoissonNllConfig::default(), Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [1., 1f64.exp() - 2.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn poisson_nll(
    input: &Tensor,
    target: &Tensor,
    cfg: &PoissonNllConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::not_negative(NAME, "eps", cfg.eps)?;
    let losses = elementwise(PoissonNll(*cfg), [input, target])?;
    reduction.composite(&losses, input.elem_count() as f64)
}

struct PoissonNll(PoissonNllConfig);

impl PoissonNll {
    /// The logarithm of the rate.
    fn log(&self, x: &Tensor) -> Result<Tensor> {
        match self.0.log_input {
            true => Ok(x.clone()),
            false => (x + self.0.eps)?.log(),
        }
    }
}

impl Elementwise<2> for PoissonNll {
    const NAME: &'static str = NAME;

    fn value(&self, [x, t]: &[Tensor; 2]) -> Result<Tensor> {
        let rate = if self.0.log_input { x.exp()? } else { x.clone() };
        let losses = (rate - (t * self.log(x)?)?)?;
        if !self.0.full {
            return Ok(losses);
        }
        let above_one = t.gt(1.)?;
        let t = above_one.where_cond(t, &t.ones_like()?)?;
        let log = t.log()?;
        let stirling = (((&t * &log)? - &t)? + ((log + (2. * PI).ln())? * 0.5)?)?;
        losses + above_one.where_cond(&stirling, &stirling.zeros_like()?)?
    }

    fn slope(&self, [x, t]: &[Tensor; 2], i: usize) -> Result<Tensor> {
        match (i, self.0.log_input) {
            (0, true) => x.exp()? - t,
            (0, false) => 1. - (t / (x + self.0.eps)?)?,
            _ if !self.0.full => self.log(x)?.neg(),
            _ => {
                let above_one = t.gt(1.)?;
                let t = above_one.where_cond(t, &t.ones_like()?)?;
                let stirling = (t.log()? + (t.recip()? * 0.5)?)?;
                above_one.where_cond(&stirling, &stirling.zeros_like()?)? - self.log(x)?
            }
        }
    }
}
