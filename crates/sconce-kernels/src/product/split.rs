//! Products with a long sum and a small result: the sum is what is split.

use super::driver;
use super::epilogue::{Epilogue, Plain, Start};
use super::right::Panels;
use crate::matrix::{MatMut, MatRef};
use crate::parallel;
use crate::simd::{self, Element, Kernel, Level, Simd, Vector};
use std::ops::Range;

/// Parts of the sum; fixed, so that the bits don't depend on the number of threads.
const PARTS: usize = 8;

/// The sum is split from this length on,
const LENGTH: usize = 2048;

/// and if the result has at most this many elements.
const RESULT: usize = 96 * 96;

/// Whether the shape asks for it.
pub(super) fn applies<T: Element>(_: Level, m: usize, n: usize, k: usize, b: &impl Panels<T>) -> bool {
    k >= LENGTH && m * n <= RESULT && b.ready().is_none()
}

/// Some rows of B.
struct Part<'a, B> {
    b: &'a B,
    k: Range<usize>,
}

impl<T: Element, B: Panels<T>> Panels<T> for Part<'_, B> {
    fn rows(&self) -> usize {
        self.k.len()
    }
    fn cols(&self) -> usize {
        self.b.cols()
    }
    fn lying(&self, k: usize, n: usize) -> Option<(&[T], usize)> {
        self.b.lying(self.k.start + k, n)
    }
    fn pack(&self, level: Level, k: Range<usize>, n: Range<usize>, width: usize, panel: &mut [T]) {
        self.b.pack(
            level,
            self.k.start + k.start..self.k.start + k.end,
            n,
            width,
            panel,
        );
    }
}

/// C = A·B in parts of K, which are then added up in their order.
pub(super) fn run<T: Element, B: Panels<T>, E: Epilogue<T>>(
    level: Level,
    mut c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: &B,
    epilogue: &E,
    threads: bool,
) {
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    if m == 0 || n == 0 {
        return;
    }
    let mut sums = vec![T::ZERO; PARTS * m * n];
    let part = |i: usize, sum: &mut [T]| {
        let k = i * k / PARTS..(i + 1) * k / PARTS;
        let a = MatRef::strided(a.from(0, k.start), m, k.len(), a.row_stride(), a.col_stride());
        let sum = MatMut::new(sum, m, n).into();
        driver::run(level, sum, a, &Part { b, k }, (Start::Zero, &Plain), false);
    };
    if threads {
        parallel::for_each(sums.chunks_exact_mut(m * n).enumerate().collect(), |(i, sum)| {
            part(i, sum)
        });
    } else {
        sums.chunks_exact_mut(m * n)
            .enumerate()
            .for_each(|(i, sum)| part(i, sum));
    }
    simd::dispatch_at(
        level,
        Finish {
            c: &mut c,
            sums: &sums,
            epilogue,
        },
    );
}

/// Adds the parts up and applies the epilogue.
struct Finish<'a, 'c, T, E> {
    c: &'a mut MatMut<'c, T>,
    sums: &'a [T],
    epilogue: &'a E,
}

impl<T: Element, E: Epilogue<T>> Kernel for Finish<'_, '_, T, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (m, n) = (self.c.rows(), self.c.cols());
        for row in 0..m {
            let out = self.c.row_mut(row);
            for (col, out) in (0..n).step_by(s.lanes::<T>()).zip(out.chunks_mut(s.lanes::<T>())) {
                let mut sum = match self.epilogue.start() {
                    Start::Zero => s.splat(T::ZERO),
                    Start::Existing => s.load::<T>(out),
                    Start::Columns(values) => s.load::<T>(&values[col..]),
                };
                for part in self.sums.chunks_exact(m * n) {
                    let row = &part[row * n..][..n];
                    sum = sum + s.load::<T>(&row[col..]);
                }
                self.epilogue.apply(s, row, col, sum).store(out);
            }
        }
    }
}
