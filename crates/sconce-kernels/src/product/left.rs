//! The left operand, as the micro-kernels read it.

use crate::matrix::MatRef;
use crate::simd::{Element, Simd, Vector};
use std::ops::Range;

/// A block of rows of the left operand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<T> {
    start: *const T,
    /// From one row to the next, or, by columns, from one tile of rows to the next over `rows`.
    step: usize,
    by_rows: bool,
    /// Columns first: rows of a tile, which lie together.
    tile: usize,
    k: usize,
}

/// Bytes after which addresses meet in the same set of a first-level cache.
const CACHE_WAY: usize = 4096;

/// Whether rows of this many bytes crowd into so few sets of the cache that they drive each other out.
pub(super) fn crowds(bytes: usize) -> bool {
    bytes != 0 && bytes & (CACHE_WAY / 2 - 1) == 0
}

/// Elements from row to row of a copy: an odd number of cache lines, so that rows spread over the sets.
pub(super) fn spread(k: usize) -> usize {
    (k / 16 + 2) / 2 * 32 + 16
}

impl<T: Element> Left<T> {
    /// Scratch elements that a block of `rows` × `k` may need.
    pub(super) fn scratch(rows: usize, k: usize) -> usize {
        rows * spread(k)
    }

    /// Rows × k of A, where it lies or copied into `scratch`; `tile` rows at a time are going to be multiplied.
    ///
    /// The result points into A or into the scratch, and is valid as long as they are.
    #[inline(always)]
    pub(super) fn new<S: Simd>(
        s: S,
        a: &MatRef<'_, T>,
        rows: Range<usize>,
        k: Range<usize>,
        tile: usize,
        scratch: &mut [T],
    ) -> Self {
        let (count, depth) = (rows.len(), k.len());
        if a.col_stride() == 1 || depth <= 1 {
            let origin = a.from(rows.start, k.start);
            if count < 5 || !crowds(a.row_stride() * size_of::<T>()) {
                return Self {
                    start: origin.as_ptr(),
                    step: a.row_stride(),
                    by_rows: true,
                    tile,
                    k: depth,
                };
            }
            let step = spread(depth);
            for (row, out) in rows.zip(scratch.chunks_exact_mut(step)) {
                out[..depth].copy_from_slice(&a.from(row, k.start)[..depth]);
            }
            return Self {
                start: scratch.as_ptr(),
                step,
                by_rows: true,
                tile,
                k: depth,
            };
        }
        // Tile by tile, each column's rows together.
        let mut first = rows.start;
        for out in scratch.chunks_mut(tile * depth).take(count.div_ceil(tile)) {
            let height = tile.min(rows.end - first);
            for (p, out) in k.clone().zip(out.chunks_exact_mut(tile)) {
                let column = a.from(first, p);
                if a.row_stride() == 1 {
                    let lanes = s.lanes::<T>();
                    for (out, column) in out[..height]
                        .chunks_mut(lanes)
                        .zip(column[..height].chunks(lanes))
                    {
                        s.load::<T>(column).store(out);
                    }
                } else {
                    for (i, out) in out[..height].iter_mut().enumerate() {
                        *out = column[i * a.row_stride()];
                    }
                }
            }
            first += height;
        }
        Self {
            start: scratch.as_ptr(),
            step: tile,
            by_rows: false,
            tile,
            k: depth,
        }
    }

    /// Where tile `i` begins, and the step that goes with it.
    ///
    /// # Safety
    /// The block has such a tile.
    #[inline(always)]
    pub(super) unsafe fn tile(&self, i: usize) -> (*const T, usize) {
        let offset = if self.by_rows {
            i * self.tile * self.step
        } else {
            i * self.tile * self.k
        };
        // SAFETY: within the block, as the caller vouches.
        (unsafe { self.start.add(offset) }, self.step)
    }

    pub(super) fn by_rows(&self) -> bool {
        self.by_rows
    }
}
