//! A right operand that is packed once and multiplied many times.

use super::buffer::Aligned;
use super::right::{Panels, pack_all};
use crate::matrix::MatRef;
use crate::simd::{self, Element, Level};

/// A right operand in panels.
///
/// It belongs to the [`level`](simd::level) that made it, and products with it run at that level.
#[derive(Debug)]
pub struct Packed<T> {
    panels: Aligned<T>,
    rows: usize,
    cols: usize,
    width: usize,
    level: Level,
}

impl<T: Element> Packed<T> {
    /// Packs a matrix; a weight `[out, in]` that is multiplied as x·Wᵀ goes in as `MatRef::new(w, out, in).t()`.
    ///
    /// # Panics
    /// The matrix, which may be a view of a few elements, is larger than any memory.
    pub fn new(b: MatRef<'_, T>) -> Self {
        let (rows, cols) = (b.rows(), b.cols());
        assert!(
            super::can_be(rows, cols),
            "a matrix of {rows}×{cols} is larger than any memory"
        );
        let level = simd::level();
        let width = T::kernels(level).width;
        let count = b.cols().div_ceil(width);
        let mut packed = Self {
            panels: Aligned::zeros(count * width * b.rows()),
            rows: b.rows(),
            cols: b.cols(),
            width,
            level,
        };
        packed.refill(b);
        packed
    }

    /// Packs another matrix of the same shape into the same memory.
    ///
    /// # Panics
    /// The shape is another.
    pub fn refill(&mut self, b: MatRef<'_, T>) {
        assert!(
            (b.rows(), b.cols()) == (self.rows, self.cols),
            "a packed matrix can't change its shape"
        );
        pack_all(self.level, &b, self.width, &mut self.panels);
    }

    /// Rows: the length of the sums.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

impl<T: Element> Panels<T> for Packed<T> {
    fn rows(&self) -> usize {
        self.rows
    }
    fn cols(&self) -> usize {
        self.cols
    }
    fn level(&self) -> Option<Level> {
        Some(self.level)
    }
    fn ready(&self) -> Option<&[T]> {
        Some(&self.panels)
    }
    fn pack(&self, _: Level, _: std::ops::Range<usize>, _: std::ops::Range<usize>, _: usize, _: &mut [T]) {}
}

/// What [`Packed`] is to its owner, for the length of one product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready<'a, T> {
    pub(super) panels: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl<T: Element> Panels<T> for Ready<'_, T> {
    fn rows(&self) -> usize {
        self.rows
    }
    fn cols(&self) -> usize {
        self.cols
    }
    fn ready(&self) -> Option<&[T]> {
        Some(self.panels)
    }
    fn pack(&self, _: Level, _: std::ops::Range<usize>, _: std::ops::Range<usize>, _: usize, _: &mut [T]) {}
}
