//! A cell through time as one node of the graph.

use super::cells;
use crate::cell::Cell;
use crate::recurrence::Recurrent;
use crate::steps::{Step, Steps};
use candle_core::{Error, Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply};
use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::product::{Accumulate, Columns, Packed, Plain, product, product_vec};
use sconce_kernels::simd;
use std::marker::PhantomData;

/// [`recurrence`](crate::recurrence::recurrence) on the CPU.
pub(crate) fn forward<'a, T: Real>(
    cell: Cell,
    steps: &Steps,
    x_h_weight: &[&'a Tensor; 3],
    c: Option<&'a Tensor>,
    bias: Option<&'a Tensor>,
    projection: Option<&'a Tensor>,
) -> Result<Recurrent> {
    let mut inputs = x_h_weight.to_vec();
    let mut place = |input: Option<&'a Tensor>| {
        inputs.extend(input);
        input.map(|_| inputs.len() - 1)
    };
    let [c, bias, projection] = [c, bias, projection].map(&mut place);
    let function = RecurrenceFn::<T> {
        cell,
        steps: steps.clone(),
        c,
        bias,
        projection,
        dtype: PhantomData,
    };
    let mut outputs = apply(function, &inputs)?.into_iter();
    match (outputs.next(), outputs.next()) {
        (Some(y), Some(h)) => Ok(Recurrent {
            y,
            h,
            c: outputs.next(),
        }),
        _ => Err(Error::Msg("a recurrence has lost its outputs".into())),
    }
}

/// Inputs: x, the initial hidden state, the hidden state's weight, and what is placed after them. Outputs: the hidden states
/// of all rows, the final hidden state, the final cell state.
struct RecurrenceFn<T> {
    cell: Cell,
    steps: Steps,
    c: Option<usize>,
    bias: Option<usize>,
    projection: Option<usize>,
    dtype: PhantomData<T>,
}

/// What backward needs beside the outputs; row by row as the outputs lie.
struct Saved<T> {
    inputs: Vec<Tensor>,
    /// An LSTM's i, f, g, o, a GRU's r, z, n and its hidden part of n.
    gates: Vec<T>,
    /// An LSTM's cell states.
    c: Vec<T>,
}

/// Lengths of rows.
#[derive(Clone, Copy)]
struct Widths {
    /// Of x.
    x: usize,
    /// Of the hidden state that is handed on.
    output: usize,
    /// Of a gate.
    hidden: usize,
    /// Of what is kept of the gates.
    gates: usize,
}

impl<T: Real> RecurrenceFn<T> {
    fn widths(&self, inputs: &[Tensor]) -> Result<Widths> {
        let (x, output) = inputs[2].dims2()?;
        let hidden = x / self.cell.gates();
        let gates = match self.cell {
            Cell::Tanh | Cell::Relu => 0,
            Cell::Lstm | Cell::Gru => 4 * hidden,
        };
        Ok(Widths {
            x,
            output,
            hidden,
            gates,
        })
    }
}

/// The elements of a step's rows.
fn range(step: Step, width: usize) -> std::ops::Range<usize> {
    step.start * width..(step.start + step.rows) * width
}

/// For each row, the state that its step started from.
fn states_before<T: Copy>(steps: &[Step], width: usize, states: &[T], initial: &[T]) -> Vec<T> {
    let mut before = states.to_vec();
    for step in steps {
        let (start, known) = (step.before.0 * width, step.before.1 * width);
        let rows = &mut before[range(*step, width)];
        rows[..known].copy_from_slice(&states[start..start + known]);
        let new = rows.len();
        rows[known..].copy_from_slice(&initial[known..new]);
    }
    before
}

impl<T: Real> Function for RecurrenceFn<T> {
    type Saved = Saved<T>;

    fn name(&self) -> &'static str {
        self.cell.name()
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let w = self.widths(inputs)?;
        let (total, batch) = (self.steps.total(), self.steps.batch());
        let (x, weight) = (cpu::slice::<T>(&inputs[0])?, cpu::slice::<T>(&inputs[2])?);
        let weight = Packed::new(MatRef::new(&weight, w.x, w.output).t());
        let bias = self.bias.map(|k| cpu::slice::<T>(&inputs[k])).transpose()?;
        let projection = match self.projection {
            Some(k) => Some(Packed::new(
                MatRef::new(&cpu::slice::<T>(&inputs[k])?, w.output, w.hidden).t(),
            )),
            None => None,
        };
        let mut h = cpu::slice::<T>(&inputs[1])?.to_vec();
        let mut c = match self.c {
            Some(k) => cpu::slice::<T>(&inputs[k])?.to_vec(),
            None => Vec::new(),
        };
        // Without a backward pass to come, the gates of one step are enough.
        let keep = wanted.contains(&true);
        let rows = if keep { total } else { batch };
        let mut gates = vec![T::ZERO; rows * w.gates];
        let mut c_all = vec![
            T::ZERO;
            if keep && self.c.is_some() {
                total * w.hidden
            } else {
                0
            }
        ];
        let (mut y, mut hidden) = (vec![T::ZERO; total * w.output], vec![T::ZERO; batch * w.x]);
        let mut unprojected = vec![T::ZERO; if projection.is_some() { batch * w.hidden } else { 0 }];

        for step in self.steps.in_order() {
            let (n, before) = (step.rows, &h[..step.rows * w.output]);
            let (a, hidden) = (MatRef::new(before, n, w.output), &mut hidden[..n * w.x]);
            let target = MatMut::new(hidden, n, w.x);
            match &bias {
                Some(bias) => product(target, a, &weight, &Columns(bias)),
                None => product(target, a, &weight, &Plain),
            }
            let x = &x[range(step, w.x)];
            let place = if keep { step.start } else { 0 } * w.gates;
            let gates = &mut gates[place..place + n * w.gates];
            let here = &mut y[range(step, w.output)];
            match self.cell {
                Cell::Tanh | Cell::Relu => simd::dispatch(cells::Simple {
                    relu: self.cell == Cell::Relu,
                    x,
                    hidden,
                    h: here,
                }),
                Cell::Gru => simd::dispatch(cells::Gru {
                    width: w.hidden,
                    x,
                    hidden,
                    before,
                    gates,
                    h: here,
                }),
                Cell::Lstm => {
                    let c = &mut c[..n * w.hidden];
                    let m = match &projection {
                        Some(_) => &mut unprojected[..n * w.hidden],
                        None => &mut *here,
                    };
                    simd::dispatch(cells::Lstm {
                        width: w.hidden,
                        x,
                        hidden,
                        c,
                        gates,
                        m,
                    });
                    if keep {
                        c_all[range(step, w.hidden)].copy_from_slice(c);
                    }
                    if let Some(projection) = &projection {
                        let m = MatRef::new(&unprojected[..n * w.hidden], n, w.hidden);
                        product(MatMut::new(here, n, w.output), m, projection, &Plain);
                    }
                }
            }
            h[..n * w.output].copy_from_slice(here);
        }

        let mut outputs = vec![
            Output::new(y, (total, w.output))?,
            Output::new(h, (batch, w.output))?,
        ];
        if self.c.is_some() {
            outputs.push(Output::new(c, (batch, w.hidden))?);
        }
        let saved = Saved {
            inputs: if keep { inputs.to_vec() } else { Vec::new() },
            gates,
            c: c_all,
        };
        Ok((outputs, saved))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Saved { inputs, gates, c } = ctx.saved;
        let w = self.widths(inputs)?;
        let (total, batch) = (self.steps.total(), self.steps.batch());
        let order = self.steps.in_order();
        let y = cpu::slice::<T>(&ctx.outputs[0])?;
        let before = states_before(&order, w.output, &y, &cpu::slice::<T>(&inputs[1])?);
        let weight_slice = cpu::slice::<T>(&inputs[2])?;
        let weight = Packed::new(MatRef::new(&weight_slice, w.x, w.output));
        let projection_slice = self.projection.map(|k| cpu::slice::<T>(&inputs[k])).transpose()?;
        let projection = projection_slice
            .as_ref()
            .map(|p| Packed::new(MatRef::new(p, w.output, w.hidden)));
        let c_before = match self.c {
            Some(k) => states_before(&order, w.hidden, c, &cpu::slice::<T>(&inputs[k])?),
            None => Vec::new(),
        };
        let values = |k: usize, len: usize| -> Result<Vec<T>> {
            match grads.get(k).and_then(Option::as_ref) {
                Some(grad) => Ok(cpu::slice::<T>(&grad.contiguous()?)?.to_vec()),
                None => Ok(vec![T::ZERO; len]),
            }
        };
        let dy = values(0, total * w.output)?;
        let mut dh = values(1, batch * w.output)?;
        let mut dc = values(2, if self.c.is_some() { batch * w.hidden } else { 0 })?;

        let mut dx = vec![T::ZERO; total * w.x];
        // Those of x and of the hidden part differ in a GRU alone.
        let mut dhidden = vec![T::ZERO; if self.cell == Cell::Gru { total * w.x } else { 0 }];
        // The gradients of the projected states, for the projection's.
        let mut dprojected = vec![T::ZERO; if projection.is_some() { total * w.output } else { 0 }];
        for &step in order.iter().rev() {
            let n = step.rows;
            let dh = &mut dh[..n * w.output];
            dh.iter_mut()
                .zip(&dy[range(step, w.output)])
                .for_each(|(dh, &dy)| *dh += dy);
            let dx = &mut dx[range(step, w.x)];
            let gates = &gates[step.start * w.gates..(step.start + n) * w.gates];
            match self.cell {
                Cell::Tanh | Cell::Relu => simd::dispatch(cells::SimpleBackward {
                    relu: self.cell == Cell::Relu,
                    h: &y[range(step, w.output)],
                    dh,
                    dx,
                }),
                Cell::Gru => {
                    let dhidden = &mut dhidden[range(step, w.x)];
                    simd::dispatch(cells::GruBackward {
                        width: w.hidden,
                        gates,
                        before: &before[range(step, w.output)],
                        dh: &mut *dh,
                        dx,
                        dhidden: &mut *dhidden,
                    });
                    let dhidden = MatRef::new(dhidden, n, w.x);
                    product(MatMut::new(dh, n, w.output), dhidden, &weight, &Accumulate);
                    continue;
                }
                Cell::Lstm => {
                    let projected;
                    let dm = match &projection {
                        Some(projection) => {
                            dprojected[range(step, w.output)].copy_from_slice(dh);
                            projected = product_vec(MatRef::new(dh, n, w.output), projection, &Plain);
                            &projected[..]
                        }
                        None => &*dh,
                    };
                    simd::dispatch(cells::LstmBackward {
                        width: w.hidden,
                        gates,
                        c: &c[range(step, w.hidden)],
                        c_before: &c_before[range(step, w.hidden)],
                        dm,
                        dc: &mut dc[..n * w.hidden],
                        dx,
                    });
                }
            }
            product(
                MatMut::new(dh, n, w.output),
                MatRef::new(dx, n, w.x),
                &weight,
                &Plain,
            );
        }

        let mut gradients = vec![None; inputs.len()];
        let device = inputs[0].device();
        let tensor = |values: Vec<T>, like: &Tensor| Tensor::from_vec(values, like.shape(), device).map(Some);
        let of_hidden = if self.cell == Cell::Gru { &dhidden } else { &dx };
        if ctx.wants(2) {
            let left = MatRef::new(of_hidden, total, w.x).t();
            let dw = product_vec(left, &MatRef::new(&before, total, w.output), &Plain);
            gradients[2] = tensor(dw, &inputs[2])?;
        }
        if let Some(k) = self.bias.filter(|&k| ctx.wants(k)) {
            gradients[k] = tensor(column_sums(of_hidden, w.x), &inputs[k])?;
        }
        if let Some(k) = self.projection.filter(|&k| ctx.wants(k)) {
            let unprojected = unprojected(gates, c, w.hidden);
            let left = MatRef::new(&dprojected, total, w.output).t();
            let dw = product_vec(left, &MatRef::new(&unprojected, total, w.hidden), &Plain);
            gradients[k] = tensor(dw, &inputs[k])?;
        }
        if ctx.wants(0) {
            gradients[0] = tensor(dx, &inputs[0])?;
        }
        if ctx.wants(1) {
            gradients[1] = tensor(dh, &inputs[1])?;
        }
        if let Some(k) = self.c.filter(|&k| ctx.wants(k)) {
            gradients[k] = tensor(dc, &inputs[k])?;
        }
        Ok(gradients)
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}

/// o⊙tanh c of all rows, again.
fn unprojected<T: Real>(gates: &[T], c: &[T], width: usize) -> Vec<T> {
    let mut m = vec![T::ZERO; c.len()];
    simd::dispatch(cells::Unprojected {
        width,
        gates,
        c,
        m: &mut m,
    });
    m
}

/// The sum of each column, row by row.
fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::ZERO; columns];
    for row in values.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
    }
    sums
}
