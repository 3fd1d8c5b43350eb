//! The right operand, as panels.

use crate::matrix::MatRef;
use crate::parallel::{self, Rows};
use crate::simd::{self, Element, Kernel, Level, Simd, Vector};
use std::ops::Range;

/// A right operand that exists nowhere as a matrix, such as the patches of an image: it writes itself into panels.
pub trait PackRhs<T>: Sync {
    /// Rows: the length of the sums.
    fn rows(&self) -> usize;

    /// Columns.
    fn cols(&self) -> usize;

    /// Writes rows `k` of columns `n` into a panel: row by row, `width` elements each, of which the first `n.len()`
    /// count (never more than `width`). The others may be left as they are: their results are dropped.
    fn pack(&self, k: Range<usize>, n: Range<usize>, width: usize, panel: &mut [T]);
}

/// A [`PackRhs`] as the right operand of a product.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a, P>(pub &'a P);

/// What a product takes on the right: [`Packed`](super::Packed), [`MatRef`] or [`Right`].
pub trait Panels<T>: Sync {
    /// Rows.
    fn rows(&self) -> usize;
    /// Columns.
    fn cols(&self) -> usize;
    /// The level that it was packed for.
    #[doc(hidden)]
    fn level(&self) -> Option<Level> {
        None
    }
    /// All panels, if they are ready.
    #[doc(hidden)]
    fn ready(&self) -> Option<&[T]> {
        None
    }
    /// The elements from row `k`, column `n` on and the step from row to row, where rows are contiguous.
    #[doc(hidden)]
    fn lying(&self, _k: usize, _n: usize) -> Option<(&[T], usize)> {
        None
    }
    /// As [`PackRhs::pack`], but any number of columns, into as many panels, one after the other.
    #[doc(hidden)]
    fn pack(&self, level: Level, k: Range<usize>, n: Range<usize>, width: usize, panels: &mut [T]);
}

impl<T, P: PackRhs<T>> Panels<T> for Right<'_, P> {
    fn rows(&self) -> usize {
        self.0.rows()
    }
    fn cols(&self) -> usize {
        self.0.cols()
    }
    fn pack(&self, _: Level, k: Range<usize>, n: Range<usize>, width: usize, panels: &mut [T]) {
        let panels = panels.chunks_exact_mut((k.len() * width).max(1));
        for (first, panel) in n.clone().step_by(width).zip(panels) {
            self.0
                .pack(k.clone(), first..n.end.min(first + width), width, panel);
        }
    }
}

impl<T: Element> Panels<T> for MatRef<'_, T> {
    fn rows(&self) -> usize {
        MatRef::rows(self)
    }
    fn cols(&self) -> usize {
        MatRef::cols(self)
    }
    fn lying(&self, k: usize, n: usize) -> Option<(&[T], usize)> {
        (self.col_stride() == 1).then(|| (self.from(k, n), self.row_stride()))
    }
    fn pack(&self, level: Level, k: Range<usize>, n: Range<usize>, width: usize, panels: &mut [T]) {
        fill(level, self, k, n, width, panels);
    }
}

/// Brings all of a matrix into panels, in parallel if it is large.
pub(super) fn pack_all<T: Element>(level: Level, b: &impl Panels<T>, width: usize, panels: &mut [T]) {
    let (k, n) = (b.rows(), b.cols());
    let size = k * width;
    parallel::zip_rows(size, (Rows(panels, size),), |first, (panels,)| {
        let columns = first * width..n.min(first * width + panels.len() / k);
        b.pack(level, 0..k, columns, width, panels);
    });
}

/// Copies rows `k` of columns `n` of a matrix into panels.
pub(super) fn fill<T: Element>(
    level: Level,
    b: &MatRef<'_, T>,
    k: Range<usize>,
    n: Range<usize>,
    width: usize,
    panels: &mut [T],
) {
    if !k.is_empty() && !n.is_empty() {
        simd::dispatch_at(
            level,
            Fill {
                b,
                k,
                n,
                width,
                panels,
            },
        );
    }
}

struct Fill<'a, T> {
    b: &'a MatRef<'a, T>,
    k: Range<usize>,
    n: Range<usize>,
    width: usize,
    panels: &'a mut [T],
}

impl<T: Element> Kernel for Fill<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            b,
            k,
            n,
            width,
            panels,
        } = self;
        let (count, lanes, size) = (n.len(), s.lanes::<T>(), k.len() * width);
        if b.col_stride() == 1 {
            for (p, row) in k.enumerate() {
                let row = &b.from(row, n.start)[..count];
                for (i, row) in row.chunks(width).enumerate() {
                    let out = &mut panels[i * size + p * width..][..width];
                    for (out, row) in out.chunks_mut(lanes).zip(row.chunks(lanes)) {
                        s.load::<T>(row).store(out);
                    }
                }
            }
            return;
        }
        // Square blocks, so that both what is read and what is written stays in the cache.
        for j in (0..count).step_by(lanes) {
            let cols = lanes.min(count - j);
            let panel = &mut panels[j / width * size..][..size];
            let place = j % width;
            for start in k.clone().step_by(lanes) {
                let rows = lanes.min(k.end - start);
                let out = &mut panel[(start - k.start) * width..][..rows * width];
                let column = b.from(start, n.start + j);
                if b.row_stride() == 1 && rows == lanes && cols == lanes {
                    assert!(
                        column.len() > (lanes - 1) * b.col_stride() + lanes - 1 && place + lanes <= width
                    );
                    // SAFETY: `lanes` columns of the matrix, just checked, and as many rows of the panel.
                    unsafe {
                        let to = out[place..].as_mut_ptr();
                        T::Vector::<S>::transpose(s, column.as_ptr(), b.col_stride(), to, width);
                    }
                    continue;
                }
                for c in 0..cols {
                    for r in 0..rows {
                        out[r * width + place + c] = column[c * b.col_stride() + r * b.row_stride()];
                    }
                }
            }
        }
    }
}
