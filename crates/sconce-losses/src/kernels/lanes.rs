//! Vectors at the ends of rows, and what rows are folded to.

use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

/// The next vector of a row; beyond its end `fill`.
#[inline(always)]
pub(super) fn load<T: Real, S: Simd>(s: S, values: &[T], fill: T) -> T::Vector<S> {
    let vector = s.load(values);
    if values.len() >= s.lanes::<T>() {
        return vector;
    }
    // No vector has more lanes.
    let places: [f64; 16] = [
        0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.,
    ];
    let inside = s
        .load(&places.map(T::of))
        .lt(s.constant::<T>(values.len() as f64));
    T::Vector::select(inside, vector, s.splat(fill))
}

/// The largest value; if there is a NaN, any value.
#[inline(always)]
pub(super) fn largest<T: Real, S: Simd>(s: S, row: &[T]) -> T {
    let mut max = s.splat(T::NEG_INFINITY);
    for x in row.chunks(s.lanes::<T>()) {
        max = max.max(load(s, x, T::NEG_INFINITY));
    }
    max.largest()
}

/// ln(eᵃ + eᵇ + eᶜ); −∞ if all three are.
#[inline(always)]
pub(super) fn log_sum_exp<V: Vector>([a, b, c]: [V; 3]) -> V {
    let top = a.max(b).max(c);
    // The largest one's term is 1, which leaves two exponentials. The others are selected, not sorted, so that a NaN stays.
    let (a_is_top, b_is_top) = (a.equal(top), b.equal(top));
    let one = V::select(a_is_top, b, a);
    let other = V::select(a_is_top, c, V::select(b_is_top, c, b));
    let base = top.max(a.same(-1e30));
    ((one - base).exp() + (other - base).exp() + a.same(1.)).ln() + top
}
