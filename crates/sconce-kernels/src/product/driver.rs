//! How a product is cut into tasks, blocks and tiles.

use super::buffer::{Owner, with_scratch};
use super::epilogue::{Epilogue, Start};
use super::left::{Left, crowds, spread};
use super::micro::{Kernels, Tile};
use super::packed::Ready;
use super::right::{Panels, pack_all};
use crate::matrix::{MatMut, MatRef};
use crate::parallel;
use crate::simd::{self, Element, Kernel, Level, Simd, Vector};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// The longest stretch of K that is multiplied before the sums go to memory.
const DEPTH: usize = 384;

/// Rows of A that stay in the second-level cache while panels pass by.
const ROWS: usize = 240;

/// Panels that a task packs at a time.
const PANELS: usize = 8;

/// The most tiles, one above the other, for which panels aren't packed.
const LYING_TILES: usize = 8;

/// Panels are packed ahead for all tasks if this many would pack them otherwise, and if they aren't larger than this.
const SHARED_DOWN: usize = 3;
const SHARED_BYTES: usize = 4 << 20;

/// Multiplications that make a task worth its overhead: some microseconds.
const TASK: usize = 200_000;

/// Tasks for each thread, if they are worth it: enough to even out what one thread lags behind.
const TASKS_PER_THREAD: usize = 8;

/// Where C goes: every element is written before it is read, unless the sums start from it.
#[derive(Debug)]
pub(super) struct Target<'a, T> {
    start: *mut T,
    rows: usize,
    cols: usize,
    /// From one row to the next.
    step: usize,
    life: PhantomData<&'a mut [T]>,
}

impl<'a, T: Copy> From<MatMut<'a, T>> for Target<'a, T> {
    fn from(mut c: MatMut<'a, T>) -> Self {
        Self {
            start: c.as_mut_ptr(),
            rows: c.rows(),
            cols: c.cols(),
            step: c.row_stride(),
            life: PhantomData,
        }
    }
}

impl<'a, T> Target<'a, T> {
    /// The first rows × cols elements of memory that holds nothing yet.
    ///
    /// # Panics
    /// There aren't as many.
    pub(super) fn blank(space: &'a mut [MaybeUninit<T>], rows: usize, cols: usize) -> Self {
        assert!(
            rows.checked_mul(cols).is_some_and(|size| size <= space.len()),
            "a matrix reaches past its slice"
        );
        Self {
            start: space.as_mut_ptr().cast(),
            rows,
            cols,
            step: cols,
            life: PhantomData,
        }
    }
}

/// What all tasks share.
struct Job<'a, T: 'static, B, E> {
    c: *mut T,
    c_step: usize,
    /// Columns of C.
    n: usize,
    a: MatRef<'a, T>,
    b: &'a B,
    /// What `epilogue` said when it was asked, once.
    start: Start<'a, T>,
    epilogue: &'a E,
    kernels: &'static Kernels<T>,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: tasks write disjoint parts of C, and share the rest to read; T is a number.
unsafe impl<T: Element, B: Sync, E: Sync> Sync for Job<'_, T, B, E> {}

/// C = A·B; shapes have been checked. Every element of C is written; it is read only if `start` says so.
pub(super) fn run<T: Element, B: Panels<T>, E: Epilogue<T>>(
    level: Level,
    c: Target<'_, T>,
    a: MatRef<'_, T>,
    b: &B,
    (start, epilogue): (Start<'_, T>, &E),
    threads: bool,
) {
    let (m, k) = (a.rows(), a.cols());
    if m == 0 || c.cols == 0 {
        return;
    }
    // Rows that every task would have to copy are copied once.
    if threads && m <= ROWS && a.col_stride() == 1 && crowds(a.row_stride() * size_of::<T>()) && k > 0 {
        let step = spread(k);
        with_scratch(Owner::Left, m * step, |copy| {
            for (row, out) in copy.chunks_exact_mut(step).enumerate() {
                out[..k].copy_from_slice(&a.from(row, 0)[..k]);
            }
            distribute(
                level,
                c,
                MatRef::strided(copy, m, k, step, 1),
                b,
                (start, epilogue),
                threads,
            );
        });
    } else {
        distribute(level, c, a, b, (start, epilogue), threads);
    }
}

/// Cuts C into tasks.
fn distribute<T: Element, B: Panels<T>, E: Epilogue<T>>(
    level: Level,
    c: Target<'_, T>,
    a: MatRef<'_, T>,
    b: &B,
    (start, epilogue): (Start<'_, T>, &E),
    threads: bool,
) {
    let (m, n, kernels) = (c.rows, c.cols, T::kernels(level));
    let job = Job {
        c: c.start,
        c_step: c.step,
        n,
        a,
        b,
        start,
        epilogue,
        kernels,
        life: PhantomData,
    };
    let panels = n.div_ceil(kernels.width);
    let (down, across) = if threads { grid(&job, m, panels) } else { (1, 1) };
    let size = panels * kernels.width * a.cols();
    if down >= SHARED_DOWN && b.ready().is_none() && size * size_of::<T>() <= SHARED_BYTES {
        // Tasks one above the other would each pack the same panels.
        return with_scratch(Owner::Right, size, |panels| {
            pack_all(level, b, kernels.width, panels);
            let ready = Ready {
                panels,
                rows: a.cols(),
                cols: n,
            };
            distribute(level, c, a, &ready, (start, epilogue), threads);
        });
    }
    parallel::tasks(down * across, |i| {
        let (i, j) = (i % down, i / down);
        let rows = i * m / down..(i + 1) * m / down;
        let panels = j * panels / across..(j + 1) * panels / across;
        perform(level, &job, rows, panels);
    });
}

/// How many tasks down and across: enough of them, and of those grids the one that rearranges least.
fn grid<T: Element, B: Panels<T>, E>(job: &Job<'_, T, B, E>, m: usize, panels: usize) -> (usize, usize) {
    let Job { n, a, b, kernels, .. } = job;
    let k = a.cols();
    let most = TASKS_PER_THREAD * rayon::current_num_threads();
    let tasks = (m.saturating_mul(n * k) / TASK).clamp(1, most);
    // What an element of either operand costs each time that a task brings it in.
    let left = if a.col_stride() != 1 {
        5
    } else if crowds(a.row_stride() * size_of::<T>()) {
        2
    } else {
        1
    };
    let right = if b.ready().is_some() { 1 } else { 5 };
    let cost = |&(down, across): &(usize, usize)| across * m * left + down * n * right;
    (1..=tasks.min(m.div_ceil(kernels.by_rows.len())))
        .map(|down| (down, tasks.div_ceil(down).min(panels)))
        .filter(|(down, across)| 4 * down * across >= 3 * tasks)
        .min_by_key(cost)
        .unwrap_or((m.div_ceil(kernels.by_rows.len()), panels))
}

/// Computes a part of C, with this thread's scratch memory.
fn perform<T: Element, B: Panels<T>, E: Epilogue<T>>(
    level: Level,
    job: &Job<'_, T, B, E>,
    rows: Range<usize>,
    panels: Range<usize>,
) {
    // K in equal stretches; at least one, so that an empty sum reaches the epilogue.
    let stretches = job.a.cols().div_ceil(DEPTH).max(1);
    let depth = job.a.cols().div_ceil(stretches);
    let (width, most) = (job.kernels.width, job.kernels.by_rows.len());
    let tile = most * width;
    let packed = if job.b.ready().is_some() {
        0
    } else {
        panels.len().min(PANELS) * depth * width
    };
    let left = Left::<T>::scratch(rows.len().min(ROWS), depth, most);
    with_scratch(Owner::Task, tile + packed + left, |scratch| {
        let (tile, scratch) = scratch.split_at_mut(tile);
        let (panel_space, left_space) = scratch.split_at_mut(packed);
        simd::dispatch_at(
            level,
            Task {
                job,
                rows,
                panels,
                stretches,
                depth,
                lying: false,
                tile,
                panel_space,
                left_space,
            },
        );
    });
}

/// A part of C.
struct Task<'j, 'a, T: 'static, B, E> {
    job: &'j Job<'a, T, B, E>,
    rows: Range<usize>,
    panels: Range<usize>,
    stretches: usize,
    /// Of a stretch.
    depth: usize,
    /// Whether B's panels are read where they lie.
    lying: bool,
    /// Space for one tile, for packed panels, and for a block of A.
    tile: &'j mut [T],
    panel_space: &'j mut [T],
    left_space: &'j mut [T],
}

impl<T: Element, B: Panels<T>, E: Epilogue<T>> Kernel for Task<'_, '_, T, B, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let &Job { a, b, kernels, n, .. } = self.job;
        let (k, width, pack) = (a.cols(), kernels.width, b.ready().is_none());
        // Panels that only a few tiles read aren't worth packing, where they can be read as they lie.
        self.lying =
            pack && self.rows.len() <= LYING_TILES * kernels.by_rows.len() && b.lying(0, 0).is_some();
        let at_once = if pack { PANELS } else { self.panels.len().max(1) };
        let mut first = self.panels.start;
        while first < self.panels.end {
            let panels = first..self.panels.end.min(first + at_once);
            for stretch in 0..self.stretches {
                let depth = stretch * self.depth..k.min((stretch + 1) * self.depth);
                let size = depth.len() * width;
                // Of panels that are read as they lie, a narrow last one still is packed.
                let packed = if self.lying {
                    panels.start.max(n / width)..panels.end
                } else {
                    panels.clone()
                };
                if pack && !packed.is_empty() {
                    let columns = packed.start * width..n.min(packed.end * width);
                    let space =
                        &mut self.panel_space[(packed.start - panels.start) * size..][..packed.len() * size];
                    b.pack(S::LEVEL, depth.clone(), columns, width, space);
                }
                let last = stretch + 1 == self.stretches;
                let mut row = self.rows.start;
                while row < self.rows.end {
                    let block = row..self.rows.end.min(row + ROWS);
                    self.block(s, block.clone(), panels.clone(), depth.clone(), last);
                    row = block.end;
                }
            }
            first = panels.end;
        }
    }
}

impl<T: Element, B: Panels<T>, E: Epilogue<T>> Task<'_, '_, T, B, E> {
    /// Multiplies a block of rows, over a stretch of K, with the panels.
    #[inline(always)]
    fn block<S: Simd>(
        &mut self,
        s: S,
        rows: Range<usize>,
        panels: Range<usize>,
        depth: Range<usize>,
        last: bool,
    ) {
        let &Job {
            c,
            c_step,
            n,
            a,
            b,
            start: first,
            epilogue,
            kernels,
            ..
        } = self.job;
        let (width, k) = (kernels.width, a.cols());
        let tile = &mut *self.tile;
        // Tiles of equal height, rather than full ones and a thin rest.
        let tiles = rows.len().div_ceil(kernels.by_rows.len());
        let height = rows.len().div_ceil(tiles);
        let left = Left::new(s, &a, rows.clone(), depth.clone(), height, self.left_space);
        let functions = if left.by_rows() {
            kernels.by_rows
        } else {
            kernels.by_cols
        };
        for (j, panel) in panels.enumerate() {
            let col = panel * width;
            let cols = width.min(n - col);
            let lying = if self.lying && cols == width {
                b.lying(depth.start, col)
            } else {
                None
            };
            let (right, right_step) = match (b.ready(), lying) {
                (Some(all), _) => (&all[(panel * k + depth.start) * width..], width),
                (None, Some(lying)) => lying,
                (None, None) => (&self.panel_space[j * depth.len() * width..], width),
            };
            assert!(depth.is_empty() || right.len() >= (depth.len() - 1) * right_step + width);
            for i in 0..tiles {
                let row = rows.start + i * height;
                if row >= rows.end {
                    break;
                }
                let height = height.min(rows.end - row);
                // SAFETY: (row, col) is an element of C, whose rows × columns of this task nobody else touches.
                let target = unsafe { c.add(row * c_step + col) };
                let start = if depth.start > 0 { Start::Existing } else { first };
                let whole = cols == width;
                let (start, start_step) = match start {
                    Start::Zero => (std::ptr::null(), 0),
                    Start::Existing if whole => (target.cast_const(), c_step),
                    Start::Existing => {
                        for (i, out) in tile.chunks_exact_mut(width).enumerate().take(height) {
                            // SAFETY: `cols` elements from column `col` of a row of C.
                            let values = unsafe { std::slice::from_raw_parts(target.add(i * c_step), cols) };
                            out[..cols].copy_from_slice(values);
                        }
                        (tile.as_ptr(), width)
                    }
                    Start::Columns(values) if whole => (values[col..][..width].as_ptr(), 0),
                    Start::Columns(values) => {
                        tile[..cols].copy_from_slice(&values[col..][..cols]);
                        (tile.as_ptr(), 0)
                    }
                };
                let direct = whole && (E::IDENTITY || !last);
                let (out, out_step) = if direct {
                    (target, c_step)
                } else {
                    (tile.as_mut_ptr(), width)
                };
                // SAFETY: the kernels belong to the running level. A: `height` rows of the block, laid out as `left`
                // says. B: `depth` rows of a panel's width, just checked. Start and C: `height` rows of a whole panel's width, in C itself only
                // where that many columns are left, else in `tile`. The kernel reads all of `start` before it writes.
                unsafe {
                    let (a, step) = left.tile(i);
                    functions[height - 1](Tile {
                        k: depth.len(),
                        a,
                        step,
                        b: right.as_ptr(),
                        b_step: right_step,
                        start,
                        start_step,
                        c: out,
                        c_step: out_step,
                    });
                }
                if !direct {
                    for i in 0..height {
                        for j in (0..cols).step_by(s.lanes::<T>()) {
                            let mut values = s.load::<T>(&tile[i * width + j..]);
                            if last {
                                values = epilogue.apply(s, row + i, col + j, values);
                            }
                            // SAFETY: at most `cols − j` elements from column `col + j` of a row of C.
                            unsafe {
                                let to = target.add(i * c_step + j);
                                if cols - j >= s.lanes::<T>() {
                                    values.store_ptr(to);
                                } else {
                                    values.store_head(to, cols - j);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
