//! Cross-entropy from candle operations: the oracle of the kernel, and what runs on other devices.

use crate::Reduction;
use crate::rows::Rows;
use candle_core::{D, Result, Tensor};

pub(super) fn cross_entropy(
    logits: &Tensor,
    rows: &Rows,
    smoothing: f64,
    reduction: Reduction,
) -> Result<Tensor> {
    let log_softmax = log_softmax(logits)?;
    let mut losses = rows.pick(&log_softmax, |class| -(1. - smoothing) * rows.weight(class))?;
    if smoothing > 0. {
        let share = smoothing / rows.classes as f64;
        let weights: Vec<f64> = (0..rows.classes)
            .map(|class| -share * rows.weight(class))
            .collect();
        let weights = Tensor::from_vec(weights, rows.classes, logits.device())?.to_dtype(logits.dtype())?;
        losses = (losses + log_softmax.broadcast_mul(&weights)?.sum(D::Minus1)?)?;
    }
    reduction.composite(&rows.that_count(&losses)?, rows.count())
}

/// Over the last axis.
pub(super) fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    if logits.elem_count() == 0 {
        // candle knows no maximum of nothing.
        return Ok(logits.clone());
    }
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}
