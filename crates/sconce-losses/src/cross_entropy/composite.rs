//! Cross-entropy from candle operations: the oracle of the kernel, and what runs on other devices.

use super::Rows;
use crate::Reduction;
use candle_core::{D, Result, Tensor};

pub(super) fn cross_entropy(logits: &Tensor, rows: &Rows, reduction: Reduction) -> Result<Tensor> {
    let (device, dtype, count) = (logits.device(), logits.dtype(), rows.targets.len());
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_softmax = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;

    let classes: Vec<u32> = rows
        .targets
        .iter()
        .map(|target| target.unwrap_or(0) as u32)
        .collect();
    let of_targets = log_softmax
        .gather(&Tensor::from_vec(classes, (count, 1), device)?, D::Minus1)?
        .squeeze(D::Minus1)?;
    let per_row = |value: &dyn Fn(usize) -> f64| -> Result<Tensor> {
        let values = rows.targets.iter().map(|target| target.map_or(0., value));
        Tensor::from_iter(values, device)?.to_dtype(dtype)
    };
    let mut losses = (of_targets * per_row(&|class| -(1. - rows.smoothing) * rows.weight(class))?)?;
    if rows.smoothing > 0. {
        let share = rows.smoothing / rows.classes as f64;
        let weights: Vec<f64> = (0..rows.classes)
            .map(|class| -share * rows.weight(class))
            .collect();
        let weights = Tensor::from_vec(weights, rows.classes, device)?.to_dtype(dtype)?;
        losses = (losses + log_softmax.broadcast_mul(&weights)?.sum(D::Minus1)?)?;
    }
    // Chosen and not multiplied: what is left out may be infinite.
    let counts = rows.targets.iter().map(|target| u8::from(target.is_some()));
    let losses = Tensor::from_iter(counts, device)?.where_cond(&losses, &losses.zeros_like()?)?;
    reduction.composite(&losses, rows.count())
}
