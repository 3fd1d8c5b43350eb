//! Arithmetic on long vectors, in parallel, with sums in double precision and in a fixed order.

use sconce_core::cpu::Real;
use sconce_kernels::parallel;

pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    let chunk = |_, (a, b): (&[T], &[T])| {
        let products = a.iter().zip(b).map(|(a, b)| a.wide() * b.wide());
        products.sum::<f64>()
    };
    parallel::reduce((a, b), chunk, |a, b| a + b).unwrap_or(0.)
}

/// x ← x + by·y
pub(super) fn add<T: Real>(x: &mut [T], by: f64, y: &[T]) {
    let by = T::of(by);
    parallel::zip((x, y), |_, (x, y)| {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += by * *y);
    });
}

/// by·x
pub(super) fn scaled<T: Real>(x: &[T], by: f64) -> Vec<T> {
    let by = T::of(by);
    x.iter().map(|x| by * *x).collect()
}

pub(super) fn largest<T: Real>(x: &[T]) -> f64 {
    // A NaN is the largest, as in PyTorch.
    x.iter().fold(0., |largest: f64, x| {
        let x = x.wide().abs();
        if x > largest || x.is_nan() { x } else { largest }
    })
}

pub(super) fn sum_of_sizes<T: Real>(x: &[T]) -> f64 {
    x.iter().map(|x| x.wide().abs()).sum()
}
