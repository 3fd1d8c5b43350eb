//! Matrix products: C = A·B with whatever follows fused in.
//!
//! The right operand is brought into *panels*: as many columns as two vectors hold, each panel contiguous. A weight that
//! is multiplied many times is [`Packed`] once; anything else is packed a block at a time on the way. The left operand is
//! read where it lies if its rows or its columns are contiguous. A micro-kernel multiplies a few rows with one panel, all
//! in registers; an [`Epilogue`] sees the finished tile before it goes to memory.
//!
//! ```
//! use sconce_kernels::matrix::{MatMut, MatRef};
//! use sconce_kernels::product::{Columns, Packed, product};
//!
//! // y = x·Wᵀ + b, with W [out, in] as PyTorch stores it
//! let (x, w, b) = ([1f32, 2.], [1., 0., 0., 1., 1., 1.], [10., 20., 30.]);
//! let packed = Packed::new(MatRef::new(&w, 3, 2).t());
//! let mut y = [0.; 3];
//! product(MatMut::new(&mut y, 1, 3), MatRef::new(&x, 1, 2), &packed, &Columns(&b));
//! assert_eq!(y, [11., 22., 33.]);
//! ```
//!
//! Every element of C is one sum over K in ascending order (of fused multiply-adds, except in portable code), cut only
//! where the shape says so. The bits therefore depend neither on the number of threads nor on the number of rows.

mod batch;
mod buffer;
mod driver;
mod epilogue;
mod left;
mod micro;
mod packed;
mod right;
mod split;

pub use batch::product_batch;
pub use epilogue::{
    Accumulate, Activate, Activation, Columns, Epilogue, Gelu, GeluTanh, Plain, Relu, RowBias, Sigmoid,
    Start, Tanh,
};
#[doc(hidden)]
pub use micro::MicroKernels;
pub use packed::Packed;
pub use right::{PackRhs, Right};

use crate::matrix::{MatMut, MatRef};
use crate::simd::{self, Element};

/// Multiplications below which all stays on the calling thread: some 30 µs.
const PARALLEL_FROM: usize = 1_500_000;

/// C = A·B with an epilogue, on all threads if it is large.
///
/// B is a [`Packed`] matrix, a [`MatRef`], or one's own [`PackRhs`] in [`Right`].
///
/// # Panics
/// The shapes don't agree, or are those of no memory's matrices.
pub fn product<T: Element>(
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: &impl Panels<T>,
    epilogue: &impl Epilogue<T>,
) {
    let start = epilogue.start();
    check((c.rows(), c.cols()), &a, b, &start);
    let level = b.level().unwrap_or_else(simd::level);
    let large = is_large(&a, b);
    if split::applies(level, c.rows(), c.cols(), a.cols(), b) {
        split::run(level, c, a, b, epilogue, large);
    } else {
        driver::run(level, c.into(), a, b, (start, epilogue), large);
    }
}

/// [`product`] into a new vector, row by row, which nobody zeroes first: for large results, that is time.
///
/// An epilogue that adds to what C holds finds zeros there.
///
/// # Panics
/// The shapes don't agree, or are those of no memory's matrices.
pub fn product_vec<T: Element>(a: MatRef<'_, T>, b: &impl Panels<T>, epilogue: &impl Epilogue<T>) -> Vec<T> {
    let (rows, cols, start) = (a.rows(), b.cols(), epilogue.start());
    check((rows, cols), &a, b, &start);
    let (size, level) = (rows * cols, b.level().unwrap_or_else(simd::level));
    if matches!(start, Start::Existing) || split::applies(level, rows, cols, a.cols(), b) {
        let mut values = vec![T::ZERO; size];
        product(MatMut::new(&mut values, rows, cols), a, b, epilogue);
        return values;
    }
    let mut values = Vec::with_capacity(size);
    let target = driver::Target::blank(values.spare_capacity_mut(), rows, cols);
    driver::run(level, target, a, b, (start, epilogue), is_large(&a, b));
    // SAFETY: the driver has written rows × cols elements, and read none before, since the sums didn't start from them.
    unsafe { values.set_len(size) };
    values
}

/// [`product`] on the calling thread alone: for the inside of a parallel loop.
///
/// # Panics
/// The shapes don't agree, or are those of no memory's matrices.
pub fn product_serial<T: Element>(
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: &impl Panels<T>,
    epilogue: &impl Epilogue<T>,
) {
    let start = epilogue.start();
    check((c.rows(), c.cols()), &a, b, &start);
    let level = b.level().unwrap_or_else(simd::level);
    driver::run(level, c.into(), a, b, (start, epilogue), false);
}

fn is_large<T: Element>(a: &MatRef<'_, T>, b: &impl Panels<T>) -> bool {
    a.rows().saturating_mul(b.cols()).saturating_mul(a.cols()) >= PARALLEL_FROM
}

/// Checks the shapes, and that none comes near the end of the address space: a view of one element can have any shape.
fn check<T: Element>(c: (usize, usize), a: &MatRef<'_, T>, b: &impl Panels<T>, start: &Start<'_, T>) {
    let (a, b) = ((a.rows(), a.cols()), (b.rows(), b.cols()));
    assert!(
        a.1 == b.0 && c == (a.0, b.1),
        "a product of {a:?} and {b:?} doesn't fit into {c:?}"
    );
    for (rows, cols) in [a, b, c] {
        assert!(
            can_be(rows, cols),
            "a matrix of {rows}×{cols} is larger than any memory"
        );
    }
    if let Start::Columns(values) = start {
        assert!(
            values.len() == c.1,
            "there are {} biases for {} columns",
            values.len(),
            c.1
        );
    }
}

/// Whether a matrix, copied with some room around it, could exist.
fn can_be(rows: usize, cols: usize) -> bool {
    const ROOM: usize = 1024;
    let size = rows
        .checked_add(ROOM)
        .zip(cols.checked_add(ROOM))
        .and_then(|(rows, cols)| rows.checked_mul(cols));
    size.is_some_and(|size| size <= isize::MAX as usize / 32)
}

pub use right::Panels;

#[cfg(test)]
mod tests;
