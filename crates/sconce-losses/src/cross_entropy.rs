//! Softmax cross-entropy.

mod composite;
mod fused;

use crate::Reduction;
use candle_core::{DType, Result, Tensor};
use sconce_core::cpu::has_kernel;
use sconce_core::{Error, dispatch_real, function, graph};

const NAME: &str = "cross_entropy";

/// Options of [`cross_entropy_with`]; the defaults are PyTorch's.
#[derive(Debug, Clone)]
pub struct CrossEntropyConfig {
    /// A weight a class, at least 0: `[classes]`. None counts all the same.
    pub weight: Option<Tensor>,
    /// Rows with this target count for nothing. It may be a class or no class at all.
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

/// Softmax cross-entropy between logits and class numbers.
///
/// l = −log softmax(x)\[t\]. It is computed from each row's maximum, so that no logits overflow. The mean is over the rows.
///
/// # Shapes
/// `logits`: `[batch, classes, *positions]`; `targets`: `[batch, *positions]`, of type `u8`, `u32` or `i64`;
/// output: like `targets` with [`Reduction::None`], else a scalar
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
/// Σ l / Σ w\[t\] over the rows that count; if none does, it is NaN, as PyTorch's.
///
/// # Shapes
/// Those of [`cross_entropy`].
///
/// # Errors
/// Those of [`cross_entropy`]; a weight that is negative or not finite, or another number of them than classes; a smoothing
/// outside \[0, 1\].
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
    let rows = Rows::new(logits, targets, cfg)?;
    let flat = classes_last(logits)?;
    let losses = if has_kernel(&flat) {
        dispatch_real!(flat, fused::cross_entropy(&flat, rows, reduction))?
    } else {
        let losses = composite::cross_entropy(&flat, &rows, reduction)?;
        graph::note(NAME, &[&flat], std::slice::from_ref(&losses));
        losses
    };
    match reduction {
        Reduction::None if losses.dims() != targets.dims() => function::reshape(&losses, targets.shape()),
        _ => Ok(losses),
    }
}

/// `[batch, classes, *positions]` as `[batch · positions, classes]`.
fn classes_last(logits: &Tensor) -> Result<Tensor> {
    if logits.rank() == 2 {
        return Ok(logits.clone());
    }
    let classes = logits.dim(1)?;
    logits
        .flatten_from(2)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape(((), classes))
}

/// What is known of each row besides its logits, and checked.
#[derive(Debug)]
struct Rows {
    classes: usize,
    /// The class; `None` for a row that counts for nothing.
    targets: Vec<Option<usize>>,
    /// The weights of the classes.
    weights: Option<Vec<f64>>,
    smoothing: f64,
}

impl Rows {
    fn new(logits: &Tensor, targets: &Tensor, cfg: &CrossEntropyConfig) -> sconce_core::Result<Self> {
        let [batch, classes @ (1..), positions @ ..] = logits.dims() else {
            let expected = "[batch, classes, *positions], at least one class";
            return Err(Error::shape(NAME, "logits", expected, logits.dims()));
        };
        if targets.dims().split_first() != Some((batch, positions)) {
            let axes = if positions.is_empty() {
                "[batch"
            } else {
                "[batch, *positions"
            };
            let expected = format!("{axes}] = {:?}", [&[*batch], positions].concat());
            return Err(Error::shape(NAME, "targets", expected, targets.dims()));
        }
        if !matches!(targets.dtype(), DType::U8 | DType::U32 | DType::I64) {
            let (expected, got) = ("u8, u32 or i64".to_string(), targets.dtype());
            return Err(Error::DType {
                layer: NAME.into(),
                argument: "targets",
                expected,
                got,
            });
        }
        if !(0. ..=1.).contains(&cfg.label_smoothing) {
            let expected = "between 0 and 1";
            return Err(Error::config(
                NAME,
                "label_smoothing",
                cfg.label_smoothing,
                expected,
            ));
        }
        let classes = *classes;
        let class = |(index, target): (usize, i64)| match usize::try_from(target) {
            _ if target == cfg.ignore_index => Ok(None),
            Ok(class) if class < classes => Ok(Some(class)),
            _ => Err(Error::Value {
                layer: NAME.into(),
                argument: "targets",
                index,
                value: target.to_string(),
                expected: format!(
                    "a class, at least 0 and below {classes}, or ignore_index = {}",
                    cfg.ignore_index
                ),
            }),
        };
        let targets = targets.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        Ok(Self {
            classes,
            targets: targets
                .into_iter()
                .enumerate()
                .map(class)
                .collect::<sconce_core::Result<_>>()?,
            weights: cfg
                .weight
                .as_ref()
                .map(|weight| weights(weight, classes))
                .transpose()?,
            smoothing: cfg.label_smoothing,
        })
    }

    fn weight(&self, class: usize) -> f64 {
        match &self.weights {
            Some(weights) => weights.get(class).copied().unwrap_or(0.),
            None => 1.,
        }
    }

    /// What the mean divides by: Σ w\[t\].
    fn count(&self) -> f64 {
        self.targets
            .iter()
            .flatten()
            .map(|&class| self.weight(class))
            .sum()
    }
}

fn weights(weight: &Tensor, classes: usize) -> sconce_core::Result<Vec<f64>> {
    if weight.dims() != [classes] {
        return Err(Error::shape(
            NAME,
            "weight",
            format!("[classes = {classes}]"),
            weight.dims(),
        ));
    }
    let weights = weight.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    match weights
        .iter()
        .enumerate()
        .find(|(_, weight)| !(weight.is_finite() && **weight >= 0.))
    {
        Some((index, weight)) => {
            let (value, expected) = (weight.to_string(), "a finite number, at least 0".to_string());
            Err(Error::Value {
                layer: NAME.into(),
                argument: "weight",
                index,
                value,
                expected,
            })
        }
        None => Ok(weights),
    }
}

#[cfg(test)]
mod tests;
