//! Connectionist temporal classification.

pub(crate) mod batch;
mod composite;
mod fused;

use crate::{Reduction, check};
use batch::Batch;
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{dispatch_real, function, graph, widened};

const NAME: &str = "ctc";

/// Options of [`ctc`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CtcConfig {
    /// The class that stands for no label.
    pub blank: usize,
    /// Whether a row whose frames can't hold its labels counts as 0, in its loss and its gradient, and not as infinite.
    pub zero_infinity: bool,
}

/// Connectionist temporal classification: how unlikely it is that frames, each labelled or left blank, spell the targets.
///
/// l = −ln Σ_π Π_t p_t\[π_t\], where π runs over all ways to label the frames which, once runs of the same label are merged and
/// then blanks removed, leave the targets. So a row of n labels, r of which equal the one before, needs n + r frames; with
/// fewer its loss is infinite, as PyTorch's. A row with no labels spells nothing but blanks, one with no frames nothing at all.
/// The mean divides each loss by its number of labels, at least 1, and then averages over the batch.
///
/// `log_probs` must be logarithms of probabilities, as log-softmax gives them over the classes: the gradient is
/// exp(`log_probs`) less the posterior probability of each class at each frame, as PyTorch's. That is the loss's derivative by
/// what went into the log-softmax, and through log-softmax's own backward it stays the same; the derivative by `log_probs` as
/// free numbers would be the negative posterior alone. Frames past a row's length get 0, and a row whose loss is infinite a
/// gradient that isn't finite.
///
/// # Shapes
/// `log_probs`: `[frames, batch, classes]` or `[frames, classes]`; `targets`: class numbers of type `u8`, `u32` or `i64`,
/// `[batch, longest]` of which only each row's first are read, or all rows' one after the other, `[Σ target_lengths]`;
/// `input_lengths`, `target_lengths`: one a row; output: `[batch]`, or a scalar if there is no axis of it, with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a length above what there is, or a target that is no class or the blank, with its
/// position and value; a `blank` that is no class.
///
/// # Source
/// Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural networks",
/// 2006; `torch.nn.functional.ctc_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{CtcConfig, Reduction, ctc};
/// // Two frames, each with even odds between a blank and the label 1: 1–, –1 and 11 spell it, –– doesn't.
/// let log_probs = Tensor::full(0.5f64.ln(), (2, 1, 2), &Device::Cpu)?;
/// let targets = Tensor::new(&[[1u32]], &Device::Cpu)?;
/// let loss = ctc(&log_probs, &targets, &[2], &[1], &CtcConfig::default(), Reduction::Mean)?;
/// assert!((loss.to_scalar::<f64>()? + 0.75f64.ln()).abs() < 1e-15);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn ctc(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: &[usize],
    target_lengths: &[usize],
    cfg: &CtcConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::float(NAME, "log_probs", log_probs)?;
    let batch = Batch::new(log_probs, targets, input_lengths, target_lengths, cfg.blank)?;
    let of_half = widened(log_probs, |wide| {
        ctc(
            &wide(log_probs)?,
            targets,
            input_lengths,
            target_lengths,
            cfg,
            reduction,
        )
    })?;
    if let Some(loss) = of_half {
        return Ok(loss);
    }
    let rows = function::reshape(log_probs, (batch.frames, batch.rows.len(), batch.classes))?;
    let loss = if has_kernel(&rows) {
        dispatch_real!(rows, fused::ctc(&rows, batch, cfg.zero_infinity, reduction))?
    } else {
        let loss = composite::ctc(&rows, &batch, cfg.zero_infinity, reduction)?;
        graph::note(NAME, &[&rows], std::slice::from_ref(&loss));
        loss
    };
    match (reduction, log_probs.rank()) {
        (Reduction::None, 2) => function::reshape(&loss, ()),
        _ => Ok(loss),
    }
}

#[cfg(test)]
mod tests;
