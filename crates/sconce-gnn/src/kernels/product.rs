//! Products of the values of a group, column by column.

use super::{by_group, by_item, incoming, rows_and_width, with_rows};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// y[g] = Π x[i] over the items of g; 1 for an empty group.
pub(crate) fn forward<T: Real>(x: &Tensor, index: &Index) -> Result<Tensor> {
    let index = index.clone();
    apply1(Product::<T>(index, PhantomData), &[x])
}

struct Product<T>(Index, PhantomData<T>);

impl<T: Real> Function for Product<T> {
    type Saved = Tensor;

    fn name(&self) -> &'static str {
        "scatter_mul"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Tensor)> {
        let (_, width) = rows_and_width(&inputs[0]);
        let x = cpu::slice::<T>(&inputs[0])?;
        let y = by_group(&self.0, width, T::from_f64(1.), |_, items, row| {
            for &item in items {
                let from = item as usize * width;
                for (y, x) in row.iter_mut().zip(&x[from..from + width]) {
                    *y *= *x;
                }
            }
        });
        let output = Output::new(y, with_rows(&inputs[0], self.0.num_groups()))?;
        Ok((vec![output], inputs[0].clone()))
    }

    /// Each value's gradient is the product of the others: nothing is divided, so zeros are no special case.
    fn backward(&self, ctx: &Backward<Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = incoming(grads)? else {
            return Ok(vec![None]);
        };
        let (_, width) = rows_and_width(ctx.saved);
        let (x, dy) = (cpu::slice::<T>(ctx.saved)?, cpu::slice::<T>(&grad)?);
        let (groups, sorted) = (self.0.groups(), self.0.sorted());
        let dx = by_item(groups.len(), width, |item, row: &mut [T]| {
            let group = groups[item] as usize;
            row.copy_from_slice(&dy[group * width..(group + 1) * width]);
            for &other in &sorted.order[sorted.ptr[group]..sorted.ptr[group + 1]] {
                if other as usize != item {
                    for (dx, x) in row.iter_mut().zip(&x[other as usize * width..]) {
                        *dx *= *x;
                    }
                }
            }
        });
        Ok(vec![Some(Tensor::from_vec(dx, ctx.saved.dims(), grad.device())?)])
    }
}
