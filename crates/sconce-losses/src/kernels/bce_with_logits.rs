//! Binary cross-entropy of logits, its slopes and its sum: each in one pass over memory.
//!
//! All come from e = exp(−|x|), of which nothing overflows: s(x) = max(x, 0) + ln(1 + e), and sigmoid(|x|) = 1/(1 + e).

use super::axes::Axes;
use super::factor::{Factor, PIECE, only_first};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::ops::Range;

/// Logits and targets, and their weights.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) t: &'a [T],
    pub(crate) axes: &'a Axes,
    /// `weight` and `pos_weight`, as the axes say.
    pub(crate) weights: [&'a [T]; 2],
}

/// What is computed of an element from x, t, `weight` and `pos_weight`.
pub(crate) trait Term: Copy + Sync {
    fn of<V: Vector>(self, x: V, t: V, weight: V, pos_weight: V) -> V;
}

/// w·((1 − t)·s(x) + p·t·s(−x))
#[derive(Clone, Copy)]
pub(crate) struct Loss;

/// Its derivative by x: w·((1 − t)·σ(x) − p·t·σ(−x)).
#[derive(Clone, Copy)]
pub(crate) struct ByInput;

/// Its derivative by t: w·(p·s(−x) − s(x)).
#[derive(Clone, Copy)]
pub(crate) struct ByTarget;

/// Its derivative by p: w·t·s(−x).
#[derive(Clone, Copy)]
pub(crate) struct ByPosWeight;

/// s(x) and s(−x).
#[inline(always)]
fn softplus<V: Vector>(x: V) -> [V; 2] {
    let (zero, log) = (x.same(0.), (-x.abs()).exp().ln_1p());
    [zero.max(x) + log, zero.max(-x) + log]
}

impl Term for Loss {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, t: V, weight: V, pos_weight: V) -> V {
        let [no, yes] = softplus(x);
        weight * (x.same(1.) - t).mul_add(no, pos_weight * t * yes)
    }
}

impl Term for ByInput {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, t: V, weight: V, pos_weight: V) -> V {
        let (zero, one) = (x.same(0.), x.same(1.));
        let e = (-x.abs()).exp();
        let (no, yes) = (one - t, pos_weight * t);
        let negative = x.lt(zero);
        // σ of |x| is 1/(1 + e), of −|x| e/(1 + e).
        let (of_no, of_yes) = (V::select(negative, e, one), V::select(negative, one, e));
        weight * (no * of_no - yes * of_yes) / (one + e)
    }
}

impl Term for ByTarget {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, _: V, weight: V, pos_weight: V) -> V {
        let [no, yes] = softplus(x);
        weight * (pos_weight * yes - no)
    }
}

impl Term for ByPosWeight {
    #[inline(always)]
    fn of<V: Vector>(self, x: V, t: V, weight: V, _: V) -> V {
        let [_, yes] = softplus(x);
        weight * (t * yes)
    }
}

/// scale · gradient · term of each element.
pub(crate) fn bce_terms<T: Real, F: Term>(
    term: F,
    terms: Terms<'_, T>,
    gradient: Factor<'_, T>,
    scale: f64,
) -> Vec<T> {
    let scale = T::of(scale);
    parallel::fresh(terms.x.len(), |out| {
        parallel::zip((out, terms.x), |first, (out, x)| {
            simd::dispatch(Map {
                out,
                range: first..first + x.len(),
                term,
                terms,
                gradient,
                scale,
            });
        });
    })
}

/// Σ loss
pub(crate) fn bce_sum<T: Real>(terms: Terms<'_, T>) -> f64 {
    let sum = |first, (x,): (&[T],)| {
        let range = first..first + x.len();
        simd::dispatch(Sum { range, terms })
    };
    parallel::reduce((terms.x,), sum, |a, b| a + b).unwrap_or(0.)
}

struct Map<'a, T: 'static, F> {
    out: BlankPart<'a, T>,
    range: Range<usize>,
    term: F,
    terms: Terms<'a, T>,
    gradient: Factor<'a, T>,
    scale: T,
}

impl<T: Real, F: Term> Kernel for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (lanes, scale) = (s.lanes::<T>(), s.splat(self.scale));
        let Terms { x, t, axes, weights } = self.terms;
        for start in self.range.clone().step_by(PIECE) {
            let range = start..self.range.end.min(start + PIECE);
            let (x, t) = (&x[range.clone()], &t[range.clone()]);
            let gradient = self.gradient.part(range.clone());
            let term = self.term;
            self.out.write(
                s,
                range.len(),
                #[inline(always)]
                |out| {
                    axes.stretches(
                        range,
                        weights,
                        #[inline(always)]
                        |stretch, [weight, pos_weight]| {
                            let (out, x, t) = (
                                &mut out[stretch.clone()],
                                &x[stretch.clone()],
                                &t[stretch.clone()],
                            );
                            let gradient = gradient.part(stretch);
                            let inputs = x.chunks(lanes).zip(t.chunks(lanes));
                            for (k, (out, (x, t))) in out.chunks_mut(lanes).zip(inputs).enumerate() {
                                let i = k * lanes;
                                let term =
                                    term.of(s.load(x), s.load(t), weight.at(s, i), pos_weight.at(s, i));
                                (scale * gradient.at(s, i) * term).store(out);
                            }
                        },
                    );
                },
            );
        }
    }
}

/// Four running vectors a chunk, in a fixed order.
struct Sum<'a, T> {
    range: Range<usize>,
    terms: Terms<'a, T>,
}

impl<T: Real> Kernel for Sum<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let lanes = s.lanes::<T>();
        let Terms { x, t, axes, weights } = self.terms;
        let (x, t) = (&x[self.range.clone()], &t[self.range.clone()]);
        let mut sums = [s.splat(T::ZERO); 4];
        axes.stretches(
            self.range,
            weights,
            #[inline(always)]
            |stretch, [weight, pos_weight]| {
                let (x, t) = (&x[stretch.clone()], &t[stretch]);
                let blocks = x.chunks(4 * lanes).zip(t.chunks(4 * lanes));
                for (block, (x, t)) in blocks.enumerate() {
                    let vectors = x.chunks(lanes).zip(t.chunks(lanes)).zip(&mut sums);
                    for (k, ((x, t), sum)) in vectors.enumerate() {
                        let i = (4 * block + k) * lanes;
                        let loss = Loss.of(s.load(x), s.load(t), weight.at(s, i), pos_weight.at(s, i));
                        *sum = *sum + only_first::<T, S>(s, loss, x.len());
                    }
                }
            },
        );
        let [a, b, c, d] = sums;
        ((a + b) + (c + d)).sum().wide()
    }
}
