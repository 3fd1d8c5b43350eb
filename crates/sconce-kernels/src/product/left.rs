//! The left operand, as the micro-kernels read it.

use crate::matrix::MatRef;
use crate::simd::{Element, Simd, Vector};
use std::ops::Range;

/// A block of rows of the left operand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<T> {
    start: *const T,
    /// From one row to the next; by columns, from one column of a tile to the next.
    step: usize,
    by_rows: bool,
    /// From one tile of rows to the next.
    tile_step: usize,
}

/// Bytes after which addresses meet in the same set of a first-level cache.
const CACHE_WAY: usize = 4096;

/// Lanes of the widest vector.
const WIDEST: usize = 16;

/// Whether rows of this many bytes crowd into so few sets of the cache that they drive each other out.
pub(super) fn crowds(bytes: usize) -> bool {
    bytes != 0 && bytes & (CACHE_WAY / 2 - 1) == 0
}

/// Elements from row to row of a copy: an odd number of cache lines, so that rows spread over the sets.
pub(super) fn spread(k: usize) -> usize {
    (k / 16 + 2) / 2 * 32 + 16
}

impl<T: Element> Left<T> {
    /// Scratch elements that a block of `rows` × `k` may need, of which no tile has more than `most` rows.
    pub(super) fn scratch(rows: usize, k: usize, most: usize) -> usize {
        let tiles = rows.div_ceil(most) + 1;
        (rows * spread(k)).max(tiles * most.next_multiple_of(WIDEST) * k)
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
            if count < 5 || !crowds(a.row_stride() * size_of::<T>()) {
                let (start, step) = (a.from(rows.start, k.start).as_ptr(), a.row_stride());
                return Self {
                    start,
                    step,
                    by_rows: true,
                    tile_step: tile * step,
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
                tile_step: tile * step,
            };
        }
        // Each tile's columns together, in whole vectors: what is too much of one column the next one overwrites.
        let lanes = s.lanes::<T>();
        let step = tile.next_multiple_of(lanes);
        let tile_step = step * depth;
        for (p, col) in k.enumerate() {
            for (i, first) in rows.clone().step_by(tile).enumerate() {
                let out = &mut scratch[i * tile_step + p * step..][..step];
                let column = a.from(first, col);
                if a.row_stride() == 1 {
                    let column = &column[..step.min(column.len())];
                    for (out, column) in out.chunks_exact_mut(lanes).zip(column.chunks(lanes)) {
                        s.load::<T>(column).store(out);
                    }
                } else {
                    for (i, out) in out[..tile.min(rows.end - first)].iter_mut().enumerate() {
                        *out = column[i * a.row_stride()];
                    }
                }
            }
        }
        Self {
            start: scratch.as_ptr(),
            step,
            by_rows: false,
            tile_step,
        }
    }

    /// Where tile `i` begins, and the step that goes with it.
    ///
    /// # Safety
    /// The block has such a tile.
    #[inline(always)]
    pub(super) unsafe fn tile(&self, i: usize) -> (*const T, usize) {
        // SAFETY: within the block, as the caller vouches.
        (unsafe { self.start.add(i * self.tile_step) }, self.step)
    }

    pub(super) fn by_rows(&self) -> bool {
        self.by_rows
    }
}
