//! Dropout: keep or drop, and scale, in one pass.

use super::{SIDE, pairs, singles};
use crate::parallel;
use crate::simd::{self, Element, Kernel, Simd};

/// How many counters [`dropout`] of `count` elements takes, whatever their type.
pub fn dropout_counters(count: usize) -> u64 {
    count.div_ceil(4) as u64
}

/// out\[i\] = x\[i\] / keep with probability `keep`, else 0.
///
/// Element i is kept if the i-th number from counter `first` on lies below keep·2³². So the same key and counter drop the
/// same elements of another slice: the gradient, in the backward pass. Nothing is kept for `keep ≤ 0`.
///
/// ```
/// use sconce_kernels::philox;
/// let (mut y, mut dx) = ([0f32; 8], [0f32; 8]);
/// philox::dropout(&mut y, &[1.; 8], 3, 0, 0.5);
/// philox::dropout(&mut dx, &[1.; 8], 3, 0, 0.5);
/// assert_eq!(y, dx);
/// assert!(y.iter().all(|&y| y == 0. || y == 2.));
/// ```
///
/// # Panics
/// The slices differ in length.
pub fn dropout<T: Element>(out: &mut [T], x: &[T], key: u64, first: u64, keep: f64) {
    // Up to 2³², where all are kept; a float's conversion saturates at 0.
    let limit = (keep * (1u64 << 32) as f64) as u64;
    let scale = T::of(if keep > 0. { 1. / keep } else { 0. });
    parallel::zip((out, x), |start, (out, x)| {
        simd::dispatch(Dropout {
            out,
            x,
            key,
            first: first.wrapping_add(start as u64 / 4),
            limit,
            scale,
        });
    });
}

struct Dropout<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    key: u64,
    first: u64,
    limit: u64,
    scale: T,
}

impl<T: Element> Kernel for Dropout<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            out,
            x,
            key,
            first,
            limit,
            scale,
        } = self;
        for (i, (out, x)) in out.chunks_mut(4 * SIDE).zip(x.chunks(4 * SIDE)).enumerate() {
            let bits = singles(pairs(key, first.wrapping_add((i * SIDE) as u64)));
            for ((out, &x), bits) in out.iter_mut().zip(x).zip(bits) {
                *out = if u64::from(bits) < limit {
                    x * scale
                } else {
                    T::ZERO
                };
            }
        }
    }
}
