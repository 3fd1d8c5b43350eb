//! Row by row: softmax, layer norm, and means and variances, of matrices and of channels.
//!
//! A row is read from memory once and stays in the first-level cache for the passes over it. Rows are independent, and
//! sums over rows go through blocks that depend on the shape alone.
//!
//! ```
//! use sconce_kernels::rows;
//! let mut y = [0f64; 4];
//! rows::softmax(&mut y, &[0., 0., 3f64.ln(), 0.], 2);
//! assert!((y[0] - 0.5).abs() < 1e-15 && (y[2] - 0.75).abs() < 1e-15);
//! ```

mod channels;
mod layer_norm;
mod moments;
mod softmax;

pub use channels::{channel_moments, channel_sums};
pub use layer_norm::{LayerNormGradients, layer_norm, layer_norm_backward};
pub use moments::moments;
pub use softmax::{log_softmax, log_softmax_backward, softmax, softmax_backward};

use crate::simd::{Element, Simd, Vector};

/// Σ f(x\[i\]) over a row, N sums at a time: in four running vectors each, so that the additions overlap.
#[inline(always)]
fn fold<T: Element, S: Simd, const N: usize>(
    s: S,
    inputs: [&[T]; N],
    mut f: impl FnMut([T::Vector<S>; N]) -> T::Vector<S>,
) -> T {
    let lanes = s.lanes::<T>();
    let length = inputs[0].len();
    let mut sums = [s.splat(T::ZERO); 4];
    let whole = length - length % (4 * lanes);
    for start in (0..whole).step_by(4 * lanes) {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum = *sum + f(load_each(s, inputs, start + k * lanes, length));
        }
    }
    let [a, b, c, d] = sums;
    let mut total = ((a + b) + (c + d)).sum();
    for start in (whole..length).step_by(lanes) {
        let mut part = f(load_each(s, inputs, start, length));
        if length - start < lanes {
            // The lanes past the end hold f(0).
            let mut lanes_only = [T::ZERO; 64];
            part.store(&mut lanes_only);
            lanes_only[length - start..].fill(T::ZERO);
            part = s.load::<T>(&lanes_only);
        }
        total += part.sum();
    }
    total
}

/// A vector of each input. A loop, since a closure in `map` may not be inlined, and then lacks the instruction set.
#[inline(always)]
fn load_each<T: Element, S: Simd, const N: usize>(
    s: S,
    inputs: [&[T]; N],
    start: usize,
    end: usize,
) -> [T::Vector<S>; N] {
    let mut vectors = [s.splat(T::ZERO); N];
    for (vector, input) in vectors.iter_mut().zip(inputs) {
        *vector = s.load::<T>(&input[start..end]);
    }
    vectors
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

#[cfg(test)]
mod tests;
