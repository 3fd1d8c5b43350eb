//! Largest and smallest values of a group, column by column.

use super::{by_group, by_item, incoming, rows_and_width, with_rows};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// y[g] = max (or min) of x[i] over the items of g; 0 for an empty group. NaN wins, as in PyTorch.
pub(crate) fn forward<T: Real>(x: &Tensor, index: &Index, largest: bool) -> Result<Tensor> {
    let index = index.clone();
    apply1(
        Extreme::<T> {
            index,
            largest,
            dtype: PhantomData,
        },
        &[x],
    )
}

/// How much of its group's gradient each value gets: 1 over the number of values that equal the extreme, else 0. Where NaN
/// won, all get NaN.
pub(crate) fn shares<T: Real>(x: &[T], width: usize, index: &Index, largest: bool) -> Vec<T> {
    let y = values(x, width, index, largest);
    let one = T::from_f64(1.);
    let ties = by_group(index, width, T::zero(), |group, items, row: &mut [T]| {
        for &item in items {
            let from = item as usize * width;
            let best = &y[group * width..];
            for ((ties, x), best) in row.iter_mut().zip(&x[from..from + width]).zip(best) {
                if *x == *best {
                    *ties += one;
                }
            }
        }
    });
    let groups = index.groups();
    by_item(index.len(), width, |item, row: &mut [T]| {
        let from = groups[item] as usize * width;
        let x = &x[item * width..];
        for ((share, x), (best, ties)) in row.iter_mut().zip(x).zip(y[from..].iter().zip(&ties[from..])) {
            let hit = if *x == *best { one } else { T::zero() };
            *share = hit / *ties;
        }
    })
}

fn values<T: Real>(x: &[T], width: usize, index: &Index, largest: bool) -> Vec<T> {
    by_group(index, width, T::zero(), |_, items, row: &mut [T]| {
        for (k, &item) in items.iter().enumerate() {
            let from = item as usize * width;
            for (y, x) in row.iter_mut().zip(&x[from..from + width]) {
                let better = if largest { *x > *y } else { *x < *y };
                if k == 0 || better || x.to_f64().is_nan() {
                    *y = *x;
                }
            }
        }
    })
}

struct Extreme<T> {
    index: Index,
    largest: bool,
    dtype: PhantomData<T>,
}

impl<T: Real> Function for Extreme<T> {
    type Saved = Tensor;

    fn name(&self) -> &'static str {
        if self.largest {
            "scatter_max"
        } else {
            "scatter_min"
        }
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Tensor)> {
        let (_, width) = rows_and_width(&inputs[0]);
        let y = values(&cpu::slice::<T>(&inputs[0])?, width, &self.index, self.largest);
        let output = Output::new(y, with_rows(&inputs[0], self.index.num_groups()))?;
        Ok((vec![output], inputs[0].clone()))
    }

    fn backward(&self, ctx: &Backward<Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = incoming(grads)? else {
            return Ok(vec![None]);
        };
        let (_, width) = rows_and_width(ctx.saved);
        let dy = cpu::slice::<T>(&grad)?;
        let mut dx = shares(&cpu::slice::<T>(ctx.saved)?, width, &self.index, self.largest);
        if width > 0 {
            for (row, &group) in dx.chunks_exact_mut(width).zip(self.index.groups()) {
                for (dx, dy) in row.iter_mut().zip(&dy[group as usize * width..]) {
                    *dx *= *dy;
                }
            }
        }
        Ok(vec![Some(Tensor::from_vec(dx, ctx.saved.dims(), grad.device())?)])
    }
}
