//! What is computed of inputs, targets and weights that broadcast to them, and its sum: each in one pass over memory.

use super::axes::Axes;
use super::factor::{Factor, PIECE, only_first};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::ops::Range;

/// Inputs and targets, and their weights.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) t: &'a [T],
    pub(crate) axes: &'a Axes,
    /// Two factors or other numbers, which stand where the axes say.
    pub(crate) weights: [&'a [T]; 2],
}

/// What is computed of an element from x, t and the two weights.
pub(crate) trait Term: Copy + Sync {
    fn of<V: Vector>(self, x: V, t: V, first: V, second: V) -> V;
}

/// scale · gradient · term of each element.
pub(crate) fn map_terms<T: Real, F: Term>(
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

/// Σ term
pub(crate) fn sum_terms<T: Real, F: Term>(term: F, terms: Terms<'_, T>) -> f64 {
    let sum = |first, (x,): (&[T],)| {
        let range = first..first + x.len();
        simd::dispatch(Sum { range, term, terms })
    };
    parallel::reduce((terms.x,), sum, |a, b| a + b).unwrap_or(0.)
}

/// Σ w, or the first weight that isn't a finite number of at least 0, with its place.
pub(crate) fn sum_of_weights<T: Real>(w: &[T]) -> Result<f64, (usize, f64)> {
    let good = |w: f64| (0. ..f64::INFINITY).contains(&w);
    let sum = |first, (w,): (&[T],)| {
        // All are looked at before one is looked for, which takes whole vectors.
        if w.iter().fold(true, |all, w| all & good(w.wide())) {
            return Ok(parallel::sum(w).wide());
        }
        let bad = w.iter().map(|w| w.wide()).enumerate().find(|(_, w)| !good(*w));
        bad.map_or(Ok(0.), |(i, w)| Err((first + i, w)))
    };
    parallel::reduce((w,), sum, |a, b| Ok(a? + b?)).unwrap_or(Ok(0.))
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
                        |stretch, [first, second]| {
                            let (out, x, t) = (
                                &mut out[stretch.clone()],
                                &x[stretch.clone()],
                                &t[stretch.clone()],
                            );
                            let gradient = gradient.part(stretch);
                            let inputs = x.chunks(lanes).zip(t.chunks(lanes));
                            for (k, (out, (x, t))) in out.chunks_mut(lanes).zip(inputs).enumerate() {
                                let i = k * lanes;
                                let term = term.of(s.load(x), s.load(t), first.at(s, i), second.at(s, i));
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
struct Sum<'a, T, F> {
    range: Range<usize>,
    term: F,
    terms: Terms<'a, T>,
}

impl<T: Real, F: Term> Kernel for Sum<'_, T, F> {
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
            |stretch, [first, second]| {
                let (x, t) = (&x[stretch.clone()], &t[stretch]);
                let blocks = x.chunks(4 * lanes).zip(t.chunks(4 * lanes));
                for (block, (x, t)) in blocks.enumerate() {
                    let vectors = x.chunks(lanes).zip(t.chunks(lanes)).zip(&mut sums);
                    for (k, ((x, t), sum)) in vectors.enumerate() {
                        let i = (4 * block + k) * lanes;
                        let value = self
                            .term
                            .of(s.load(x), s.load(t), first.at(s, i), second.at(s, i));
                        *sum = *sum + only_first::<T, S>(s, value, x.len());
                    }
                }
            },
        );
        let [a, b, c, d] = sums;
        ((a + b) + (c + d)).sum().wide()
    }
}
