//! Rows gathered, and their gradients added back.

use crate::embedding::Lookup;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};

/// Rows `ids` of `weight`; the ids have been checked.
pub(crate) fn forward<T: Real>(weight: &Tensor, ids: Vec<usize>, options: Lookup) -> Result<Tensor> {
    apply1(
        Gather::<T> {
            ids,
            options,
            dims: weight.dims2()?,
            dtype: Default::default(),
        },
        &[weight],
    )
}

struct Gather<T> {
    ids: Vec<usize>,
    options: Lookup,
    dims: (usize, usize),
    dtype: std::marker::PhantomData<T>,
}

impl<T: Real> Function for Gather<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        "embedding"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let weight = cpu::slice::<T>(&inputs[0])?;
        let columns = self.dims.1;
        let mut y = Vec::with_capacity(self.ids.len() * columns);
        for &id in &self.ids {
            y.extend_from_slice(&weight[id * columns..(id + 1) * columns]);
        }
        Ok((vec![Output::new(y, (self.ids.len(), columns))?], ()))
    }

    fn backward(&self, _: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let (rows, columns) = self.dims;
        let mut sum = vec![T::zero(); rows * columns];
        let shares = self.options.shares(&self.ids, rows);
        let rows_of_grad = cpu::slice::<T>(&grad)?;
        for ((&id, share), grad) in self
            .ids
            .iter()
            .zip(shares)
            .zip(rows_of_grad.chunks_exact(columns))
        {
            // A row of padding takes none, whatever the gradient, even infinity.
            if share != 0. {
                let share = T::of(share);
                for (s, g) in sum[id * columns..(id + 1) * columns].iter_mut().zip(grad) {
                    *s += *g * share;
                }
            }
        }
        Ok(vec![Some(Tensor::from_vec(sum, self.dims, grad.device())?)])
    }
}
