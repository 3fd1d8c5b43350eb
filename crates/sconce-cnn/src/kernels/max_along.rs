//! Maximum over ranges of an axis.

use super::split;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::marker::PhantomData;
use std::ops::Range;

/// Elements that a thread writes at once, roughly.
const SHARE: usize = 1 << 12;

/// The largest element of each range of axis `dim`, which isn't empty: of equal ones the first, of NaNs the last.
pub(crate) fn forward<T: Real>(x: &Tensor, dim: usize, ranges: Vec<Range<usize>>) -> Result<Tensor> {
    let dims = x.dims();
    apply1(
        MaxAlong::<T> {
            length: dims[dim],
            outer: dims[..dim].iter().product(),
            inner: dims[dim + 1..].iter().product(),
            dims: dims.to_vec(),
            dim,
            ranges,
            dtype: PhantomData,
        },
        &[x],
    )
}

struct MaxAlong<T> {
    length: usize,
    outer: usize,
    inner: usize,
    dims: Vec<usize>,
    dim: usize,
    ranges: Vec<Range<usize>>,
    dtype: PhantomData<T>,
}

impl<T: Real> Function for MaxAlong<T> {
    /// For each output the place on the axis that it was taken from.
    type Saved = Vec<u32>;

    fn name(&self) -> &'static str {
        "max_along"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Vec<u32>)> {
        let x = cpu::slice::<T>(&inputs[0])?;
        let (from, to) = (self.length * self.inner, self.ranges.len() * self.inner);
        let mut y = vec![T::zero(); self.outer * to];
        let mut choices = vec![0; y.len()];
        let together = (SHARE / to.max(1)).max(1);
        let terms: usize = self.ranges.iter().map(|range| range.len()).sum();
        let work = self.outer * terms * self.inner;
        if !y.is_empty() {
            split::parts_of_two(&mut y, &mut choices, together * to, work, |share, y, choices| {
                let planes = y.chunks_exact_mut(to).zip(choices.chunks_exact_mut(to));
                for (k, (y, choices)) in planes.enumerate() {
                    self.plane(&x[(share * together + k) * from..][..from], y, choices);
                }
            });
        }
        let mut dims = self.dims.clone();
        dims[self.dim] = self.ranges.len();
        Ok((vec![Output::new(y, dims)?], choices))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Vec<u32>>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let dy = cpu::slice::<T>(&grad)?;
        let (from, to) = (self.length * self.inner, self.ranges.len() * self.inner);
        let mut dx = vec![T::zero(); self.outer * from];
        if !dx.is_empty() {
            let together = (SHARE / from).max(1);
            split::parts(&mut dx, together * from, dy.len(), |share, dx| {
                for (k, dx) in dx.chunks_exact_mut(from).enumerate() {
                    let range = (share * together + k) * to..(share * together + k + 1) * to;
                    let taken = ctx.saved[range.clone()].iter().zip(&dy[range]).enumerate();
                    for (place, (&choice, &dy)) in taken {
                        dx[choice as usize * self.inner + place % self.inner] += dy;
                    }
                }
            });
        }
        let dx = Tensor::from_vec(dx, self.dims.as_slice(), grad.device())?;
        Ok(vec![Some(dx)])
    }
}

impl<T: Real> MaxAlong<T> {
    fn plane(&self, x: &[T], y: &mut [T], choices: &mut [u32]) {
        let lines = y
            .chunks_exact_mut(self.inner)
            .zip(choices.chunks_exact_mut(self.inner));
        for (range, (y, choices)) in self.ranges.iter().zip(lines) {
            y.copy_from_slice(&x[range.start * self.inner..][..self.inner]);
            choices.fill(range.start as u32);
            for at in range.clone().skip(1) {
                let x = &x[at * self.inner..][..self.inner];
                for ((y, choice), x) in y.iter_mut().zip(choices.iter_mut()).zip(x) {
                    // A NaN doesn't compare with itself, and no number is larger than one.
                    if *x > *y || x.partial_cmp(x).is_none() {
                        (*y, *choice) = (*x, at as u32);
                    }
                }
            }
        }
    }
}
