//! Row by row: softmax, layer norm, and means and variances, of matrices and of channels.
//!
//! A row is read from memory once and stays in the first-level cache for the passes over it. Rows are independent, and
//! sums over rows go through blocks that depend on the shape alone.
//!
//! ```
//! use sconce_kernels::rows;
//! let y = rows::softmax(&[0., 0., 3f64.ln(), 0.], 2);
//! assert!((y[0] - 0.5).abs() < 1e-15 && (y[2] - 0.75).abs() < 1e-15);
//! ```

mod channel_maps;
mod channels;
mod layer_norm;
mod moments;
mod softmax;

pub use channel_maps::{channel_affine, channel_affine_backward};
pub use channels::{channel_moments, channel_sums};
pub use layer_norm::{LayerNorm, LayerNormGradients, layer_norm, layer_norm_backward};
pub use moments::moments;
pub use softmax::{log_softmax, log_softmax_backward, softmax, softmax_backward};

use crate::parallel;
use crate::simd::{Element, Simd, Vector};

/// Σ f(x\[i\]) over a row, for an f of N inputs that gives M values: in four running vectors each, so that the additions
/// overlap.
#[inline(always)]
fn folds<T: Element, S: Simd, const N: usize, const M: usize>(
    s: S,
    inputs: [&[T]; N],
    mut f: impl FnMut([T::Vector<S>; N]) -> [T::Vector<S>; M],
) -> [T; M] {
    let lanes = s.lanes::<T>();
    let length = inputs[0].len();
    assert!(
        inputs.iter().all(|input| input.len() == length),
        "slices that go in lock-step differ in length"
    );
    let mut sums = [[s.splat(T::ZERO); 4]; M];
    let whole = length - length % (4 * lanes);
    for start in (0..whole).step_by(4 * lanes) {
        for k in 0..4 {
            let mut values = [s.splat(T::ZERO); N];
            for (value, input) in values.iter_mut().zip(inputs) {
                // SAFETY: `whole` is at most the length of each, and this is the k-th vector of four below it.
                *value = unsafe { T::Vector::<S>::load_ptr(s, input.as_ptr().add(start + k * lanes)) };
            }
            for (sums, value) in sums.iter_mut().zip(f(values)) {
                sums[k] = sums[k] + value;
            }
        }
    }
    let mut totals = [T::ZERO; M];
    for (total, [a, b, c, d]) in totals.iter_mut().zip(sums) {
        *total = ((a + b) + (c + d)).sum();
    }
    for start in (whole..length).step_by(lanes) {
        let mut values = [s.splat(T::ZERO); N];
        for (value, input) in values.iter_mut().zip(inputs) {
            *value = s.load::<T>(&input[start..]);
        }
        for (total, mut value) in totals.iter_mut().zip(f(values)) {
            if length - start < lanes {
                // The lanes past the end hold f(0).
                let mut within = [T::ZERO; 16];
                value.store(&mut within[..length - start]);
                value = s.load::<T>(&within);
            }
            *total += value.sum();
        }
    }
    totals
}

/// [`folds`] for one value.
#[inline(always)]
fn fold<T: Element, S: Simd, const N: usize>(
    s: S,
    inputs: [&[T]; N],
    mut f: impl FnMut([T::Vector<S>; N]) -> T::Vector<S>,
) -> T {
    let [total] = folds(
        s,
        inputs,
        #[inline(always)]
        |x| [f(x)],
    );
    total
}

/// The largest element; NaNs are passed over.
#[inline(always)]
fn largest<T: Element, S: Simd>(s: S, x: &[T]) -> T {
    let lanes = s.lanes::<T>();
    let mut best = [s.splat(T::NEG_INFINITY); 4];
    let mut blocks = x.chunks_exact(4 * lanes);
    for block in &mut blocks {
        for (k, best) in best.iter_mut().enumerate() {
            *best = s.load::<T>(&block[k * lanes..]).max(*best);
        }
    }
    let [a, b, c, d] = best;
    let mut best = a.max(b).max(c.max(d)).largest();
    for &x in blocks.remainder() {
        if x > best {
            best = x;
        }
    }
    best
}

/// Rows of a block, where sums over rows are taken block by block: neither many blocks nor tiny ones, by the shape alone,
/// so that the bits don't depend on the number of threads.
fn block(rows: usize, cols: usize) -> usize {
    const MOST: usize = 32;
    rows.div_ceil(MOST).max(parallel::CHUNK / cols.max(1)).max(1)
}

/// out\[i\] = f(inputs\[i\]) for a row, the last pass over it. Meanwhile the next row of the first `from_memory` inputs is
/// brought in, since the processor itself looks ahead only as far as a page: that pays where f takes longer than a load.
#[inline(always)]
fn map<T: Element, S: Simd, const N: usize>(
    s: S,
    out: &mut [T],
    inputs: [&[T]; N],
    from_memory: usize,
    mut f: impl FnMut([T::Vector<S>; N]) -> T::Vector<S>,
) {
    map_and_add(
        s,
        [out],
        1,
        inputs,
        from_memory,
        #[inline(always)]
        |values| [f(values)],
    );
}

/// [`map`] with several results: the first `set` outputs become what f gives, to the others it is added.
#[inline(always)]
fn map_and_add<T: Element, S: Simd, const N: usize, const M: usize>(
    s: S,
    mut outs: [&mut [T]; M],
    set: usize,
    inputs: [&[T]; N],
    from_memory: usize,
    mut f: impl FnMut([T::Vector<S>; N]) -> [T::Vector<S>; M],
) {
    /// Bytes of a row that isn't too long to be kept until its turn comes.
    const MOST: usize = 8 << 10;
    let (lanes, length) = (s.lanes::<T>(), outs[0].len());
    assert!(
        inputs.iter().all(|input| input.len() == length) && outs.iter().all(|out| out.len() == length),
        "slices that go in lock-step differ in length"
    );
    let ahead = length.min(MOST / size_of::<T>());
    let whole = length - length % lanes;
    for start in (0..whole).step_by(lanes) {
        let mut values = [s.splat(T::ZERO); N];
        for (k, (value, input)) in values.iter_mut().zip(inputs).enumerate() {
            if k < from_memory {
                s.prefetch(input.as_ptr().wrapping_add(start + ahead));
            }
            // SAFETY: `whole` is at most the length of each, and this is a vector below it.
            *value = unsafe { T::Vector::<S>::load_ptr(s, input.as_ptr().add(start)) };
        }
        for (k, (out, mut value)) in outs.iter_mut().zip(f(values)).enumerate() {
            // SAFETY: as for the inputs.
            unsafe {
                let out = out.as_mut_ptr().add(start);
                if k >= set {
                    value = value + T::Vector::<S>::load_ptr(s, out);
                }
                value.store_ptr(out);
            }
        }
    }
    if whole < length {
        let values = f(inputs.map(
            #[inline(always)]
            |input| s.load::<T>(&input[whole..]),
        ));
        for (k, (out, mut value)) in outs.iter_mut().zip(values).enumerate() {
            let out = &mut out[whole..];
            if k >= set {
                value = value + s.load::<T>(out);
            }
            value.store(out);
        }
    }
}

#[cfg(test)]
mod tests;
