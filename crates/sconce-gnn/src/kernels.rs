//! The numeric loops of gathering, scattering and sparse products, over rows and groups of rows.

pub(crate) mod extreme;
pub(crate) mod gather;
pub(crate) mod product;
pub(crate) mod softmax;
pub(crate) mod spmm;
pub(crate) mod sum;

use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, Rows};

/// Length of the first axis, and of all others together.
pub(super) fn rows_and_width(x: &Tensor) -> (usize, usize) {
    let dims = x.dims();
    (dims.first().copied().unwrap_or(1), dims.iter().skip(1).product())
}

/// The shape with another first axis.
pub(super) fn with_rows(x: &Tensor, rows: usize) -> Vec<usize> {
    let mut dims = x.dims().to_vec();
    if let Some(first) = dims.first_mut() {
        *first = rows;
    }
    dims
}

/// Values of `num_groups` rows of `width`, which start as `start`: `f(group, items, row)` fills each from its items.
pub(super) fn by_group<T: Real>(
    index: &Index,
    width: usize,
    start: T,
    f: impl Fn(usize, &[u32], &mut [T]) + Sync,
) -> Vec<T> {
    let groups = index.num_groups();
    let mut y = vec![start; groups * width];
    if y.is_empty() {
        return y;
    }
    let sorted = index.sorted();
    let work = width * (index.len() / groups + 1);
    parallel::zip_rows(work, Rows(&mut y[..], width), |first, part| {
        for (i, row) in part.chunks_exact_mut(width).enumerate() {
            let group = first + i;
            f(
                group,
                &sorted.order[sorted.ptr[group]..sorted.ptr[group + 1]],
                row,
            );
        }
    });
    y
}

/// Values of one row of `width` for each item: `f(item, row)` fills it.
pub(super) fn by_item<T: Real>(items: usize, width: usize, f: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let mut y = vec![T::zero(); items * width];
    if y.is_empty() {
        return y;
    }
    parallel::zip_rows(width, Rows(&mut y[..], width), |first, part| {
        for (i, row) in part.chunks_exact_mut(width).enumerate() {
            f(first + i, row);
        }
    });
    y
}

/// `to += factor · from`.
#[inline(always)]
pub(super) fn add_scaled<T: Real>(to: &mut [T], factor: T, from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * *from;
    }
}

/// A backward's incoming gradient as contiguous values.
pub(super) fn incoming(grads: &[Option<Tensor>]) -> Result<Option<Tensor>> {
    grads
        .first()
        .and_then(Option::as_ref)
        .map(Tensor::contiguous)
        .transpose()
}
