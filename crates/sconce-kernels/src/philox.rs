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

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// Blocks that are computed side by side, one in a lane.
const SIDE: usize = 16;

/// The four numbers of a counter.
pub fn block(key: u64, counter: u64) -> [u32; 4] {
    cipher([counter as u32, (counter >> 32) as u32, 0, 0], [key as u32, (key >> 32) as u32])
}

/// How many counters a fill of `count` elements takes: one for four `f32` or two `f64`.
pub fn counters_for<T: Element>(count: usize) -> u64 {
    count.div_ceil(16 / size_of::<T>()) as u64
}

fn cipher(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut lanes = counter.map(|word| [word; 1]);
    rounds(&mut lanes, key);
    lanes.map(|[word]| word)
}

/// The cipher on N counters, word by word.
#[inline(always)]
fn rounds<const N: usize>(words: &mut [[u32; N]; 4], mut key: [u32; 2]) {
    for _ in 0..ROUNDS {
        let [a, b, c, d] = *words;
        for i in 0..N {
            let p = u64::from(MULTIPLIERS[0]) * u64::from(a[i]);
            let q = u64::from(MULTIPLIERS[1]) * u64::from(c[i]);
            words[0][i] = (q >> 32) as u32 ^ b[i] ^ key[0];
            words[1][i] = q as u32;
            words[2][i] = (p >> 32) as u32 ^ d[i] ^ key[1];
            words[3][i] = p as u32;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
}

/// The numbers of `SIDE` counters from `first` on, word by word.
#[inline(always)]
fn blocks(key: u64, first: u64) -> [[u32; SIDE]; 4] {
    let counter = |i: usize| first.wrapping_add(i as u64);
    let mut words = [
        std::array::from_fn(|i| counter(i) as u32),
        std::array::from_fn(|i| (counter(i) >> 32) as u32),
        [0; SIDE],
        [0; SIDE],
    ];
    rounds(&mut words, [key as u32, (key >> 32) as u32]);
    words
}

/// The same, counter by counter.
#[inline(always)]
fn in_order(words: &[[u32; SIDE]; 4]) -> [u32; 4 * SIDE] {
    std::array::from_fn(|i| words[i % 4][i / 4])
}

#[cfg(test)]
mod tests;
