//! Mean and variance of each row.

use super::{fold, folds};
use crate::parallel::{self, Rows};
use crate::simd::{self, Element, Kernel, Simd};

/// The mean and the biased variance (the mean squared deviation) of a row.
///
/// Two passes, and the second one's sum of deviations, which is only rounding, corrects both results: so a mean that is
/// large beside the deviations costs no accuracy.
#[inline(always)]
pub(super) fn row_moments<T: Element, S: Simd>(s: S, x: &[T]) -> (T, T) {
    let count = T::of(x.len() as f64);
    let mean = fold(
        s,
        [x],
        #[inline(always)]
        |[x]: [T::Vector<S>; 1]| x,
    ) / count;
    let centre = s.splat(mean);
    let [shift, squares] = folds(
        s,
        [x],
        #[inline(always)]
        |[x]: [T::Vector<S>; 1]| {
            let d = x - centre;
            [d, d * d]
        },
    );
    let shift = shift / count;
    (mean + shift, squares / count - shift * shift)
}

/// Mean and biased variance of every row of `cols` elements.
///
/// # Panics
/// The slices differ in their number of rows.
pub fn moments<T: Element>(x: &[T], cols: usize, mean: &mut [T], var: &mut [T]) {
    parallel::zip_rows(cols, (Rows(x, cols), mean, var), |_, (x, mean, var)| {
        simd::dispatch(Block { x, cols, mean, var });
    });
}

struct Block<'a, T> {
    x: &'a [T],
    cols: usize,
    mean: &'a mut [T],
    var: &'a mut [T],
}

impl<T: Element> Kernel for Block<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for ((x, mean), var) in self.x.chunks_exact(self.cols).zip(self.mean).zip(self.var) {
            (*mean, *var) = row_moments(s, x);
        }
    }
}
