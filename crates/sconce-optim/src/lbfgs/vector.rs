//! Arithmetic on long vectors, in parallel; sums go in a fixed order, from chunk to chunk in double precision.

use crate::kernels::clip::{Order, measure};
use crate::kernels::sums;
use sconce_core::cpu::Real;
use sconce_kernels::parallel;

pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    let chunk = |_, (a, b): (&[T], &[T])| sums::dot(a, b).wide();
    parallel::reduce((a, b), chunk, |a, b| a + b).unwrap_or(0.)
}

/// x ← x + by·y
pub(super) fn add<T: Real>(x: &mut [T], by: f64, y: &[T]) {
    let by = T::of(by);
    parallel::zip((x, y), |_, (x, y)| {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += by * *y);
    });
}

/// x ← x + by·y; gives x·z.
pub(super) fn add_then_dot<T: Real>(x: &mut [T], by: f64, y: &[T], z: &[T]) -> f64 {
    let by = T::of(by);
    let chunk = |_, (x, y, z): (&mut [T], &[T], &[T])| sums::add_then_dot(x, by, y, z).wide();
    parallel::reduce((x, y, z), chunk, |a, b| a + b).unwrap_or(0.)
}

/// x + by·y
pub(super) fn sum<T: Real>(x: &[T], by: f64, y: &[T]) -> Vec<T> {
    let mut sum = x.to_vec();
    add(&mut sum, by, y);
    sum
}

/// x ← by·x
pub(super) fn scale<T: Real>(x: &mut [T], by: f64) {
    let by = T::of(by);
    parallel::zip((x,), |_, (x,)| x.iter_mut().for_each(|x| *x *= by));
}

/// max |x|; NaN if one is.
pub(super) fn largest<T: Real>(x: &[T]) -> f64 {
    size(Order::Infinity, x)
}

/// Σ|x|
pub(super) fn sum_of_sizes<T: Real>(x: &[T]) -> f64 {
    size(Order::One, x)
}

fn size<T: Real>(order: Order, x: &[T]) -> f64 {
    let all = parallel::reduce((x,), |_, (x,)| measure(order, x), |a, b| order.join(a, b));
    order.finish(all.unwrap_or(0.))
}
