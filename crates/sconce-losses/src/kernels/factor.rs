//! Numbers that are one for all elements, or one for each.

use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};
use std::ops::Range;

/// How many elements are written at a time: what is put together before it goes past the cache.
pub(super) const PIECE: usize = 4096;

/// A factor of many elements.
#[derive(Clone, Copy)]
pub(crate) enum Factor<'a, T> {
    One(T),
    Each(&'a [T]),
}

impl<'a, T: Real> Factor<'a, T> {
    /// The gradient of a loss: one element for all, or one for each.
    pub(crate) fn of_gradient(gradient: &'a [T]) -> Self {
        match gradient {
            [one] => Self::One(*one),
            each => Self::Each(each),
        }
    }

    /// That of some of the elements.
    #[inline(always)]
    pub(super) fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::One(one) => Self::One(one),
            Self::Each(each) => Self::Each(&each[range]),
        }
    }

    /// That of one element.
    #[inline(always)]
    pub(super) fn of(self, i: usize) -> T {
        match self {
            Self::One(one) => one,
            Self::Each(each) => each[i],
        }
    }

    /// That of a vector of elements.
    #[inline(always)]
    pub(super) fn at<S: Simd>(self, s: S, i: usize) -> T::Vector<S> {
        match self {
            Self::One(one) => s.splat(one),
            Self::Each(each) => s.load(&each[i..]),
        }
    }
}

/// A vector's first `count` lanes; the others become 0.
#[inline(always)]
pub(super) fn only_first<T: Real, S: Simd>(s: S, vector: T::Vector<S>, count: usize) -> T::Vector<S> {
    if count >= s.lanes::<T>() {
        return vector;
    }
    // No vector has more lanes.
    let mut first = [T::ZERO; 16];
    vector.store(&mut first[..count]);
    s.load(&first)
}
