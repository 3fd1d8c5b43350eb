//! Running totals.

use super::zip;
use std::sync::{Mutex, PoisonError};

/// out\[i\] = x\[0\] ∘ … ∘ x\[i\] for an associative operation.
///
/// Chunks are scanned each by itself and then shifted by what came before them, so the grouping of the operation depends
/// on the length alone.
///
/// ```
/// let mut out = [0; 4];
/// sconce_kernels::parallel::scan(&mut out, &[1, 2, 3, 4], |a, b| a + b);
/// assert_eq!(out, [1, 3, 6, 10]);
/// ```
///
/// # Panics
/// The slices differ in length.
pub fn scan<T: Copy + Send + Sync>(out: &mut [T], x: &[T], op: impl Fn(T, T) -> T + Sync) {
    assert_eq!(out.len(), x.len(), "slices that go in lock-step differ in length");
    let within = |out: &mut [T], x: &[T]| {
        let mut total = None;
        for (out, &x) in out.iter_mut().zip(x) {
            let next = total.map_or(x, |total| op(total, x));
            *out = next;
            total = Some(next);
        }
        total
    };
    let totals = Mutex::new(Vec::new());
    zip((&mut *out, x), |first, (out, x)| {
        if let Some(total) = within(out, x) {
            totals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((first, total));
        }
    });
    let mut totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    totals.sort_by_key(|&(first, _)| first);
    // What comes before each chunk but the first.
    let mut before = Vec::with_capacity(totals.len());
    let mut sum = None;
    for (_, total) in totals {
        before.push(sum);
        sum = Some(sum.map_or(total, |sum| op(sum, total)));
    }
    if before.len() > 1 {
        zip((out,), |first, (out,)| {
            if let Some(before) = before[first / super::CHUNK] {
                for out in out {
                    *out = op(before, *out);
                }
            }
        });
    }
}
