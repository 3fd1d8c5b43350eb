//! Sums and means of the rows of a group.

use super::{add_scaled, by_group, by_item, incoming, rows_and_width, with_rows};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// y[g] = Σ x[i] over the items of g, divided by their number if `mean`; 0 for an empty group.
pub(crate) fn forward<T: Real>(x: &Tensor, index: &Index, mean: bool) -> Result<Tensor> {
    let index = index.clone();
    apply1(
        Sum::<T> {
            index,
            mean,
            dtype: PhantomData,
        },
        &[x],
    )
}

struct Sum<T> {
    index: Index,
    mean: bool,
    dtype: PhantomData<T>,
}

impl<T: Real> Sum<T> {
    fn divisor(&self, count: usize) -> T {
        T::from_f64(if self.mean { count.max(1) as f64 } else { 1. })
    }
}

impl<T: Real> Function for Sum<T> {
    type Saved = Vec<usize>;

    fn name(&self) -> &'static str {
        if self.mean { "scatter_mean" } else { "scatter_sum" }
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Vec<usize>)> {
        let (_, width) = rows_and_width(&inputs[0]);
        let x = cpu::slice::<T>(&inputs[0])?;
        let one = T::from_f64(1.);
        let y = by_group(&self.index, width, T::zero(), |_, items, row| {
            for &item in items {
                let from = item as usize * width;
                add_scaled(row, one, &x[from..from + width]);
            }
            if self.mean {
                let divisor = self.divisor(items.len());
                row.iter_mut().for_each(|y| *y /= divisor);
            }
        });
        let output = Output::new(y, with_rows(&inputs[0], self.index.num_groups()))?;
        Ok((vec![output], inputs[0].dims().to_vec()))
    }

    fn backward(&self, ctx: &Backward<Vec<usize>>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = incoming(grads)? else {
            return Ok(vec![None]);
        };
        let (_, width) = rows_and_width(&grad);
        let dy = cpu::slice::<T>(&grad)?;
        let groups = self.index.groups();
        let ptr = &self.index.sorted().ptr;
        let dx = by_item(groups.len(), width, |item, row: &mut [T]| {
            let group = groups[item] as usize;
            let divisor = self.divisor(ptr[group + 1] - ptr[group]);
            for (dx, dy) in row.iter_mut().zip(&dy[group * width..]) {
                *dx = *dy / divisor;
            }
        });
        Ok(vec![Some(Tensor::from_vec(
            dx,
            ctx.saved.as_slice(),
            grad.device(),
        )?)])
    }
}
