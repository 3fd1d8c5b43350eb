//! A cell through time as one node of the graph.

mod gradients;

use super::cells;
use crate::cell::Cell;
use crate::recurrence::Recurrent;
use crate::steps::{Step, Steps};
use candle_core::{Error, Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply};
use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::product::{Columns, Packed, Plain, product};
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
    /// The inputs after x, whose values it doesn't need.
    after_x: Vec<Tensor>,
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
    fn widths(&self, weight: &Tensor) -> Result<Widths> {
        let (x, output) = weight.dims2()?;
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

impl<T: Real> Function for RecurrenceFn<T> {
    type Saved = Saved<T>;

    fn name(&self) -> &'static str {
        self.cell.name()
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let w = self.widths(&inputs[2])?;
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
            after_x: if keep { inputs[1..].to_vec() } else { Vec::new() },
            gates,
            c: c_all,
        };
        Ok((outputs, saved))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        gradients::backward(self, ctx, grads)
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}
