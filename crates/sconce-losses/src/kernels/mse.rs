//! Squared differences and what follows from them.

use sconce_core::cpu::Real;
use sconce_kernels::parallel;
use sconce_kernels::simd::{self, Kernel, Simd, Vector};

/// (x − y)²
pub(crate) fn squared_differences<T: Real>(x: &[T], y: &[T]) -> Vec<T> {
    let mut out = vec![T::ZERO; x.len()];
    parallel::zip((&mut out[..], x, y), |_, (out, x, y)| {
        simd::dispatch(Squares { out, x, y })
    });
    out
}

/// Σ (x − y)²
pub(crate) fn sum_of_squared_differences<T: Real>(x: &[T], y: &[T]) -> f64 {
    parallel::reduce(
        (x, y),
        |_, (x, y)| simd::dispatch(SumOfSquares { x, y }),
        |a, b| a + b,
    )
    .unwrap_or(0.)
}

/// scale · gradient · (x − y), where the gradient has one element for all or one for each.
pub(crate) fn scaled_differences<T: Real>(x: &[T], y: &[T], gradient: &[T], scale: f64) -> Vec<T> {
    let mut out = vec![T::ZERO; x.len()];
    if let [gradient] = gradient {
        let scale = T::of(scale * gradient.wide());
        parallel::zip((&mut out[..], x, y), |_, (out, x, y)| {
            simd::dispatch(Scaled { out, x, y, scale })
        });
    } else {
        let scale = T::of(scale);
        parallel::zip((&mut out[..], x, y, gradient), |_, (out, x, y, gradient)| {
            simd::dispatch(ScaledEach {
                out,
                x,
                y,
                gradient,
                scale,
            });
        });
    }
    out
}

struct Squares<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    y: &'a [T],
}

impl<T: Real> Kernel for Squares<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        simd::map2(
            s,
            self.out,
            self.x,
            self.y,
            #[inline(always)]
            |x: T::Vector<S>, y: T::Vector<S>| {
                let difference = x - y;
                difference * difference
            },
        );
    }
}

/// Four running vectors a chunk, in a fixed order.
struct SumOfSquares<'a, T> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Real> Kernel for SumOfSquares<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let lanes = s.lanes::<T>();
        let mut sums = [s.splat(T::ZERO); 4];
        for (x, y) in self.x.chunks(4 * lanes).zip(self.y.chunks(4 * lanes)) {
            for ((x, y), sum) in x.chunks(lanes).zip(y.chunks(lanes)).zip(&mut sums) {
                let difference = s.load::<T>(x) - s.load::<T>(y);
                *sum = difference.mul_add(difference, *sum);
            }
        }
        let [a, b, c, d] = sums;
        ((a + b) + (c + d)).sum().wide()
    }
}

struct Scaled<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    y: &'a [T],
    scale: T,
}

impl<T: Real> Kernel for Scaled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let scale = s.splat(self.scale);
        simd::map2(
            s,
            self.out,
            self.x,
            self.y,
            #[inline(always)]
            |x: T::Vector<S>, y: T::Vector<S>| scale * (x - y),
        );
    }
}

struct ScaledEach<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    y: &'a [T],
    gradient: &'a [T],
    scale: T,
}

impl<T: Real> Kernel for ScaledEach<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let scale = s.splat(self.scale);
        simd::map3(
            s,
            self.out,
            self.x,
            self.y,
            self.gradient,
            #[inline(always)]
            |x: T::Vector<S>, y: T::Vector<S>, gradient: T::Vector<S>| scale * gradient * (x - y),
        );
    }
}
