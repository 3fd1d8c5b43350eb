//! Cross-entropy with probabilities as targets.

use super::composite::log_softmax;
use super::{CrossEntropyConfig, NAME};
use crate::rows::{class_weights, classes, classes_last, without_classes};
use crate::{Reduction, check};
use candle_core::{D, Result, Tensor};
use sconce_core::{Error, graph, widened};

pub(super) fn cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    cfg: &CrossEntropyConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let classes = classes(NAME, "logits", logits)?;
    if targets.dims() != logits.dims() {
        let expected = format!(
            "{:?}, the logits', for probabilities (class numbers are u8, u32 or i64)",
            logits.dims()
        );
        return Err(Error::shape(NAME, "targets", expected, targets.dims()).into());
    }
    check::same_dtype(NAME, "targets", targets, logits.dtype())?;
    if cfg.ignore_index >= 0 {
        let expected = "negative, since targets that are probabilities are no class to ignore";
        return Err(Error::config(NAME, "ignore_index", cfg.ignore_index, expected).into());
    }
    if let Some(loss) = widened(logits, |wide| {
        cross_entropy(&wide(logits)?, &wide(targets)?, cfg, reduction)
    })? {
        return Ok(loss);
    }
    let mut probabilities = classes_last(targets)?;
    if cfg.label_smoothing > 0. {
        let share = cfg.label_smoothing / classes as f64;
        // By a tensor: through a product with the number 0, candle gives no gradient at all.
        let kept = Tensor::new(1. - cfg.label_smoothing, logits.device())?.to_dtype(logits.dtype())?;
        probabilities = (probabilities.broadcast_mul(&kept)? + share)?;
    }
    let mut terms = (log_softmax(&classes_last(logits)?)? * probabilities)?;
    if let Some(weight) = &cfg.weight {
        let weights = class_weights(NAME, weight, classes)?;
        let weights = Tensor::from_vec(weights, classes, logits.device())?.to_dtype(logits.dtype())?;
        terms = terms.broadcast_mul(&weights)?;
    }
    let rows = terms.sum(D::Minus1)?.neg()?;
    let losses = match reduction {
        Reduction::None => rows.reshape(without_classes(logits.dims()).0)?,
        _ => reduction.composite(&rows, rows.elem_count() as f64)?,
    };
    graph::note(NAME, &[logits, targets], std::slice::from_ref(&losses));
    Ok(losses)
}
