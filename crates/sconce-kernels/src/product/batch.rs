//! Many small products at once: attention's, one for each head of each sample.

use super::epilogue::Epilogue;
use super::right::Panels;
use super::{PARALLEL_FROM, check, driver};
use crate::matrix::{MatMut, MatRef};
use crate::parallel;
use crate::simd::{self, Element};

/// Multiplications of a task: some microseconds.
const TASK: usize = 400_000;

/// Cᵢ = Aᵢ·Bᵢ for every i, in parallel over i; each product runs on one thread.
///
/// `c` holds the results one after another, each with `rows` × `cols` elements; `operands(i)` gives Aᵢ and Bᵢ, and `depth`
/// is the length of their sums.
///
/// ```
/// use sconce_kernels::{matrix::MatRef, product::{Plain, product_batch}};
/// // Two 1×2 by 2×1 products.
/// let (a, b) = ([1f64, 2., 3., 4.], [5., 6., 7., 8.]);
/// let mut c = [0.; 2];
/// product_batch(&mut c, (1, 1, 2), |i| (MatRef::new(&a[2 * i..], 1, 2), MatRef::new(&b[2 * i..], 2, 1)), &Plain);
/// assert_eq!(c, [17., 53.]);
/// ```
///
/// # Panics
/// The shapes don't agree.
pub fn product_batch<'a, T: Element, B: Panels<T>>(
    c: &mut [T],
    (rows, cols, depth): (usize, usize, usize),
    operands: impl Fn(usize) -> (MatRef<'a, T>, B) + Sync,
    epilogue: &impl Epilogue<T>,
) {
    let size = rows.saturating_mul(cols);
    if size == 0 {
        return;
    }
    assert!(
        c.chunks_exact(size).remainder().is_empty(),
        "the results aren't a whole number of matrices"
    );
    let level = simd::level();
    let work = size.saturating_mul(depth).max(1);
    let bundle = (TASK / work).max(1);
    let run = |(i, c): (usize, &mut [T])| {
        for (j, c) in c.chunks_exact_mut(size).enumerate() {
            let (a, b) = operands(i * bundle + j);
            let start = epilogue.start();
            check((rows, cols), &a, &b, &start);
            let c = MatMut::new(c, rows, cols);
            driver::run(
                b.level().unwrap_or(level),
                c.into(),
                a,
                &b,
                (start, epilogue),
                false,
            );
        }
    };
    let large = (c.len() / size).saturating_mul(work) >= PARALLEL_FROM;
    let bundles = c.chunks_mut(bundle * size).enumerate();
    if large {
        parallel::for_each(bundles.collect(), run)
    } else {
        bundles.for_each(run)
    }
}
