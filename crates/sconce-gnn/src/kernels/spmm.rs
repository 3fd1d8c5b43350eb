//! A sparse matrix times rows: messages are weighted and summed without ever being stored.

use super::{add_scaled, by_group, by_item, incoming, rows_and_width, with_rows};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// y[t] = Σ w[e]·x[s] over the edges e = s → t; w has one value for each of `heads` equal parts of a row, or is 1.
pub(crate) fn forward<T: Real>(
    x: &Tensor,
    weight: Option<&Tensor>,
    heads: usize,
    source: &Index,
    target: &Index,
) -> Result<Tensor> {
    let function = Spmm::<T> {
        heads,
        source: source.clone(),
        target: target.clone(),
        dtype: PhantomData,
    };
    match weight {
        Some(weight) => apply1(function, &[x, weight]),
        None => apply1(function, &[x]),
    }
}

struct Spmm<T> {
    heads: usize,
    source: Index,
    target: Index,
    dtype: PhantomData<T>,
}

impl<T: Real> Spmm<T> {
    /// y[to] = Σ w·x[from], summed in the order of the edges.
    fn multiply(&self, x: &[T], weight: Option<&[T]>, width: usize, from: &Index, to: &Index) -> Vec<T> {
        let (from, part) = (from.groups(), width / self.heads.max(1));
        let one = T::from_f64(1.);
        by_group(to, width, T::zero(), |_, edges, row| {
            for &edge in edges {
                let edge = edge as usize;
                let first = from[edge] as usize * width;
                let x = &x[first..first + width];
                let Some(weight) = weight else {
                    add_scaled(row, one, x);
                    continue;
                };
                let weight = &weight[edge * self.heads..(edge + 1) * self.heads];
                for ((row, x), w) in row.chunks_exact_mut(part).zip(x.chunks_exact(part)).zip(weight) {
                    add_scaled(row, *w, x);
                }
            }
        })
    }
}

impl<T: Real> Function for Spmm<T> {
    type Saved = Vec<Tensor>;

    fn name(&self) -> &'static str {
        "spmm"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Vec<Tensor>)> {
        let (_, width) = rows_and_width(&inputs[0]);
        let x = cpu::slice::<T>(&inputs[0])?;
        let weight = inputs.get(1).map(cpu::slice::<T>).transpose()?;
        let y = self.multiply(&x, weight.as_deref(), width, &self.source, &self.target);
        let output = Output::new(y, with_rows(&inputs[0], self.target.num_groups()))?;
        Ok((vec![output], inputs.to_vec()))
    }

    fn backward(&self, ctx: &Backward<Vec<Tensor>>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = incoming(grads)? else {
            return Ok(vec![None; ctx.saved.len()]);
        };
        let input = &ctx.saved[0];
        let (_, width) = rows_and_width(input);
        let dy = cpu::slice::<T>(&grad)?;
        let weight = ctx.saved.get(1);
        let dx = if ctx.wants(0) {
            let values = weight.map(cpu::slice::<T>).transpose()?;
            let dx = self.multiply(&dy, values.as_deref(), width, &self.target, &self.source);
            Some(Tensor::from_vec(dx, input.dims(), grad.device())?)
        } else {
            None
        };
        let Some(weight) = weight else {
            return Ok(vec![dx]);
        };
        let dw = if ctx.wants(1) {
            let x = cpu::slice::<T>(input)?;
            let (source, target) = (self.source.groups(), self.target.groups());
            let part = width / self.heads.max(1);
            let dw = by_item(source.len(), self.heads, |edge, row: &mut [T]| {
                let (s, t) = (source[edge] as usize * width, target[edge] as usize * width);
                for (head, dw) in row.iter_mut().enumerate() {
                    let (x, dy) = (&x[s + head * part..], &dy[t + head * part..]);
                    for (x, dy) in x[..part].iter().zip(dy) {
                        *dw += *x * *dy;
                    }
                }
            });
            Some(Tensor::from_vec(dw, weight.dims(), grad.device())?)
        } else {
            None
        };
        Ok(vec![dx, dw])
    }
}
