//! Binary cross-entropy of probabilities.

use crate::stable::{ln_1p, working};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{Backward, Error, Function, Output, apply1};

const NAME: &str = "bce";

/// The least that the slope by p divides by: PyTorch's constant, which it holds in single precision.
const LEAST: f64 = 1e-12_f32 as f64;

/// Options of [`bce`].
#[derive(Debug, Clone, Default)]
pub struct BceConfig {
    /// Factors of the losses, of any shape that broadcasts to theirs, such as `[batch, 1]`. None counts all the same.
    pub weight: Option<Tensor>,
}

/// Binary cross-entropy between probabilities and targets.
///
/// l = −w·(t·max(ln p, −100) + (1 − t)·max(ln(1 − p), −100)); the mean is over all elements, whatever the weights. Bounded
/// logarithms keep a sure mistake's loss at 100. The slope by p is (p − t) / max(p(1 − p), 10⁻¹²), as PyTorch's; the slope by t
/// is the bounded function's own, where PyTorch's becomes infinite. Both arguments get their gradient, if they are tracked.
///
/// From logits, [`bce_with_logits`](crate::bce_with_logits()) has neither the bound nor its need.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a value that isn't between 0 and 1, with
/// its position; a weight of another type, or that doesn't broadcast.
///
/// # Source
/// `torch.nn.functional.binary_cross_entropy`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{BceConfig, Reduction, bce};
/// let probabilities = Tensor::new(&[0.5f64, 1., 0.], &Device::Cpu)?;
/// let targets = Tensor::new(&[1f64, 1., 1.], &Device::Cpu)?;
/// let losses = bce(&probabilities, &targets, &BceConfig::default(), Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln(), 0., 100.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn bce(input: &Tensor, target: &Tensor, cfg: &BceConfig, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    check::probabilities(NAME, "input", input)?;
    check::probabilities(NAME, "target", target)?;
    let mut losses = apply1(Bce, &[input, target])?;
    if let Some(weight) = &cfg.weight {
        losses = (losses * check::broadcast(NAME, "weight", weight, input)?)?;
    }
    reduction.composite(&losses, input.elem_count() as f64)
}

struct Bce;

/// The bounded logarithms of p and of 1 − p.
fn logarithms(p: &Tensor) -> Result<(Tensor, Tensor)> {
    let bounded = |x: Tensor| x.maximum(-100.);
    Ok((bounded(p.log()?)?, bounded(ln_1p(&p.neg()?)?)?))
}

impl Function for Bce {
    /// The input and the target.
    type Saved = [Tensor; 2];

    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let [input, target] = inputs else {
            return Err(Error::config(NAME, "inputs", inputs.len(), "two").into());
        };
        let (yes, no) = logarithms(&working(input)?)?;
        let t = working(target)?;
        let losses = ((&t * yes)? + ((1. - &t)? * no)?)?.neg()?;
        let output = Output::copy_of(&losses.to_dtype(input.dtype())?)?;
        Ok((vec![output], [input.clone(), target.clone()]))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None, None]);
        };
        let [p, t] = ctx.saved;
        let (p, t) = (working(p)?, working(t)?);
        let times = |slope: Tensor| grad * slope.to_dtype(grad.dtype())?;
        let by_input = || times(((&p - &t)? / ((1. - &p)? * &p)?.maximum(LEAST)?)?);
        let by_target = || {
            let (yes, no) = logarithms(&p)?;
            times((no - yes)?)
        };
        Ok(vec![
            ctx.wants(0).then(by_input).transpose()?,
            ctx.wants(1).then(by_target).transpose()?,
        ])
    }
}

#[cfg(test)]
mod tests;
