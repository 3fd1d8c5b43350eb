//! Softmax cross-entropy.

mod composite;
mod fused;
mod soft;

use crate::rows::{Rows, classes_last};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{Error, dispatch_real, function, graph, widened};

const NAME: &str = "cross_entropy";

/// Options of [`cross_entropy_with`]; the defaults are PyTorch's.
#[derive(Debug, Clone)]
pub struct CrossEntropyConfig {
    /// A weight a class, at least 0: `[classes]`. None counts all the same.
    pub weight: Option<Tensor>,
    /// Rows with this target count for nothing. It may be a class or no class at all; with probabilities as targets, leave
    /// it negative.
    pub ignore_index: i64,
    /// How much of each target is spread evenly over all classes, from 0 to 1.
    pub label_smoothing: f64,
}

impl Default for CrossEntropyConfig {
    fn default() -> Self {
        Self {
            weight: None,
            ignore_index: -100,
            label_smoothing: 0.,
        }
    }
}

/// Softmax cross-entropy between logits and class numbers, or probabilities of the classes.
///
/// l = −log softmax(x)\[t\], or −Σ_c t\[c\]·log softmax(x)\[c\]. It is computed from each row's maximum, so that no logits
/// overflow. The mean is over the rows. Probabilities get their gradient too, if they are tracked.
///
/// # Shapes
/// `logits`: `[batch, classes, *positions]` or `[classes]`; `targets`: class numbers of the logits' shape without `classes`, of
/// type `u8`, `u32` or `i64`, or probabilities of the logits' own shape and type; output: the logits' shape without `classes`
/// with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a target that is no class, with its position and value.
///
/// # Source
/// `torch.nn.functional.cross_entropy`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, cross_entropy};
/// let logits = Tensor::new(&[[1e4f32, -1e4], [0., 0.]], &Device::Cpu)?;
/// let targets = Tensor::new(&[0u32, 1], &Device::Cpu)?;
/// let losses = cross_entropy(&logits, &targets, Reduction::None)?.to_vec1::<f32>()?;
/// assert_eq!(losses, [0., 2f32.ln()]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, reduction: Reduction) -> Result<Tensor> {
    cross_entropy_with(logits, targets, &CrossEntropyConfig::default(), reduction)
}

/// [`cross_entropy`] with class weights, rows that are left out, and label smoothing.
///
/// l = −(1 − ε)·w\[t\]·log p\[t\] − ε/K · Σ_c w\[c\]·log p\[c\], where p = softmax(x) and K is the number of classes. The mean is
/// Σ l / Σ w\[t\] over the rows that count; if none does, it is NaN, as PyTorch's. With probabilities
/// l = −Σ_c w\[c\]·((1 − ε)·t\[c\] + ε/K)·log p\[c\], and the mean divides by the number of rows, whatever the weights.
///
/// # Shapes
/// Those of [`cross_entropy`].
///
/// # Errors
/// Those of [`cross_entropy`]; a weight that is negative, not finite or tracked, or another number of them than classes; a
/// smoothing outside \[0, 1\]; an `ignore_index` of 0 or more with probabilities.
///
/// # Source
/// `torch.nn.functional.cross_entropy`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{CrossEntropyConfig, Reduction, cross_entropy_with};
/// let logits = Tensor::new(&[[0f64, 0.], [0., 0.]], &Device::Cpu)?;
/// let targets = Tensor::new(&[1i64, -1], &Device::Cpu)?;
/// let cfg = CrossEntropyConfig { ignore_index: -1, ..CrossEntropyConfig::default() };
/// let losses = cross_entropy_with(&logits, &targets, &cfg, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln(), 0.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn cross_entropy_with(
    logits: &Tensor,
    targets: &Tensor,
    cfg: &CrossEntropyConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    if !(0. ..=1.).contains(&cfg.label_smoothing) {
        let expected = "between 0 and 1";
        return Err(Error::config(NAME, "label_smoothing", cfg.label_smoothing, expected).into());
    }
    check::float(NAME, "logits", logits)?;
    if targets.dtype().is_float() {
        return soft::cross_entropy(logits, targets, cfg, reduction);
    }
    let weight = cfg.weight.as_ref();
    let rows = Rows::new(NAME, "logits", logits, targets, weight, cfg.ignore_index)?;
    if let Some(loss) = widened(logits, |wide| {
        cross_entropy_with(&wide(logits)?, targets, cfg, reduction)
    })? {
        return Ok(loss);
    }
    let (flat, smoothing) = (classes_last(logits)?, cfg.label_smoothing);
    let losses = if has_kernel(&flat) {
        dispatch_real!(flat, fused::cross_entropy(&flat, rows, smoothing, reduction))?
    } else {
        let losses = composite::cross_entropy(&flat, &rows, smoothing, reduction)?;
        graph::note(NAME, &[&flat], std::slice::from_ref(&losses));
        losses
    };
    match reduction {
        Reduction::None if losses.dims() != targets.dims() => function::reshape(&losses, targets.shape()),
        _ => Ok(losses),
    }
}

#[cfg(test)]
mod tests;
