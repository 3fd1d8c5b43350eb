//! The backward pass of a recurrence: through time from the last step computed to the first, then one product for each
//! weight over all steps.

use super::{RecurrenceFn, Saved, range};
use crate::cell::Cell;
use crate::kernels::cells;
use crate::steps::Step;
use candle_core::{Result, Tensor};
use sconce_core::Backward;
use sconce_core::cpu::{self, Real};
use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::product::{Accumulate, Packed, Plain, product, product_vec};
use sconce_kernels::simd;

/// The gradients of the inputs from those of the outputs.
pub(super) fn backward<T: Real>(
    function: &RecurrenceFn<T>,
    ctx: &Backward<Saved<T>>,
    grads: &[Option<Tensor>],
) -> Result<Vec<Option<Tensor>>> {
    let Saved { after_x, gates, c } = ctx.saved;
    let input = |k: usize| &after_x[k - 1];
    let w = function.widths(input(2))?;
    let (total, batch) = (function.steps.total(), function.steps.batch());
    let order = function.steps.in_order();
    let y = cpu::slice::<T>(&ctx.outputs[0])?;
    let before = states_before(&order, w.output, &y, &cpu::slice::<T>(input(1))?);
    let weight_slice = cpu::slice::<T>(input(2))?;
    let weight = Packed::new(MatRef::new(&weight_slice, w.x, w.output));
    let projection_slice = function
        .projection
        .map(|k| cpu::slice::<T>(input(k)))
        .transpose()?;
    let projection = projection_slice
        .as_ref()
        .map(|p| Packed::new(MatRef::new(p, w.output, w.hidden)));
    let c_before = match function.c {
        Some(k) => states_before(&order, w.hidden, c, &cpu::slice::<T>(input(k))?),
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
    let mut dc = values(2, if function.c.is_some() { batch * w.hidden } else { 0 })?;

    let mut dx = vec![T::ZERO; total * w.x];
    // Those of x and of the hidden part differ in a GRU alone.
    let mut dhidden = vec![
        T::ZERO;
        if function.cell == Cell::Gru {
            total * w.x
        } else {
            0
        }
    ];
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
        match function.cell {
            Cell::Tanh | Cell::Relu => simd::dispatch(cells::SimpleBackward {
                relu: function.cell == Cell::Relu,
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

    let mut gradients = vec![None; ctx.wanted.len()];
    let device = input(1).device();
    let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), device).map(Some);
    let of_hidden = if function.cell == Cell::Gru { &dhidden } else { &dx };
    if ctx.wants(2) {
        let left = MatRef::new(of_hidden, total, w.x).t();
        let dw = product_vec(left, &MatRef::new(&before, total, w.output), &Plain);
        gradients[2] = tensor(dw, input(2))?;
    }
    if let Some(k) = function.bias.filter(|&k| ctx.wants(k)) {
        gradients[k] = tensor(column_sums(of_hidden, w.x), input(k))?;
    }
    if let Some(k) = function.projection.filter(|&k| ctx.wants(k)) {
        let unprojected = unprojected(gates, c, w.hidden);
        let left = MatRef::new(&dprojected, total, w.output).t();
        let dw = product_vec(left, &MatRef::new(&unprojected, total, w.hidden), &Plain);
        gradients[k] = tensor(dw, input(k))?;
    }
    if ctx.wants(0) {
        gradients[0] = Some(Tensor::from_vec(dx, (total, w.x), device)?);
    }
    if ctx.wants(1) {
        gradients[1] = tensor(dh, input(1))?;
    }
    if let Some(k) = function.c.filter(|&k| ctx.wants(k)) {
        gradients[k] = tensor(dc, input(k))?;
    }
    Ok(gradients)
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
