//! Sums and maxima over a stretch of memory.

use sconce_core::cpu::Real;
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// Σx·y
pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    dispatch(Dot(x, y))
}

/// Σx²
pub(crate) fn squares<T: Real>(x: &[T]) -> T {
    dispatch(Squares(x))
}

struct Squares<'a, T>(&'a [T]);

impl<T: Real> Kernel for Squares<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> T {
        // Inlined, one load serves both.
        products(s, self.0, self.0)
    }
}

struct Dot<'a, T>(&'a [T], &'a [T]);

impl<T: Real> Kernel for Dot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> T {
        products(s, self.0, self.1)
    }
}

/// Σx·y, in eight running vectors.
#[inline(always)]
pub(super) fn products<T: Real, S: Simd>(s: S, x: &[T], y: &[T]) -> T {
    let y = &y[..x.len()];
    let lanes = s.lanes::<T>();
    let mut sums = [s.splat(T::ZERO); 8];
    let whole = x.len() - x.len() % (8 * lanes);
    for i in (0..whole).step_by(8 * lanes) {
        for (k, sum) in sums.iter_mut().enumerate() {
            let at = i + k * lanes;
            *sum = s.load::<T>(&x[at..]).mul_add(s.load::<T>(&y[at..]), *sum);
        }
    }
    for at in (whole..x.len()).step_by(lanes) {
        sums[0] = s.load::<T>(&x[at..]).mul_add(s.load::<T>(&y[at..]), sums[0]);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    (((a + b) + (c + d)) + ((e + f) + (g + h))).sum()
}

/// x ← x + by·y; gives Σx·z of the new x.
pub(crate) fn add_then_dot<T: Real>(x: &mut [T], by: T, y: &[T], z: &[T]) -> T {
    dispatch(AddThenDot { x, by, y, z })
}

struct AddThenDot<'a, T> {
    x: &'a mut [T],
    by: T,
    y: &'a [T],
    z: &'a [T],
}

impl<T: Real> Kernel for AddThenDot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> T {
        let Self { x, by, y, z } = self;
        let (y, z) = (&y[..x.len()], &z[..x.len()]);
        let by = s.splat(by);
        let mut sums = [s.splat(T::ZERO); 4];
        for (i, at) in (0..x.len()).step_by(s.lanes::<T>()).enumerate() {
            let new = s.load::<T>(&y[at..]).mul_add(by, s.load::<T>(&x[at..]));
            new.store(&mut x[at..]);
            let sum = &mut sums[i % 4];
            *sum = new.mul_add(s.load::<T>(&z[at..]), *sum);
        }
        let [a, b, c, d] = sums;
        ((a + b) + (c + d)).sum()
    }
}

/// max |x|; NaN if one is.
pub(crate) fn largest<T: Real>(x: &[T]) -> f64 {
    dispatch(Largest(x))
}

struct Largest<'a, T>(&'a [T]);

impl<T: Real> Kernel for Largest<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let mut largest = s.splat(T::ZERO);
        // A maximum may miss a NaN; a sum of zeros can't.
        let mut zeros = s.splat(T::ZERO);
        let zero = zeros;
        for x in self.0.chunks(s.lanes::<T>()) {
            let x = s.load::<T>(x);
            largest = largest.max(x.abs());
            zeros = x.mul_add(zero, zeros);
        }
        let has_nan = zeros.sum().wide().is_nan();
        let largest = largest.largest().wide();
        // Infinity times zero is a NaN too.
        match has_nan && (largest.is_finite() || self.0.iter().any(|x| x.wide().is_nan())) {
            true => f64::NAN,
            false => largest,
        }
    }
}
