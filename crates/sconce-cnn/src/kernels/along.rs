//! Sparse matrices applied along an axis.

use super::split;
use crate::along::Term;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};

/// Elements that a thread writes at once, roughly.
const SHARE: usize = 1 << 14;

/// Terms row after row.
pub(crate) struct Rows {
    ends: Vec<usize>,
    terms: Vec<Term>,
}

impl Rows {
    pub(crate) fn new(rows: &[Vec<Term>]) -> Self {
        let mut terms = Vec::new();
        let ends = rows.iter().map(|row| {
            terms.extend_from_slice(row);
            terms.len()
        });
        Self {
            ends: ends.collect(),
            terms,
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// The matrix whose rows are this one's `columns` columns.
    fn transposed(&self, columns: usize) -> Self {
        let mut rows = vec![Vec::new(); columns];
        for (i, terms) in self.iter().enumerate() {
            for &(source, weight) in terms {
                rows[source as usize].push((i as u32, weight));
            }
        }
        Self::new(&rows)
    }

    fn iter(&self) -> impl Iterator<Item = &[Term]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(move |&end| &self.terms[std::mem::replace(&mut start, end)..end])
    }

    /// Applies the matrix to the middle one of three axes, of `columns` elements, the last of which has `inner`.
    fn apply<T: Real>(&self, x: &[T], outer: usize, columns: usize, inner: usize) -> Vec<T> {
        let (from, to) = (columns * inner, self.len() * inner);
        let mut y = vec![T::zero(); outer * to];
        if to == 0 {
            return y;
        }
        let together = (SHARE / to).max(1);
        let work = outer * self.terms.len().max(self.len()) * inner;
        split::parts(&mut y, together * to, work, |share, y| {
            for (k, y) in y.chunks_exact_mut(to).enumerate() {
                let plane = share * together + k;
                self.apply_to_plane(&x[plane * from..][..from], y, inner);
            }
        });
        y
    }

    fn apply_to_plane<T: Real>(&self, x: &[T], y: &mut [T], inner: usize) {
        for (terms, y) in self.iter().zip(y.chunks_exact_mut(inner)) {
            for (k, &(source, weight)) in terms.iter().enumerate() {
                let x = &x[source as usize * inner..][..inner];
                let weight = T::from_f64(weight);
                if k == 0 && weight == T::one() {
                    y.copy_from_slice(x);
                } else {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y += *x * weight;
                    }
                }
            }
        }
    }
}

/// `rows` applied to axis `dim` of `x`, of `columns` elements.
pub(crate) fn forward<T: Real>(
    x: &Tensor,
    dim: usize,
    name: &'static str,
    columns: usize,
    rows: Rows,
) -> Result<Tensor> {
    let dims = x.dims();
    apply1(
        Along::<T> {
            name,
            columns,
            outer: dims[..dim].iter().product(),
            inner: dims[dim + 1..].iter().product(),
            dims: dims.to_vec(),
            dim,
            rows,
            dtype: std::marker::PhantomData,
        },
        &[x],
    )
}

struct Along<T> {
    name: &'static str,
    columns: usize,
    outer: usize,
    inner: usize,
    dims: Vec<usize>,
    dim: usize,
    rows: Rows,
    dtype: std::marker::PhantomData<T>,
}

impl<T: Real> Function for Along<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let x = cpu::slice::<T>(&inputs[0])?;
        let y = self.rows.apply(&x, self.outer, self.columns, self.inner);
        let mut dims = self.dims.clone();
        dims[self.dim] = self.rows.len();
        Ok((vec![Output::new(y, dims)?], ()))
    }

    fn backward(&self, _: &Backward<'_, ()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let back = self.rows.transposed(self.columns);
        let dx = back.apply(&cpu::slice::<T>(&grad)?, self.outer, self.rows.len(), self.inner);
        Ok(vec![Some(Tensor::from_vec(
            dx,
            self.dims.as_slice(),
            grad.device(),
        )?)])
    }
}
