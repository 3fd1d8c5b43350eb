//! Functions of the differences of two slices, and their slopes: each in one pass over memory.

use super::factor::{Factor, PIECE};
use super::terms::Term;
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};

/// A function of a difference, 0 where there is none.
pub(crate) trait Curve: Copy + Send + Sync + 'static {
    fn value<V: Vector>(self, difference: V) -> V;
    fn slope<V: Vector>(self, difference: V) -> V;
}

/// d²
#[derive(Clone, Copy)]
pub(crate) struct Square;

/// |d|
#[derive(Clone, Copy)]
pub(crate) struct Absolute;

/// factor · c·(d − ½c), where c is d within ±delta.
#[derive(Clone, Copy)]
pub(crate) struct Bent {
    pub(crate) delta: f64,
    pub(crate) factor: f64,
}

impl Curve for Square {
    #[inline(always)]
    fn value<V: Vector>(self, d: V) -> V {
        d * d
    }
    #[inline(always)]
    fn slope<V: Vector>(self, d: V) -> V {
        d + d
    }
}

impl Curve for Absolute {
    #[inline(always)]
    fn value<V: Vector>(self, d: V) -> V {
        d.abs()
    }
    /// 0 at 0, and for a NaN.
    #[inline(always)]
    fn slope<V: Vector>(self, d: V) -> V {
        let zero = d.same(0.);
        let below = V::select(d.lt(zero), d.same(-1.), zero);
        V::select(zero.lt(d), d.same(1.), below)
    }
}

impl Bent {
    #[inline(always)]
    fn clipped<V: Vector>(self, d: V) -> V {
        // In this order a NaN stays one.
        d.same(self.delta).min(d.same(-self.delta).max(d))
    }
}

impl Curve for Bent {
    #[inline(always)]
    fn value<V: Vector>(self, d: V) -> V {
        let clipped = self.clipped(d);
        (clipped * d.same(self.factor)) * clipped.neg_mul_add(d.same(0.5), d)
    }
    #[inline(always)]
    fn slope<V: Vector>(self, d: V) -> V {
        self.clipped(d) * d.same(self.factor)
    }
}

/// w·f(x − y)
#[derive(Clone, Copy)]
pub(crate) struct Weighted<C>(pub(crate) C);

/// Its derivative by x: w·f′(x − y).
#[derive(Clone, Copy)]
pub(crate) struct WeightedSlope<C>(pub(crate) C);

/// f(x − y) − l, with l as the second weight: how much the loss of an element is above the mean.
#[derive(Clone, Copy)]
pub(crate) struct AboveMean<C>(pub(crate) C);

impl<C: Curve> Term for Weighted<C> {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, y: V, weight: V, _: V) -> V {
        weight * self.0.value(x - y)
    }
}

impl<C: Curve> Term for WeightedSlope<C> {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, y: V, weight: V, _: V) -> V {
        weight * self.0.slope(x - y)
    }
}

impl<C: Curve> Term for AboveMean<C> {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, y: V, _: V, mean: V) -> V {
        self.0.value(x - y) - mean
    }
}

/// f(x − y)
pub(crate) fn of_differences<T: Real>(curve: impl Curve, x: &[T], y: &[T]) -> Vec<T> {
    map(x, y, Factor::One(T::ONE), Values(curve))
}

/// scale · gradient · f′(x − y)
pub(crate) fn slopes_of_differences<T: Real>(
    curve: impl Curve,
    x: &[T],
    y: &[T],
    gradient: Factor<'_, T>,
    scale: f64,
) -> Vec<T> {
    map(x, y, gradient, Slopes(curve, scale))
}

/// Σ f(x − y)
pub(crate) fn sum_of_differences<T: Real>(curve: impl Curve, x: &[T], y: &[T]) -> f64 {
    let sum = |_, (x, y)| simd::dispatch(Sum { curve, x, y });
    parallel::reduce((x, y), sum, |a, b| a + b).unwrap_or(0.)
}

/// What is made of a difference and a factor.
trait Make: Copy + Sync {
    fn make<V: Vector>(self, difference: V, factor: V) -> V;
}

#[derive(Clone, Copy)]
struct Values<C>(C);

impl<C: Curve> Make for Values<C> {
    #[inline(always)]
    fn make<V: Vector>(self, difference: V, _: V) -> V {
        self.0.value(difference)
    }
}

#[derive(Clone, Copy)]
struct Slopes<C>(C, f64);

impl<C: Curve> Make for Slopes<C> {
    #[inline(always)]
    fn make<V: Vector>(self, difference: V, factor: V) -> V {
        (factor * difference.same(self.1)) * self.0.slope(difference)
    }
}

fn map<T: Real>(x: &[T], y: &[T], factor: Factor<'_, T>, make: impl Make) -> Vec<T> {
    parallel::fresh(x.len(), |out| {
        parallel::zip((out, x, y), |first, (out, x, y)| {
            let factor = factor.part(first..first + x.len());
            simd::dispatch(Map {
                out,
                x,
                y,
                factor,
                make,
            });
        });
    })
}

struct Map<'a, T: 'static, M> {
    out: BlankPart<'a, T>,
    x: &'a [T],
    y: &'a [T],
    factor: Factor<'a, T>,
    make: M,
}

impl<T: Real, M: Make> Kernel for Map<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let lanes = s.lanes::<T>();
        for (i, (x, y)) in self.x.chunks(PIECE).zip(self.y.chunks(PIECE)).enumerate() {
            let factor = self.factor.part(i * PIECE..i * PIECE + x.len());
            self.out.write(
                s,
                x.len(),
                #[inline(always)]
                |out| {
                    let inputs = x.chunks(lanes).zip(y.chunks(lanes));
                    for (k, (out, (x, y))) in out.chunks_mut(lanes).zip(inputs).enumerate() {
                        let difference = s.load::<T>(x) - s.load::<T>(y);
                        self.make.make(difference, factor.at(s, k * lanes)).store(out);
                    }
                },
            );
        }
    }
}

/// Four running vectors a chunk, in a fixed order. Lanes past the end hold f(0), which is 0.
struct Sum<'a, T, C> {
    curve: C,
    x: &'a [T],
    y: &'a [T],
}

impl<T: Real, C: Curve> Kernel for Sum<'_, T, C> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let lanes = s.lanes::<T>();
        let mut sums = [s.splat(T::ZERO); 4];
        for (x, y) in self.x.chunks(4 * lanes).zip(self.y.chunks(4 * lanes)) {
            for ((x, y), sum) in x.chunks(lanes).zip(y.chunks(lanes)).zip(&mut sums) {
                let value = self.curve.value(s.load::<T>(x) - s.load::<T>(y));
                *sum = *sum + value;
            }
        }
        let [a, b, c, d] = sums;
        ((a + b) + (c + d)).sum().wide()
    }
}
