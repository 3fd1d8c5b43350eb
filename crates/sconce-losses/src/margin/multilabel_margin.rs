//! Multi-label margin loss.

use super::multi_margin::{lacking, scores};
use crate::Reduction;
use candle_core::{D, DType, Result, Tensor};
use sconce_core::{Error, graph, widened};

const NAME: &str = "multilabel_margin";

/// Hinge loss of scores for several classes, some of which are right: each of them must be above each of the others by 1.
///
/// l = 1/K · Σ_t Σ_c max(0, 1 − x\[t\] + x\[c\]), over the right classes t and the other classes c, where K is the number of
/// classes. A row of targets lists its classes and ends at the first −1; what stands behind it says nothing. A class that is
/// listed twice counts twice. The mean is over the rows; over no row it is NaN. At the bend the gradient is 0. `input` gets its
/// gradient, if it is tracked.
///
/// # Shapes
/// `input`: `[batch, classes]` or `[classes]`; `targets`: the same, of type `i64`; output: `[batch]` or a scalar with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a target that is neither a class nor −1, with its position and value.
///
/// # Source
/// `torch.nn.functional.multilabel_margin_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, multilabel_margin};
/// let scores = Tensor::new(&[[0.1f64, 0.2, 0.4, 0.8]], &Device::Cpu)?;
/// let classes = Tensor::new(&[[3i64, 0, -1, 1]], &Device::Cpu)?;
/// let loss = multilabel_margin(&scores, &classes, Reduction::Mean)?.to_scalar::<f64>()?;
/// assert!((loss - 0.25 * (0.4 + 0.6 + 1.1 + 1.3)).abs() < 1e-12);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn multilabel_margin(input: &Tensor, targets: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let (scores, classes) = scores(NAME, input)?;
    let rows = labels(targets, input, classes)?;
    if let Some(loss) = widened(input, |wide| multilabel_margin(&wide(input)?, targets, reduction))? {
        return Ok(loss);
    }
    // Rows have different numbers of labels: the shorter ones are filled up with class 0, which then counts for nothing.
    let most = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut index = Vec::with_capacity(rows.len() * most);
    let mut counts = Vec::with_capacity(rows.len() * most * classes);
    for labels in &rows {
        let other: Vec<u8> = (0..classes)
            .map(|c| u8::from(!labels.contains(&(c as u32))))
            .collect();
        for k in 0..most {
            index.push(labels.get(k).copied().unwrap_or(0));
            let here = u8::from(k < labels.len());
            counts.extend(other.iter().map(|other| other * here));
        }
    }
    let index = Tensor::from_vec(index, (rows.len(), most), input.device())?;
    let counts = Tensor::from_vec(counts, (rows.len(), most, classes), input.device())?;
    let right = scores
        .contiguous()?
        .gather(&index, D::Minus1)?
        .unsqueeze(D::Minus1)?;
    let costs = lacking(&scores.unsqueeze(1)?, &right, &counts, 1.)?;
    let losses = (costs.sum((1, 2))? / classes as f64)?;
    let loss = match reduction {
        Reduction::None if input.rank() == 1 => losses.squeeze(0)?,
        _ => reduction.composite(&losses, rows.len() as f64)?,
    };
    graph::note(NAME, &[input], std::slice::from_ref(&loss));
    Ok(loss)
}

/// The classes of each row.
fn labels(targets: &Tensor, input: &Tensor, classes: usize) -> sconce_core::Result<Vec<Vec<u32>>> {
    if targets.dims() != input.dims() {
        let expected = format!("{:?}, the input's", input.dims());
        return Err(Error::shape(NAME, "targets", expected, targets.dims()));
    }
    if targets.dtype() != DType::I64 {
        return Err(Error::DType {
            layer: NAME.into(),
            argument: "targets",
            expected: "i64".into(),
            got: targets.dtype(),
        });
    }
    let targets = targets.flatten_all()?.to_vec1::<i64>()?;
    let wrong = |(_, target): &(usize, &i64)| !(-1..classes as i64).contains(*target);
    if let Some((index, target)) = targets.iter().enumerate().find(wrong) {
        return Err(Error::Value {
            layer: NAME.into(),
            argument: "targets",
            index,
            value: target.to_string(),
            expected: format!("a class, at least 0 and below {classes}, or -1 for the end"),
        });
    }
    let row = |row: &[i64]| {
        row.iter()
            .map_while(|&target| u32::try_from(target).ok())
            .collect()
    };
    Ok(targets.chunks_exact(classes).map(row).collect())
}
