//! Kullback–Leibler divergence.

use crate::elementwise::{Elementwise, elementwise};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};

const NAME: &str = "kl_div";

/// Options of [`kl_div`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KlDivConfig {
    /// Whether `target` holds logarithms too.
    pub log_target: bool,
    /// Whether [`Reduction::Mean`] divides by the length of the first axis instead of the number of elements: PyTorch's reduction
    /// `batchmean`, which is the divergence's mean over the batch.
    pub batchmean: bool,
}

/// Kullback–Leibler divergence of the targets' distribution from a predicted one, whose logarithmic probabilities come in.
///
/// l = t·(ln t − x), or eᵗ·(t − x) with `log_target`. The mean divides by the number of elements, not of distributions; see
/// [`KlDivConfig::batchmean`]. A target of probability 0 contributes 0, whatever was predicted for it, −∞ too (where PyTorch's
/// 0·∞ is NaN). Both arguments get their gradient, if they are tracked; the slope by a target that is 0 is infinite without
/// `log_target`, where PyTorch's is NaN.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point.
///
/// # Source
/// Kullback and Leibler, "On information and sufficiency", 1951; `torch.nn.functional.kl_div`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{KlDivConfig, Reduction, kl_div};
/// let predicted = Tensor::new(&[[0.25f64, 0.75]], &Device::Cpu)?.log()?;
/// let target = Tensor::new(&[[0f64, 1.]], &Device::Cpu)?;
/// let batchmean = KlDivConfig { batchmean: true, ..KlDivConfig::default() };
/// let loss = kl_div(&predicted, &target, &batchmean, Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f64>()?, -0.75f64.ln());
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn kl_div(input: &Tensor, target: &Tensor, cfg: &KlDivConfig, reduction: Reduction) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    let losses = match cfg.log_target {
        true => elementwise(OfLogarithms, [input, target])?,
        false => elementwise(OfProbabilities, [input, target])?,
    };
    let count = match (cfg.batchmean, input.dims()) {
        (true, [batch, ..]) => *batch,
        (true, []) => 1,
        (false, _) => input.elem_count(),
    };
    reduction.composite(&losses, count as f64)
}

/// The terms, and 0 where the target's probability is 0 and the prediction is a number.
fn counted(terms: &Tensor, x: &Tensor, t: &Tensor, nothing: f64) -> Result<Tensor> {
    let out = (t.eq(nothing)? * x.eq(x)?)?;
    out.where_cond(&terms.zeros_like()?, terms)
}

struct OfProbabilities;

impl Elementwise<2> for OfProbabilities {
    const NAME: &'static str = NAME;

    fn value(&self, [x, t]: &[Tensor; 2]) -> Result<Tensor> {
        // Two products, since a prediction may be infinite where its target is not 0.
        counted(&((t * t.log()?)? - (t * x)?)?, x, t, 0.)
    }

    fn slope(&self, [x, t]: &[Tensor; 2], i: usize) -> Result<Tensor> {
        match i {
            0 => t.neg(),
            _ => (t.log()? + 1.)? - x,
        }
    }
}

struct OfLogarithms;

impl Elementwise<2> for OfLogarithms {
    const NAME: &'static str = NAME;

    fn value(&self, [x, t]: &[Tensor; 2]) -> Result<Tensor> {
        counted(&(t.exp()? * (t - x)?)?, x, t, f64::NEG_INFINITY)
    }

    fn slope(&self, [x, t]: &[Tensor; 2], i: usize) -> Result<Tensor> {
        match i {
            0 => t.exp()?.neg(),
            _ => counted(&(t.exp()? * ((t - x)? + 1.)?)?, x, t, f64::NEG_INFINITY),
        }
    }
}
