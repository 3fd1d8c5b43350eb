//! Bits and uniform numbers.

use super::{SIDE, pairs, singles};
use crate::parallel;
use crate::simd::{self, Element, Kernel, Simd};

/// Raw numbers, four a counter.
pub fn fill_bits(out: &mut [u32], key: u64, first: u64) {
    parallel::zip((out,), |start, (out,)| {
        simd::dispatch(Bits {
            out,
            key,
            first: first.wrapping_add(start as u64 / 4),
        })
    });
}

struct Bits<'a> {
    out: &'a mut [u32],
    key: u64,
    first: u64,
}

impl Kernel for Bits<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (i, out) in self.out.chunks_mut(4 * SIDE).enumerate() {
            let bits = singles(pairs(self.key, self.first.wrapping_add((i * SIDE) as u64)));
            out.copy_from_slice(&bits[..out.len()]);
        }
    }
}

/// Numbers from U(lo, hi): lo + (hi − lo)·u with u a multiple of 2⁻²⁴ (`f32`) or 2⁻⁵³ (`f64`) in \[0, 1), rounded.
///
/// A counter gives four `f32`, one from each number, or two `f64`, one from each pair of numbers, the first one low.
pub fn fill_uniform<T: Element>(out: &mut [T], key: u64, first: u64, lo: f64, hi: f64) {
    let per_counter = 16 / size_of::<T>();
    parallel::zip((out,), |start, (out,)| {
        let first = first.wrapping_add((start / per_counter) as u64);
        simd::dispatch(Uniform {
            out,
            key,
            first,
            lo,
            range: hi - lo,
        });
    });
}

struct Uniform<'a, T> {
    out: &'a mut [T],
    key: u64,
    first: u64,
    lo: f64,
    range: f64,
}

impl<T: Element> Kernel for Uniform<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            out,
            key,
            first,
            lo,
            range,
        } = self;
        let wide = size_of::<T>() == 8;
        let size = if wide { 2 * SIDE } else { 4 * SIDE };
        for (i, out) in out.chunks_mut(size).enumerate() {
            let pairs = pairs(key, first.wrapping_add((i * SIDE) as u64));
            if wide {
                for (out, pair) in out.iter_mut().zip(pairs) {
                    *out = T::of(lo + range * ((pair >> 11) as f64 * (1. / (1u64 << 53) as f64)));
                }
            } else {
                let (lo, range) = (T::of(lo), T::of(range));
                let scale = T::of(1. / f64::from(1u32 << 24));
                for (out, bits) in out.iter_mut().zip(singles(pairs)) {
                    *out = lo + range * (T::whole((bits >> 8) as i32) * scale);
                }
            }
        }
    }
}
