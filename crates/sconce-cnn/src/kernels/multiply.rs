//! The product at the bottom of a convolution: a few rows times a matrix, both in cache, neither packed.

use sconce_core::cpu::Real;
use sconce_kernels::simd::{self, Kernel, Level, Simd, Vector};

/// Elements that a right-hand side must have behind its end.
pub(super) const ROOM: usize = 64;

/// What a product begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a, T> {
    Zero,
    /// One value for each row.
    Rows(&'a [T]),
    /// What is there.
    Add,
}

/// The matrix on the left: element (i, p) is `data[i·stride + p]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a, T> {
    pub(super) data: &'a [T],
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
}

impl<T: Real> Left<'_, T> {
    /// `c[i·c_row + j] = start + Σ_p left[i, p]·b[p·b_row + j]` for j < n. `b` has [`ROOM`] more elements than it needs.
    pub(super) fn multiply(
        self,
        b: &[T],
        b_row: usize,
        n: usize,
        c: &mut [T],
        c_row: usize,
        start: Start<'_, T>,
    ) {
        simd::dispatch(Multiply {
            left: self,
            b,
            b_row,
            n,
            c,
            c_row,
            start,
        });
    }
}

/// The distance of rows of this length that puts them into different places of a cache.
pub(super) fn stride(length: usize) -> usize {
    length.next_multiple_of(64) + 16
}

/// Rows of a block, `most` or fewer: as even as they can be, of the heights that there are blocks for.
#[inline(always)]
pub(super) fn height(rows: usize, most: usize) -> usize {
    let even = rows.div_ceil(rows.div_ceil(most).max(1));
    [1, 2, 4, 6]
        .into_iter()
        .find(|&height| height >= even)
        .unwrap_or(8)
}

struct Multiply<'a, 'b, T> {
    left: Left<'a, T>,
    b: &'a [T],
    b_row: usize,
    n: usize,
    c: &'a mut [T],
    c_row: usize,
    start: Start<'b, T>,
}

impl<T: Real> Kernel for Multiply<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            left,
            b,
            b_row,
            n,
            c,
            c_row,
            start,
        } = self;
        let Left {
            data,
            stride,
            rows,
            depth,
        } = left;
        let tallest = if matches!(S::LEVEL, Level::Avx512 | Level::Neon) {
            8
        } else {
            6
        };
        let (lanes, height) = (s.lanes::<T>(), height(rows, tallest));
        // As many vectors side by side as leave their sums in registers, and evenly so over the columns.
        let most = match (S::LEVEL, height) {
            (Level::Avx512 | Level::Neon, 8) => 3,
            (Level::Avx512 | Level::Neon, _) => 4,
            (_, 6..) => 2,
            _ => 3,
        };
        let vectors = n.div_ceil(lanes);
        let blocks = vectors.div_ceil(most);
        for block in 0..blocks {
            let (first, end) = (block * vectors / blocks, (block + 1) * vectors / blocks);
            let (from, to) = (first * lanes, (end * lanes).min(n));
            for row in (0..rows).step_by(height) {
                let block = Block {
                    a: &data[row * stride..],
                    a_row: stride,
                    depth,
                    b: &b[from..],
                    b_row,
                    c: &mut c[row * c_row + from..],
                    c_row,
                    rows: height.min(rows - row),
                    columns: to - from,
                    start: match start {
                        Start::Rows(values) => Start::Rows(&values[row..]),
                        other => other,
                    },
                };
                match (height, end - first) {
                    // Only where `height` gives it.
                    (8, _) if !matches!(S::LEVEL, Level::Avx512 | Level::Neon) => {}
                    (8, 1) => block.run::<S, 8, 1>(s),
                    (8, 2) => block.run::<S, 8, 2>(s),
                    (8, _) => block.run::<S, 8, 3>(s),
                    (6, 1) => block.run::<S, 6, 1>(s),
                    (6, 2) => block.run::<S, 6, 2>(s),
                    (6, 3) => block.run::<S, 6, 3>(s),
                    (6, _) => block.run::<S, 6, 4>(s),
                    (4, 1) => block.run::<S, 4, 1>(s),
                    (4, 2) => block.run::<S, 4, 2>(s),
                    (4, 3) => block.run::<S, 4, 3>(s),
                    (4, _) => block.run::<S, 4, 4>(s),
                    (2, 1) => block.run::<S, 2, 1>(s),
                    (2, 2) => block.run::<S, 2, 2>(s),
                    (2, 3) => block.run::<S, 2, 3>(s),
                    (2, _) => block.run::<S, 2, 4>(s),
                    (_, 1) => block.run::<S, 1, 1>(s),
                    (_, 2) => block.run::<S, 1, 2>(s),
                    (_, 3) => block.run::<S, 1, 3>(s),
                    (_, _) => block.run::<S, 1, 4>(s),
                }
            }
        }
    }
}

/// A few rows times the columns of a few vectors.
struct Block<'a, 'b, T> {
    a: &'a [T],
    a_row: usize,
    depth: usize,
    b: &'a [T],
    b_row: usize,
    c: &'a mut [T],
    c_row: usize,
    rows: usize,
    columns: usize,
    start: Start<'b, T>,
}

impl<T: Real> Block<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd, const HEIGHT: usize, const VECTORS: usize>(self, s: S) {
        let lanes = s.lanes::<T>();
        let zero = s.splat(T::ZERO);
        let mut sums = [[zero; VECTORS]; HEIGHT];
        for (i, sums) in sums.iter_mut().enumerate().take(self.rows) {
            match self.start {
                Start::Zero => {}
                Start::Rows(values) => *sums = [s.splat(values[i]); VECTORS],
                Start::Add => {
                    let c = &self.c[i * self.c_row..][..self.columns];
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(&c[(j * lanes).min(c.len())..]);
                    }
                }
            }
        }
        // A row that isn't there is computed like the last one, and not stored.
        let mut a = [self.a; HEIGHT];
        for (i, a) in a.iter_mut().enumerate() {
            *a = &self.a[i.min(self.rows - 1) * self.a_row..][..self.depth];
        }
        for p in 0..self.depth {
            let b = &self.b[p * self.b_row..][..VECTORS * lanes];
            let mut row = [zero; VECTORS];
            for j in 0..VECTORS {
                row[j] = s.load(&b[j * lanes..]);
            }
            for i in 0..HEIGHT {
                let a = s.splat(a[i][p]);
                for j in 0..VECTORS {
                    sums[i][j] = a.mul_add(row[j], sums[i][j]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate().take(self.rows) {
            let c = &mut self.c[i * self.c_row..][..self.columns];
            for (j, sum) in sums.iter().enumerate() {
                let at = (j * lanes).min(c.len());
                sum.store(&mut c[at..]);
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
                for rows in [1, 2, 3, 5, 6, 7, 8, 9, 13, 16, 17, 25] {
                    for n in [1, 7, 8, 15, 16, 17, 24, 33, 47, 64, 65, 150] {
                        for depth in [1, 5, 16] {
                            check::<f64>(rows, n, depth, &mut random);
                            check::<f32>(rows, n, depth, &mut random);
                        }
                    }
                }
            });
        }
    }

    /// Whole numbers, so that sums are exact in any order.
    fn check<T: Real>(rows: usize, n: usize, depth: usize, random: &mut Random) {
        let mut numbers = |count: usize| -> Vec<T> {
            (0..count)
                .map(|_| <T as candle_core::WithDType>::from_f64(random.integer(0, 9) as f64 - 4.))
                .collect()
        };
        let (b_row, c_row) = (n + 3, n + 2);
        let (a, b) = (numbers(rows * depth), numbers(depth * b_row + ROOM));
        let (start, before) = (numbers(rows), numbers(rows * c_row));
        let left = Left {
            data: &a,
            stride: depth,
            rows,
            depth,
        };
        for (kind, begin) in [(0, Start::Zero), (1, Start::Rows(&start)), (2, Start::Add)] {
            let mut c = before.clone();
            left.multiply(&b, b_row, n, &mut c, c_row, begin);
            for i in 0..rows {
                for j in 0..c_row {
                    let mut expected = match kind {
                        _ if j >= n => before[i * c_row + j],
                        0 => T::zero(),
                        1 => start[i],
                        _ => before[i * c_row + j],
                    };
                    if j < n {
                        for p in 0..depth {
                            expected += a[i * depth + p] * b[p * b_row + j];
                        }
                    }
                    assert!(
                        c[i * c_row + j] == expected,
                        "{rows}×{depth}×{n}, start {kind}, at {i}, {j}"
                    );
                }
            }
        }
    }
}
