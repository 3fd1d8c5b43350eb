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
    let max = a.max(b).max(c).max(a.same(-1e30));
    ((a - max).exp() + (b - max).exp() + (c - max).exp()).ln() + max
}
