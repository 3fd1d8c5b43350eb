//! CTC from candle operations, frame by frame for all rows at once.

use super::batch::{Batch, Row};
use crate::Reduction;
use candle_core::{D, Result, Tensor};

/// The logarithm of what is impossible. It is finite, so that a sum of nothing but such has a gradient, and so large that
/// nothing that is added shows.
const IMPOSSIBLE: f64 = -1e30;

pub(super) fn ctc(
    log_probs: &Tensor,
    batch: &Batch,
    zero_infinity: bool,
    reduction: Reduction,
) -> Result<Tensor> {
    let rows = batch.rows.len();
    if rows == 0 {
        return reduction.composite(&constant(0., &[0], log_probs)?, 0.);
    }
    let of_rows = |f: &dyn Fn(&Row) -> f64| {
        let values: Vec<f64> = batch.rows.iter().map(f).collect();
        Tensor::from_vec(values, rows, log_probs.device())?.to_dtype(log_probs.dtype())
    };
    let losses = log_likelihoods(log_probs, batch)?.neg()?;
    // PyTorch's gradient has exp(log_probs) besides: the gradient of something that is 0.
    let inside = inside(log_probs, batch)?;
    let nothing = constant(IMPOSSIBLE, log_probs.dims(), log_probs)?;
    let total = inside.where_cond(log_probs, &nothing)?.exp()?.sum((0, 2))?;
    let losses = (losses + (&total - total.detach())?)?;
    let possible = losses.detach().lt(-IMPOSSIBLE / 2.)?;
    let losses = if zero_infinity {
        possible.where_cond(&losses, &losses.zeros_like()?)?
    } else {
        let infinite = constant(f64::INFINITY, &[rows], log_probs)?;
        (&losses * possible.where_cond(&losses.ones_like()?, &infinite)?)?
    };
    match reduction {
        Reduction::None => Ok(losses),
        Reduction::Sum => losses.sum_all(),
        Reduction::Mean => (losses / of_rows(&|row| row.labels().max(1) as f64)?)?.sum_all()? / rows as f64,
    }
}

/// Which log-probabilities lie within their row's length.
fn inside(log_probs: &Tensor, batch: &Batch) -> Result<Tensor> {
    let inside: Vec<u8> = (0..batch.frames)
        .flat_map(|t| batch.rows.iter().map(move |row| u8::from(t < row.frames)))
        .collect();
    Tensor::from_vec(inside, (batch.frames, batch.rows.len(), 1), log_probs.device())?
        .broadcast_as(log_probs.shape())
}

fn log_likelihoods(log_probs: &Tensor, batch: &Batch) -> Result<Tensor> {
    let (rows, device, dtype) = (batch.rows.len(), log_probs.device(), log_probs.dtype());
    let width = batch.rows.iter().map(|row| row.states.len()).max().unwrap_or(1);
    let per_state = |f: &dyn Fn(&Row) -> Vec<f64>, fill: f64| {
        let values: Vec<f64> = batch
            .rows
            .iter()
            .flat_map(|row| f(row).into_iter().chain(std::iter::repeat(fill)).take(width))
            .collect();
        Tensor::from_vec(values, (rows, width), device)?.to_dtype(dtype)
    };
    let only = |at: &dyn Fn(&Row, usize) -> bool| {
        let log = |possible: bool| if possible { 0. } else { IMPOSSIBLE };
        per_state(
            &|row| (0..row.states.len()).map(|s| log(at(row, s))).collect(),
            IMPOSSIBLE,
        )
    };
    let classes: Vec<u32> = batch
        .rows
        .iter()
        .flat_map(|row| {
            let states = row.states.iter().map(|&class| class as u32);
            states.chain(std::iter::repeat(0)).take(width)
        })
        .collect();
    let classes = Tensor::from_vec(classes, (rows, width), device)?;
    let skip = per_state(
        &|row| row.skips().map(|may| if may { 0. } else { IMPOSSIBLE }).collect(),
        IMPOSSIBLE,
    )?;
    let end = only(&|row, s| s + 2 >= row.states.len())?;
    // Before the first frame it is as if one had been in the first blank.
    let mut alpha = only(&|_, s| s == 0)?;
    for t in 0..batch.frames {
        let emitted = log_probs
            .get(t)?
            .contiguous()?
            .gather(&classes, D::Minus1)?
            .maximum(IMPOSSIBLE)?;
        let reach = if t == 0 {
            // The first label may be the first frame's.
            only(&|_, s| s < 2)?
        } else {
            let step = shifted(&alpha, 1)?;
            let skipped = (shifted(&alpha, 2)? + &skip)?;
            log_sum_exp(&Tensor::stack(&[&alpha, &step, &skipped], 0)?)?
        };
        let next = (reach + emitted)?;
        let goes_on: Vec<u8> = batch.rows.iter().map(|row| u8::from(t < row.frames)).collect();
        let goes_on = Tensor::from_vec(goes_on, (rows, 1), device)?.broadcast_as((rows, width))?;
        alpha = goes_on.where_cond(&next, &alpha)?;
    }
    log_sum_exp(&(alpha + end)?.t()?.contiguous()?)
}

/// Each state's value from some states before it.
fn shifted(alpha: &Tensor, by: usize) -> Result<Tensor> {
    let (rows, width) = alpha.dims2()?;
    let by = by.min(width);
    let none = constant(IMPOSSIBLE, &[rows, by], alpha)?;
    Tensor::cat(&[&none, &alpha.narrow(1, 0, width - by)?], 1)
}

/// ln Σ exp over the first axis.
fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    if x.elem_count() == 0 {
        let shape: Vec<usize> = x.dims().iter().copied().skip(1).collect();
        return Tensor::zeros(shape, x.dtype(), x.device());
    }
    let max = x.detach().max(0)?;
    let sum = x.broadcast_sub(&max)?.exp()?.sum(0)?;
    sum.log()? + max
}

/// One value throughout, of another tensor's type and device.
fn constant(value: f64, shape: &[usize], like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, shape, like.device())?.to_dtype(like.dtype())
}
