//! Negative log-likelihood of numbers with a predicted variance.

use crate::elementwise::{Elementwise, elementwise};
use crate::{Reduction, check};
use candle_core::{DType, Result, Tensor};
use sconce_core::{Error, cast};
use std::f64::consts::PI;

const NAME: &str = "gaussian_nll";

/// Options of [`gaussian_nll`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianNllConfig {
    /// Adds ½·ln 2π, which no prediction changes.
    pub full: bool,
    /// The least variance that the loss is computed with.
    pub eps: f64,
}

impl Default for GaussianNllConfig {
    fn default() -> Self {
        Self {
            full: false,
            eps: 1e-6,
        }
    }
}

/// Negative log-likelihood of numbers, by a normal distribution of predicted mean and variance.
///
/// l = ½·(ln v + (x − t)²/v), where v = max(var, eps); with `full`, ½·ln 2π more. The mean is over all elements. The bound is no
/// part of the gradient: a variance below eps gets the slope at eps, as in PyTorch, so that it can grow again. All three tensors
/// get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; `var`: the same, or without the last axis, or with axes of length 1; output: `input`'s with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes other than these; element types that differ or aren't of floating point; a negative variance, with its position; `eps`
/// is negative or not finite.
///
/// # Source
/// Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994;
/// `torch.nn.functional.gaussian_nll_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{GaussianNllConfig, Reduction, gaussian_nll};
/// let mean = Tensor::new(&[[0f64, 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[[2f64, 0.]], &Device::Cpu)?;
/// let var = Tensor::new(&[4f64], &Device::Cpu)?; // one for the row
/// let losses = gaussian_nll(&mean, &target, &var, &GaussianNllConfig::default(), Reduction::None)?;
/// assert_eq!(losses.to_vec2::<f64>()?, [[0.5 * (4f64.ln() + 1.), 0.5 * 4f64.ln()]]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn gaussian_nll(
    input: &Tensor,
    target: &Tensor,
    var: &Tensor,
    cfg: &GaussianNllConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::not_negative(NAME, "eps", cfg.eps)?;
    let var = variance(input, var)?;
    let losses = elementwise(GaussianNll(*cfg), [input, target, &var])?;
    reduction.composite(&losses, input.elem_count() as f64)
}

/// The variances, as many as there are inputs.
fn variance(input: &Tensor, var: &Tensor) -> sconce_core::Result<Tensor> {
    check::same_dtype(NAME, "var", var, input.dtype())?;
    let dims = input.dims();
    let shaped = match dims.split_last() {
        Some((_, front)) if var.dims() == front => var.unsqueeze(front.len())?,
        _ => var.clone(),
    };
    let fits = |(&have, &want): (&usize, &usize)| have == want || have == 1;
    if shaped.rank() != dims.len() || !shaped.dims().iter().zip(dims).all(fits) {
        let expected = format!("{dims:?}, the input's, or without the last axis, or 1 for an axis");
        return Err(Error::shape(NAME, "var", expected, var.dims()));
    }
    let values = cast(&var.flatten_all()?, DType::F64)?.to_vec1::<f64>()?;
    match values.iter().enumerate().find(|(_, value)| **value < 0.) {
        Some((index, value)) => Err(Error::Value {
            layer: NAME.into(),
            argument: "var",
            index,
            value: value.to_string(),
            expected: "a variance, at least 0".into(),
        }),
        None => Ok(check::repeated(&shaped, dims)?),
    }
}

struct GaussianNll(GaussianNllConfig);

impl GaussianNll {
    fn bounded(&self, var: &Tensor) -> Result<Tensor> {
        let least = (var.zeros_like()? + self.0.eps)?;
        var.lt(self.0.eps)?.where_cond(&least, var)
    }
}

impl Elementwise<3> for GaussianNll {
    const NAME: &'static str = NAME;

    fn value(&self, [x, t, var]: &[Tensor; 3]) -> Result<Tensor> {
        let var = self.bounded(var)?;
        let losses = ((var.log()? + ((x - t)?.sqr()? / var)?)? * 0.5)?;
        match self.0.full {
            true => losses + 0.5 * (2. * PI).ln(),
            false => Ok(losses),
        }
    }

    fn slope(&self, [x, t, var]: &[Tensor; 3], i: usize) -> Result<Tensor> {
        let var = self.bounded(var)?;
        let scaled = ((x - t)? / &var)?;
        match i {
            0 => Ok(scaled),
            1 => scaled.neg(),
            _ => (var.recip()? - scaled.sqr()?)? * 0.5,
        }
    }
}
