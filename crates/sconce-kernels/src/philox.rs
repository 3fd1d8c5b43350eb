//! Random numbers from a key and a counter: Philox4x32-10.
//!
//! Four 32-bit numbers depend on a 64-bit key and a counter and on nothing else. So element i of what is filled here
//! depends on (key, first counter, i) alone, in whatever order and on however many threads it is computed. The bits don't
//! depend on the instruction set either: nothing here is fused.
//!
//! # Source
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011; the test vectors are their library's, Random123.
//!
//! ```
//! use sconce_kernels::philox;
//! let mut x = [0f32; 100];
//! philox::fill_uniform(&mut x, 7, 0, -1., 1.);
//! let mut y = [0f32; 60];
//! philox::fill_uniform(&mut y, 7, 10, -1., 1.); // from the tenth counter on: forty numbers later
//! assert_eq!(x[40..], y[..]);
//! ```

mod dropout;
mod normal;
mod uniform;

pub use dropout::{dropout, dropout_counters};
pub use normal::fill_normal;
pub use uniform::{fill_bits, fill_uniform};

use crate::simd::Element;

const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// Blocks that are computed side by side, one in a lane.
const SIDE: usize = 16;

/// The four numbers of a counter.
pub fn block(key: u64, counter: u64) -> [u32; 4] {
    rounds([counter, counter >> 32, 0, 0], [key as u32, (key >> 32) as u32]).map(|word| word as u32)
}

/// How many counters a fill of `count` elements takes: one for four `f32` or two `f64`.
pub fn counters_for<T: Element>(count: usize) -> u64 {
    count.div_ceil(16 / size_of::<T>()) as u64
}

/// Four words, of which the low halves count: the high ones are left as they come.
#[inline(always)]
fn rounds(mut words: [u64; 4], mut key: [u32; 2]) -> [u64; 4] {
    let low = |word: u64| word & u64::from(u32::MAX);
    for _ in 0..ROUNDS {
        let [a, b, c, d] = words;
        let (p, q) = (low(a) * MULTIPLIERS[0], low(c) * MULTIPLIERS[1]);
        words = [
            q >> 32 ^ b ^ u64::from(key[0]),
            q,
            p >> 32 ^ d ^ u64::from(key[1]),
            p,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}

/// The numbers of `SIDE` counters from `first` on, in pairs, the first of a pair low.
#[inline(always)]
fn pairs(key: u64, first: u64) -> [u64; 2 * SIDE] {
    let mut pairs = [0; 2 * SIDE];
    // All rounds of a counter in one pass of this loop, so that the compiler puts counters into lanes.
    for i in 0..SIDE {
        let counter = first.wrapping_add(i as u64);
        let [a, b, c, d] = rounds([counter, counter >> 32, 0, 0], [key as u32, (key >> 32) as u32]);
        pairs[2 * i] = a & u64::from(u32::MAX) | b << 32;
        pairs[2 * i + 1] = c & u64::from(u32::MAX) | d << 32;
    }
    pairs
}

/// The numbers one by one.
#[inline(always)]
fn singles(mut pairs: [u64; 2 * SIDE]) -> [u32; 4 * SIDE] {
    for pair in &mut pairs {
        *pair = pair.to_le();
    }
    // SAFETY: both are 16·SIDE bytes without padding, and any bytes are a number; the halves' order is little-endian's.
    unsafe { std::mem::transmute(pairs) }
}

#[cfg(test)]
mod tests;
