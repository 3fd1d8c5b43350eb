//! Multi-class margin loss.

use crate::rows::{check_targets, class_weights, classes};
use crate::{Reduction, check};
use candle_core::{D, DType, Result, Tensor};
use sconce_core::{Error, graph, widened};

const NAME: &str = "multi_margin";

/// What a class within the margin costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiMarginNorm {
    /// What it lacks: PyTorch's `p=1`.
    #[default]
    One,
    /// Its square: PyTorch's `p=2`.
    Two,
}

/// Options of [`multi_margin`]; the defaults are PyTorch's.
#[derive(Debug, Clone)]
pub struct MultiMarginConfig {
    /// What a class within the margin costs.
    pub p: MultiMarginNorm,
    /// By how much the target's score must be above every other.
    pub margin: f64,
    /// A weight a class, at least 0: `[classes]`. None counts all the same.
    pub weight: Option<Tensor>,
}

impl Default for MultiMarginConfig {
    fn default() -> Self {
        Self {
            p: MultiMarginNorm::One,
            margin: 1.,
            weight: None,
        }
    }
}

/// Hinge loss of scores for several classes, one of which is right.
///
/// l = w\[t\]/K · Σ_{c≠t} max(0, margin − x\[t\] + x\[c\])^p, where K is the number of classes. The mean is over the rows,
/// whatever the weights; over no row it is NaN. At the bend the gradient is 0. `input` gets its gradient, if it is tracked.
///
/// # Shapes
/// `input`: `[batch, classes]` or `[classes]`; `targets`: `[batch]` or a scalar, of type `u8`, `u32` or `i64`; output: like
/// `targets` with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a target that is no class, with its position and value; a weight that is negative,
/// not finite or tracked, or another number of them than classes; a margin that isn't finite.
///
/// # Source
/// Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", 2001;
/// `torch.nn.functional.multi_margin_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{MultiMarginConfig, Reduction, multi_margin};
/// let scores = Tensor::new(&[[1f64, 0.5, -3., 1.]], &Device::Cpu)?;
/// let classes = Tensor::new(&[0u32], &Device::Cpu)?;
/// let loss = multi_margin(&scores, &classes, &MultiMarginConfig::default(), Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f64>()?, (0.5 + 1.) / 4.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn multi_margin(
    input: &Tensor,
    targets: &Tensor,
    cfg: &MultiMarginConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let (scores, classes) = scores(NAME, input)?;
    check::finite(NAME, "margin", cfg.margin)?;
    let numbers = numbers(targets, input, classes)?;
    let weights = match &cfg.weight {
        Some(weight) => Some(class_weights(NAME, weight, classes)?),
        None => None,
    };
    if let Some(loss) = widened(input, |wide| multi_margin(&wide(input)?, targets, cfg, reduction))? {
        return Ok(loss);
    }
    let rows = numbers.len();
    let index = Tensor::from_vec(numbers.clone(), (rows, 1), input.device())?;
    let right = scores.contiguous()?.gather(&index, D::Minus1)?;
    let other = numbers
        .iter()
        .flat_map(|&target| (0..classes).map(move |c| u8::from(c != target as usize)))
        .collect::<Vec<_>>();
    let other = Tensor::from_vec(other, (rows, classes), input.device())?;
    let mut costs = lacking(&scores, &right, &other, cfg.margin)?;
    if cfg.p == MultiMarginNorm::Two {
        costs = costs.sqr()?;
    }
    let mut losses = (costs.sum(D::Minus1)? / classes as f64)?;
    if let Some(weights) = weights {
        let weight = |&target: &u32| weights.get(target as usize).copied().unwrap_or(0.);
        let factors: Vec<f64> = numbers.iter().map(weight).collect();
        losses = (losses * Tensor::from_vec(factors, rows, input.device())?.to_dtype(input.dtype())?)?;
    }
    let loss = match reduction {
        Reduction::None => losses.reshape(targets.shape())?,
        _ => reduction.composite(&losses, rows as f64)?,
    };
    graph::note(NAME, &[input], std::slice::from_ref(&loss));
    Ok(loss)
}

/// The scores as `[rows, classes]`, and the number of classes.
pub(super) fn scores(name: &'static str, input: &Tensor) -> sconce_core::Result<(Tensor, usize)> {
    check::float(name, "input", input)?;
    match (input.rank(), classes(name, "input", input)?) {
        (1, classes) => Ok((input.unsqueeze(0)?, classes)),
        (2, classes) => Ok((input.clone(), classes)),
        _ => {
            let expected = "[batch, classes] or [classes]";
            Err(Error::shape(name, "input", expected, input.dims()))
        }
    }
}

/// max(0, margin − right + scores) where `counts`, else 0.
///
/// Of two infinite scores the difference isn't a number: as in PyTorch it costs nothing. A score that isn't a number stays so.
pub(super) fn lacking(scores: &Tensor, right: &Tensor, counts: &Tensor, margin: f64) -> Result<Tensor> {
    let lacks = (scores.broadcast_sub(right)? + margin)?;
    let nan = scores.ne(scores)?.broadcast_maximum(&right.ne(right)?)?;
    let taken = (lacks.gt(0.)?.maximum(&nan)? * counts)?;
    taken.where_cond(&lacks, &lacks.zeros_like()?)
}

fn numbers(targets: &Tensor, input: &Tensor, classes: usize) -> sconce_core::Result<Vec<u32>> {
    check_targets(NAME, input, targets)?;
    let class = |(index, target): (usize, i64)| match u32::try_from(target) {
        Ok(class) if (class as usize) < classes => Ok(class),
        _ => Err(Error::Value {
            layer: NAME.into(),
            argument: "targets",
            index,
            value: target.to_string(),
            expected: format!("a class, at least 0 and below {classes}"),
        }),
    };
    let targets = targets.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    targets.into_iter().enumerate().map(class).collect()
}
