//! Rows read by an index, and their gradients added back.

use super::{add_scaled, by_group, by_item, incoming, rows_and_width, with_rows};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;

/// y[i] = x[index[i]]; x has as many rows as the index has groups.
pub(crate) fn forward<T: Real>(x: &Tensor, index: &Index) -> Result<Tensor> {
    let index = index.clone();
    apply1(Gather::<T>(index, PhantomData), &[x])
}

struct Gather<T>(Index, PhantomData<T>);

impl<T: Real> Function for Gather<T> {
    type Saved = Vec<usize>;

    fn name(&self) -> &'static str {
        "gather"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Vec<usize>)> {
        let (_, width) = rows_and_width(&inputs[0]);
        let x = cpu::slice::<T>(&inputs[0])?;
        let groups = self.0.groups();
        let y = by_item(groups.len(), width, |item, row: &mut [T]| {
            let from = groups[item] as usize * width;
            row.copy_from_slice(&x[from..from + width]);
        });
        let output = Output::new(y, with_rows(&inputs[0], groups.len()))?;
        Ok((vec![output], inputs[0].dims().to_vec()))
    }

    fn backward(&self, ctx: &Backward<Vec<usize>>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = incoming(grads)? else {
            return Ok(vec![None]);
        };
        let (_, width) = rows_and_width(&grad);
        let dy = cpu::slice::<T>(&grad)?;
        let one = T::from_f64(1.);
        let dx = by_group(&self.0, width, T::zero(), |_, items, row| {
            for &item in items {
                let from = item as usize * width;
                add_scaled(row, one, &dy[from..from + width]);
            }
        });
        Ok(vec![Some(Tensor::from_vec(
            dx,
            ctx.saved.as_slice(),
            grad.device(),
        )?)])
    }
}
