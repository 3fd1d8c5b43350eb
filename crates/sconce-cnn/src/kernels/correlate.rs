//! The weight gradient of a convolution of stride 1 without unfolding anything: vectors along the image's rows.

use super::multiply::height;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{self, Kernel, Level, Simd, Vector};

/// Taps that are computed together.
const TAPS: usize = 4;

/// `sums[i·offsets.len() + k] += Σ_p rows[i·stride + p]·image[offsets[k] + p]` for p < length and every i there is.
pub(super) struct Correlate<'a, T> {
    pub(super) rows: &'a [T],
    pub(super) stride: usize,
    pub(super) image: &'a [T],
    pub(super) offsets: &'a [usize],
    pub(super) length: usize,
    pub(super) sums: &'a mut [T],
}

impl<T: Real> Correlate<'_, T> {
    pub(super) fn add(self) {
        simd::dispatch(self);
    }
}

impl<T: Real> Kernel for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            rows,
            stride,
            image,
            offsets,
            length,
            sums,
        } = self;
        let taps = offsets.len();
        let most = if matches!(S::LEVEL, Level::Avx512 | Level::Neon) {
            6
        } else {
            2
        };
        let height = height(sums.len() / taps, most);
        for (block, sums) in sums.chunks_mut(height * taps).enumerate() {
            let rows = &rows[block * height * stride..];
            for (k, offsets) in offsets.chunks(TAPS).enumerate() {
                let block = Block {
                    rows,
                    stride,
                    image,
                    offsets,
                    length,
                    taps,
                    sums: &mut sums[k * TAPS..],
                };
                match height {
                    1 => block.run::<S, 1>(s),
                    2 => block.run::<S, 2>(s),
                    // Only where `most` allows them.
                    4 if matches!(S::LEVEL, Level::Avx512 | Level::Neon) => block.run::<S, 4>(s),
                    _ if matches!(S::LEVEL, Level::Avx512 | Level::Neon) => block.run::<S, 6>(s),
                    _ => {}
                }
            }
        }
    }
}

/// A few rows and taps.
struct Block<'a, T> {
    rows: &'a [T],
    stride: usize,
    image: &'a [T],
    offsets: &'a [usize],
    length: usize,
    taps: usize,
    sums: &'a mut [T],
}

impl<T: Real> Block<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const HEIGHT: usize>(self, s: S) {
        let Self {
            rows,
            stride,
            image,
            offsets,
            length,
            taps,
            sums,
        } = self;
        let (lanes, zero) = (s.lanes::<T>(), s.splat(T::ZERO));
        // What isn't there is computed like the last one, and not added.
        let count = sums.len().div_ceil(taps).min(HEIGHT);
        let rows: [&[T]; HEIGHT] = std::array::from_fn(|i| &rows[i.min(count - 1) * stride..][..length]);
        let images: [&[T]; TAPS] =
            std::array::from_fn(|k| &image[offsets[k.min(offsets.len() - 1)]..][..length]);
        let mut totals = [[zero; TAPS]; HEIGHT];
        let whole = length - length % lanes;
        let mut p = 0;
        while p < whole {
            let mut x = [zero; TAPS];
            for k in 0..TAPS {
                x[k] = s.load(&images[k][p..p + lanes]);
            }
            for i in 0..HEIGHT {
                let row = s.load(&rows[i][p..p + lanes]);
                for k in 0..TAPS {
                    totals[i][k] = row.mul_add(x[k], totals[i][k]);
                }
            }
            p += lanes;
        }
        if whole < length {
            for i in 0..HEIGHT {
                let row = s.load(&rows[i][whole..]);
                for k in 0..TAPS {
                    totals[i][k] = row.mul_add(s.load(&images[k][whole..]), totals[i][k]);
                }
            }
        }
        for (totals, sums) in totals.iter().zip(sums.chunks_mut(taps)) {
            for (total, sum) in totals.iter().zip(sums).take(offsets.len()) {
                *sum += total.sum();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sconce_testkit::Random;

    #[test]
    fn every_size_and_level() {
        for level in Level::available() {
            simd::with_level(level, || {
                let mut random = Random::new(1);
                for rows in [1, 2, 3, 5, 6, 7, 13, 16] {
                    for taps in [1, 3, 4, 5, 25] {
                        for length in [1, 7, 16, 33, 50] {
                            check::<f64>(rows, taps, length, &mut random);
                            check::<f32>(rows, taps, length, &mut random);
                        }
                    }
                }
            });
        }
    }

    /// Whole numbers, so that sums are exact in any order.
    fn check<T: Real>(count: usize, taps: usize, length: usize, random: &mut Random) {
        let mut numbers = |count: usize| -> Vec<T> {
            (0..count)
                .map(|_| T::of(random.integer(0, 9) as f64 - 4.))
                .collect()
        };
        let stride = length + 3;
        let (rows, image, before) = (
            numbers(count * stride),
            numbers(length + 2 * taps),
            numbers(count * taps),
        );
        let offsets: Vec<usize> = (0..taps).map(|k| 2 * k).collect();
        let mut sums = before.clone();
        Correlate {
            rows: &rows,
            stride,
            image: &image,
            offsets: &offsets,
            length,
            sums: &mut sums,
        }
        .add();
        for i in 0..count {
            for k in 0..taps {
                let mut expected = before[i * taps + k];
                for p in 0..length {
                    expected += rows[i * stride + p] * image[offsets[k] + p];
                }
                assert!(
                    sums[i * taps + k] == expected,
                    "{count}×{taps}, {length}, at {i}, {k}"
                );
            }
        }
    }
}
