//! A cell through time.

use crate::cell::Cell;
use crate::kernels;
use crate::steps::Steps;
use candle_core::{Module, Result, Tensor};
use sconce_core::{cpu, dispatch_real, graph};
use sconce_nn::{Relu, Sigmoid, Tanh};

/// What a walk through time gives.
#[derive(Debug)]
pub(crate) struct Recurrent {
    /// The hidden states of all rows, `[rows, output]`, where their inputs stood.
    pub(crate) y: Tensor,
    /// The last hidden state of each sequence, `[batch, output]`.
    pub(crate) h: Tensor,
    /// The last cell state of each sequence, `[batch, hidden]`; of an LSTM.
    pub(crate) c: Option<Tensor>,
}

/// Walks through the steps.
///
/// x `[rows, gates·hidden]` is W_ih·input + b_ih, h `[batch, output]` and c `[batch, hidden]` the initial state, weight
/// `[gates·hidden, output]`, bias `[gates·hidden]` and projection `[output, hidden]` are those of the hidden state.
pub(crate) fn recurrence(
    cell: Cell,
    steps: &Steps,
    x_h_weight: &[&Tensor; 3],
    c: Option<&Tensor>,
    bias: Option<&Tensor>,
    projection: Option<&Tensor>,
) -> Result<Recurrent> {
    let [x, ..] = x_h_weight;
    if cpu::has_kernel(x) {
        dispatch_real!(
            x,
            kernels::recurrence::forward(cell, steps, x_h_weight, c, bias, projection)
        )
    } else {
        composite(cell, steps, x_h_weight, c, bias, projection)
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
pub(crate) fn composite(
    cell: Cell,
    steps: &Steps,
    x_h_weight: &[&Tensor; 3],
    c: Option<&Tensor>,
    bias: Option<&Tensor>,
    projection: Option<&Tensor>,
) -> Result<Recurrent> {
    let [x, h0, weight] = *x_h_weight;
    let transposed = weight.t()?;
    let projection_t = projection.map(Tensor::t).transpose()?;
    let (mut h, mut c_all) = (h0.clone(), c.cloned());
    let mut outputs = Vec::new();
    for step in steps.in_order() {
        let x = x.narrow(0, step.start, step.rows)?;
        let before = h.narrow(0, 0, step.rows)?;
        let mut hidden = before.contiguous()?.matmul(&transposed)?;
        if let Some(bias) = bias {
            hidden = hidden.broadcast_add(bias)?;
        }
        let mut y = match (cell, &mut c_all) {
            (Cell::Lstm, Some(c_all)) => {
                let c = c_all.narrow(0, 0, step.rows)?;
                let (y, c) = lstm(&(x + hidden)?, &c)?;
                *c_all = replace_first(c_all, &c)?;
                y
            }
            (Cell::Gru, _) => gru(&x, &hidden, &before)?,
            (Cell::Relu, _) => Relu.forward(&(x + hidden)?)?,
            (Cell::Tanh | Cell::Lstm, _) => Tanh.forward(&(x + hidden)?)?,
        };
        if let Some(projection) = &projection_t {
            y = y.matmul(projection)?;
        }
        h = replace_first(&h, &y)?;
        outputs.push((step.start, y));
    }
    outputs.sort_by_key(|(start, _)| *start);
    let outputs: Vec<Tensor> = outputs.into_iter().map(|(_, y)| y).collect();
    let y = Tensor::cat(&outputs, 0)?;
    let given: Vec<&Tensor> = [x, h0, weight]
        .into_iter()
        .chain(c)
        .chain(bias)
        .chain(projection)
        .collect();
    let made: Vec<Tensor> = [&y, &h].into_iter().chain(&c_all).cloned().collect();
    graph::note(cell.name(), &given, &made);
    Ok(Recurrent { y, h, c: c_all })
}

/// `state` with its first rows exchanged.
fn replace_first(state: &Tensor, first: &Tensor) -> Result<Tensor> {
    let (rows, all) = (first.dim(0)?, state.dim(0)?);
    if rows == all {
        return Ok(first.clone());
    }
    Tensor::cat(&[first, &state.narrow(0, rows, all - rows)?], 0)
}

fn lstm(gates: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
    let hidden = c.dim(1)?;
    let gate = |k| gates.narrow(1, k * hidden, hidden);
    let (i, f, o) = (
        Sigmoid.forward(&gate(0)?)?,
        Sigmoid.forward(&gate(1)?)?,
        Sigmoid.forward(&gate(3)?)?,
    );
    let c = ((f * c)? + (i * Tanh.forward(&gate(2)?)?)?)?;
    Ok(((o * Tanh.forward(&c)?)?, c))
}

fn gru(x: &Tensor, hidden: &Tensor, before: &Tensor) -> Result<Tensor> {
    let size = before.dim(1)?;
    let gate = |all: &Tensor, k| all.narrow(1, k * size, size);
    let r = Sigmoid.forward(&(gate(x, 0)? + gate(hidden, 0)?)?)?;
    let z = Sigmoid.forward(&(gate(x, 1)? + gate(hidden, 1)?)?)?;
    let n = Tanh.forward(&(gate(x, 2)? + (r * gate(hidden, 2)?)?)?)?;
    &n + (z * (before - &n)?)?
}

#[cfg(test)]
mod tests;
