//! Reductions whose order is fixed.

use super::{CHUNK, Split, split};
use crate::simd::{self, Element, Kernel, Simd, Vector};
use std::sync::{Mutex, PoisonError};

/// Maps each chunk of [`CHUNK`] elements to a value and combines the values in the order of the chunks. `None` if there
/// are no elements.
///
/// # Panics
/// The slices differ in length.
pub fn reduce<P: Split, R: Send>(
    parts: P,
    map: impl Fn(usize, P::Part) -> R + Sync,
    combine: impl Fn(R, R) -> R,
) -> Option<R> {
    in_order(parts, CHUNK, 1, map, combine)
}

/// [`reduce`] over whole rows, cut as [`zip_rows`](super::zip_rows) does.
///
/// # Panics
/// The parts differ in their number of rows.
pub fn reduce_rows<P: Split, R: Send>(
    width: usize,
    parts: P,
    map: impl Fn(usize, P::Part) -> R + Sync,
    combine: impl Fn(R, R) -> R,
) -> Option<R> {
    in_order(parts, (CHUNK / width.max(1)).max(1), width.max(1), map, combine)
}

/// [`reduce`] over blocks of `block` items, each worth `weight` elements.
pub(crate) fn in_order<P: Split, R: Send>(
    parts: P,
    block: usize,
    weight: usize,
    map: impl Fn(usize, P::Part) -> R + Sync,
    combine: impl Fn(R, R) -> R,
) -> Option<R> {
    let values = Mutex::new(Vec::new());
    split::blocks(parts, block, weight, |first, part| {
        let value = map(first, part);
        values
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((first, value));
    });
    let mut values = values.into_inner().unwrap_or_else(PoisonError::into_inner);
    values.sort_by_key(|&(first, _)| first);
    values.into_iter().map(|(_, value)| value).reduce(combine)
}

/// The sum of all elements, in a fixed order: eight running vectors a chunk, then chunk by chunk.
pub fn sum<T: Element>(x: &[T]) -> T {
    reduce((x,), |_, (x,)| simd::dispatch(Sum(x)), |a, b| a + b).unwrap_or(T::ZERO)
}

struct Sum<'a, T>(&'a [T]);

impl<T: Element> Kernel for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> T {
        let lanes = s.lanes::<T>();
        let mut sums = [s.splat(T::ZERO); 8];
        let mut blocks = self.0.chunks_exact(8 * lanes);
        for block in &mut blocks {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = *sum + s.load::<T>(&block[k * lanes..]);
            }
        }
        for rest in blocks.remainder().chunks(lanes) {
            sums[0] = sums[0] + s.load::<T>(rest);
        }
        let [a, b, c, d, e, f, g, h] = sums;
        (((a + b) + (c + d)) + ((e + f) + (g + h))).sum()
    }
}
