//! A scope in which running statistics are plain averages.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f` with every batch norm's running statistics, where they are updated, averaged over all batches that they have
/// counted, whatever its momentum: for parameters that are an average over training steps, say, whose statistics none of the
/// steps has seen.
///
/// The scope covers the calling thread.
///
/// ```
/// use sconce_core::{cumulative_statistics, is_cumulative};
/// assert!(!is_cumulative());
/// cumulative_statistics(|| assert!(is_cumulative()));
/// ```
pub fn cumulative_statistics<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            DEPTH.with(|depth| depth.set(depth.get() - 1));
        }
    }
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let _leave = Leave;
    f()
}

/// Whether this thread is inside [`cumulative_statistics`].
pub fn is_cumulative() -> bool {
    DEPTH.with(Cell::get) > 0
}
