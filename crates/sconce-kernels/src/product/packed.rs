//! A right operand that is packed once and multiplied many times.

use super::buffer::Aligned;
use super::right::{Panels, fill};
use crate::matrix::MatRef;
use crate::parallel;
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
    pub fn new(b: MatRef<'_, T>) -> Self {
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
        let (size, width) = (self.rows * self.width, self.width);
        let panels = self.panels.len().checked_div(size).unwrap_or(0);
        // Bundles of panels, so that a task is some microseconds.
        parallel::zip_rows(
            size,
            (parallel::Rows(&mut self.panels[..], size),),
            |first, (part,)| {
                for (i, panel) in part.chunks_exact_mut(size).enumerate() {
                    let start = (first + i) * width;
                    fill(
                        self.level,
                        &b,
                        0..b.rows(),
                        start..b.cols().min(start + width),
                        width,
                        panel,
                    );
                }
            },
        );
        debug_assert!(panels * width >= self.cols || self.rows == 0);
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
