//! Work in shares that don't depend on the number of threads.

use sconce_kernels::parallel;

/// Runs `f(i, part)` for the parts of a slice, each `size` long. `work`, in elements of cheap work, says whether it is worth
/// a second thread.
pub(super) fn parts<T: Send>(out: &mut [T], size: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    each(out.chunks_mut(size.max(1)).enumerate(), work, |(i, part)| {
        f(i, part)
    });
}

/// [`parts`] of two slices at once.
pub(super) fn parts_of_two<T: Send, U: Send>(
    a: &mut [T],
    b: &mut [U],
    size: usize,
    work: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let size = size.max(1);
    each(
        a.chunks_mut(size).zip(b.chunks_mut(size)).enumerate(),
        work,
        |(i, (a, b))| f(i, a, b),
    );
}

/// `f(0), …, f(count − 1)`, in this order.
pub(super) fn map<R: Send>(count: usize, work: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
    each(results.iter_mut().enumerate(), work, |(i, result)| {
        *result = Some(f(i))
    });
    results.into_iter().flatten().collect()
}

fn each<I: Send>(items: impl Iterator<Item = I>, work: usize, f: impl Fn(I) + Sync) {
    if work < parallel::THRESHOLD {
        items.for_each(f);
    } else {
        parallel::for_each(items.collect(), f);
    }
}
