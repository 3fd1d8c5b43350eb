//! Softmax and its logarithm, over the last axis.

use super::{fold, largest};
use crate::parallel::{self, Rows};
use crate::simd::{self, Element, Kernel, Simd, Vector};
use std::marker::PhantomData;

/// Which of the four.
trait Row {
    /// What a row of the output is, from a row of one or two inputs.
    fn row<T: Element, S: Simd>(s: S, out: &mut [T], a: &[T], b: &[T]);
}

struct Softmax;
struct LogSoftmax;
struct SoftmaxBackward;
struct LogSoftmaxBackward;

impl Row for Softmax {
    #[inline(always)]
    fn row<T: Element, S: Simd>(s: S, out: &mut [T], x: &[T], _: &[T]) {
        let max = s.splat(largest(s, x));
        simd::map1(
            s,
            out,
            x,
            #[inline(always)]
            |x: T::Vector<S>| (x - max).exp(),
        );
        // A separate pass: the exponentials are in the cache, and surplus lanes of the last vector don't count.
        let sum = fold(
            s,
            [out],
            #[inline(always)]
            |[x]: [T::Vector<S>; 1]| x,
        );
        let scale = s.splat(T::ONE / sum);
        for out in out.chunks_mut(s.lanes::<T>()) {
            (s.load::<T>(out) * scale).store(out);
        }
    }
}

impl Row for LogSoftmax {
    #[inline(always)]
    fn row<T: Element, S: Simd>(s: S, out: &mut [T], x: &[T], _: &[T]) {
        let max = s.splat(largest(s, x));
        let sum = fold(
            s,
            [x],
            #[inline(always)]
            |[x]: [T::Vector<S>; 1]| (x - max).exp(),
        );
        let log = s.constant::<T>(sum.wide().ln());
        simd::map1(
            s,
            out,
            x,
            #[inline(always)]
            |x: T::Vector<S>| (x - max) - log,
        );
    }
}

impl Row for SoftmaxBackward {
    #[inline(always)]
    fn row<T: Element, S: Simd>(s: S, out: &mut [T], y: &[T], dy: &[T]) {
        let dot = s.splat(fold(
            s,
            [y, dy],
            #[inline(always)]
            |[y, dy]: [T::Vector<S>; 2]| y * dy,
        ));
        simd::map2(
            s,
            out,
            y,
            dy,
            #[inline(always)]
            |y: T::Vector<S>, dy: T::Vector<S>| y * (dy - dot),
        );
    }
}

impl Row for LogSoftmaxBackward {
    #[inline(always)]
    fn row<T: Element, S: Simd>(s: S, out: &mut [T], y: &[T], dy: &[T]) {
        let sum = s.splat(fold(
            s,
            [dy],
            #[inline(always)]
            |[dy]: [T::Vector<S>; 1]| dy,
        ));
        simd::map2(
            s,
            out,
            y,
            dy,
            #[inline(always)]
            |y: T::Vector<S>, dy: T::Vector<S>| y.exp().neg_mul_add(sum, dy),
        );
    }
}

/// Some rows.
struct Block<'a, T, R> {
    out: &'a mut [T],
    a: &'a [T],
    b: &'a [T],
    cols: usize,
    row: PhantomData<R>,
}

impl<T: Element, R: Row> Kernel for Block<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            out,
            a,
            b,
            cols,
            row: _,
        } = self;
        for ((out, a), b) in out
            .chunks_exact_mut(cols)
            .zip(a.chunks_exact(cols))
            .zip(b.chunks_exact(cols))
        {
            R::row(s, out, a, b);
        }
    }
}

fn run<R: Row, T: Element>(out: &mut [T], a: &[T], b: &[T], cols: usize) {
    parallel::zip_rows(
        cols,
        (Rows(out, cols), Rows(a, cols), Rows(b, cols)),
        |_, (out, a, b)| {
            simd::dispatch(Block {
                out,
                a,
                b,
                cols,
                row: PhantomData::<R>,
            });
        },
    );
}

/// outᵢ = e^xᵢ / Σⱼ e^xⱼ in every row of `cols` elements.
///
/// A row that is −∞ throughout, or holds a NaN or +∞, becomes NaN, as in PyTorch.
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn softmax<T: Element>(out: &mut [T], x: &[T], cols: usize) {
    run::<Softmax, T>(out, x, x, cols);
}

/// outᵢ = xᵢ − ln Σⱼ e^xⱼ in every row of `cols` elements; special values as in [`softmax`].
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn log_softmax<T: Element>(out: &mut [T], x: &[T], cols: usize) {
    run::<LogSoftmax, T>(out, x, x, cols);
}

/// The gradient of [`softmax`]'s input, from its output y: dxᵢ = yᵢ·(dyᵢ − Σⱼ yⱼ·dyⱼ).
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn softmax_backward<T: Element>(dx: &mut [T], y: &[T], dy: &[T], cols: usize) {
    run::<SoftmaxBackward, T>(dx, y, dy, cols);
}

/// The gradient of [`log_softmax`]'s input, from its output y: dxᵢ = dyᵢ − e^yᵢ·Σⱼ dyⱼ.
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn log_softmax_backward<T: Element>(dx: &mut [T], y: &[T], dy: &[T], cols: usize) {
    run::<LogSoftmaxBackward, T>(dx, y, dy, cols);
}
