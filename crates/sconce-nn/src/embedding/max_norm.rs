//! A bound on the norm of rows.

use candle_core::{DType, Result, Tensor};
use sconce_core::cast;

/// Added to a norm before it divides, as in PyTorch.
const SMALL: f64 = 1e-7;

/// Shortens those rows of `weight` that are among `ids` and longer than `max_norm`, in place.
pub(super) fn shorten(weight: &Tensor, ids: &[usize], max_norm: f64, p: f64) -> Result<()> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(());
    }
    let index = Tensor::new(
        ids.iter().map(|&id| id as i64).collect::<Vec<_>>(),
        weight.device(),
    )?;
    let rows = weight.index_select(&index, 0)?;
    for (row, (norm, id)) in norms(&rows, p)?.into_iter().zip(ids).enumerate() {
        if norm > max_norm {
            let short = (rows.narrow(0, row, 1)? * (max_norm / (norm + SMALL)))?;
            weight.slice_set(&short, 0, id)?;
        }
    }
    Ok(())
}

/// The p-norm of each row.
fn norms(rows: &Tensor, p: f64) -> Result<Vec<f64>> {
    let size = cast(rows, DType::F64)?.abs()?;
    let norms = if p == f64::INFINITY {
        size.max(1)?
    } else if p == 2. {
        size.sqr()?.sum(1)?.sqrt()?
    } else {
        size.powf(p)?.sum(1)?.powf(1. / p)?
    };
    norms.to_vec1()
}
