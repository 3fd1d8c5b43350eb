//! Splitting work among threads so that the result doesn't depend on how many there are.
//!
//! Work is cut into chunks whose size depends on the work alone, each chunk is computed by one thread, and where chunks
//! are combined, that happens in their order. So one thread and sixty-four give the same bits. Threads are rayon's; the
//! calling thread works too, since waking another takes longer than small work does.
//!
//! ```
//! use sconce_kernels::parallel;
//! let (a, b) = (vec![1f32; 100_000], vec![2f32; 100_000]);
//! let mut c = vec![0f32; 100_000];
//! parallel::zip((&mut c[..], &a[..], &b[..]), |_, (c, a, b)| {
//!     for ((c, a), b) in c.iter_mut().zip(a).zip(b) {
//!         *c = a + b;
//!     }
//! });
//! assert_eq!(parallel::sum(&c), 300_000.);
//! ```

mod fresh;
mod linger;
mod reduce;
mod scan;
mod split;
mod stage;
mod tasks;

pub use fresh::{Blank, BlankPart, fresh};
pub(crate) use reduce::in_order;
pub use reduce::{reduce, reduce_rows, sum};
pub use scan::scan;
pub use split::{Rows, Split};
pub use tasks::{for_each, tasks};

/// Elements in a chunk: a few microseconds of the cheapest work.
pub const CHUNK: usize = 16 * 1024;

/// Work on fewer elements stays on the calling thread.
pub const THRESHOLD: usize = 4 * CHUNK;

/// Walks slices in lock-step, in parallel where they are long: `f(first, parts)` for each chunk of [`CHUNK`] elements,
/// where `first` is the index of its first element.
///
/// # Panics
/// The slices differ in length.
pub fn zip<P: Split>(parts: P, f: impl Fn(usize, P::Part) + Sync) {
    split::blocks(parts, CHUNK, 1, f);
}

/// [`zip`] over whole rows: chunks of as many rows of `width` elements as come near [`CHUNK`].
///
/// A slice that has `w` elements a row goes in as [`Rows`]`(slice, w)`, one that has a single element a row as it is.
/// `width` only says how much work a row is.
///
/// # Panics
/// The parts differ in their number of rows.
pub fn zip_rows<P: Split>(width: usize, parts: P, f: impl Fn(usize, P::Part) + Sync) {
    split::blocks(parts, (CHUNK / width.max(1)).max(1), width.max(1), f);
}

#[cfg(test)]
pub(crate) mod tests;
