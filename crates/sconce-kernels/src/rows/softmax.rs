//! Softmax and its logarithm, over the last axis.

use super::{fold, largest, map};
use crate::parallel::{self, BlankPart, Rows};
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
        map(
            s,
            out,
            [x],
            1,
            #[inline(always)]
            |[x]: [T::Vector<S>; 1]| (x - max).exp(),
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
        map(
            s,
            out,
            [x],
            1,
            #[inline(always)]
            |[x]: [T::Vector<S>; 1]| (x - max) - log,
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
        map(
            s,
            out,
            [y, dy],
            0,
            #[inline(always)]
            |[y, dy]: [T::Vector<S>; 2]| y * (dy - dot),
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
        map(
            s,
            out,
            [y, dy],
            2,
            #[inline(always)]
            |[y, dy]: [T::Vector<S>; 2]| y.exp().neg_mul_add(sum, dy),
        );
    }
}

/// Some rows.
struct Block<'a, T: 'static, R> {
    out: BlankPart<'a, T>,
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
            mut out,
            a,
            b,
            cols,
            row: _,
        } = self;
        for i in 0..a.len() / cols {
            let row = i * cols..(i + 1) * cols;
            out.write(
                s,
                cols,
                #[inline(always)]
                |out| R::row(s, out, &a[row.clone()], &b[row]),
            );
        }
    }
}

fn run<R: Row, T: Element>(a: &[T], b: &[T], cols: usize) -> Vec<T> {
    parallel::fresh(a.len(), |out| {
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
    })
}

/// e^xᵢ / Σⱼ e^xⱼ in every row of `cols` elements.
///
/// A row that is −∞ throughout, or holds a NaN or +∞, becomes NaN, as in PyTorch.
///
/// # Panics
/// The slice isn't whole rows.
pub fn softmax<T: Element>(x: &[T], cols: usize) -> Vec<T> {
    run::<Softmax, T>(x, x, cols)
}

/// xᵢ − ln Σⱼ e^xⱼ in every row of `cols` elements; special values as in [`softmax`].
///
/// # Panics
/// The slice isn't whole rows.
pub fn log_softmax<T: Element>(x: &[T], cols: usize) -> Vec<T> {
    run::<LogSoftmax, T>(x, x, cols)
}

/// The gradient of [`softmax`]'s input, from its output y: dxᵢ = yᵢ·(dyᵢ − Σⱼ yⱼ·dyⱼ).
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn softmax_backward<T: Element>(y: &[T], dy: &[T], cols: usize) -> Vec<T> {
    run::<SoftmaxBackward, T>(y, dy, cols)
}

/// The gradient of [`log_softmax`]'s input, from its output y: dxᵢ = dyᵢ − e^yᵢ·Σⱼ dyⱼ.
///
/// # Panics
/// The slices differ in length, or aren't whole rows.
pub fn log_softmax_backward<T: Element>(y: &[T], dy: &[T], cols: usize) -> Vec<T> {
    run::<LogSoftmaxBackward, T>(y, dy, cols)
}
