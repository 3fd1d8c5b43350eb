//! Softmax cross-entropy of rows of logits.

use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, Rows};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};

/// How the classes of a row make its loss: hard · w\[t\] · nll\[t\] + share · Σ_c w\[c\] · nll\[c\], nll = −log softmax.
pub(crate) struct Blend<T> {
    pub(crate) classes: usize,
    pub(crate) hard: f64,
    pub(crate) share: f64,
    /// Σ_c w\[c\]
    pub(crate) total: f64,
    /// w; None: all 1.
    pub(crate) weights: Option<Vec<T>>,
}

impl<T: Real> Blend<T> {
    /// hard · w\[t\]
    #[inline(always)]
    fn of_target(&self, target: usize) -> f64 {
        match &self.weights {
            Some(weights) => self.hard * weights[target].wide(),
            None => self.hard,
        }
    }
}

/// What the softmax of a row can be told from: exp(x − max) / sum.
///
/// Not log Σ exp in one number: where logits are large, its rounding would be the probabilities' error.
#[derive(Clone, Copy)]
pub(crate) struct Softmax<T> {
    max: T,
    sum: T,
}

/// The rows' losses and softmaxes. Each row is read once from memory; rows without a target are left out.
pub(crate) fn cross_entropy<T: Real>(
    blend: &Blend<T>,
    logits: &[T],
    targets: &[Option<usize>],
) -> (Vec<f64>, Vec<Softmax<T>>) {
    let mut losses = vec![0.; targets.len()];
    let mut softmax = vec![
        Softmax {
            max: T::ZERO,
            sum: T::ONE
        };
        targets.len()
    ];
    let parts = (
        Rows(logits, blend.classes),
        targets,
        &mut losses[..],
        &mut softmax[..],
    );
    parallel::zip_rows(blend.classes, parts, |_, (logits, targets, losses, softmax)| {
        simd::dispatch(Forward {
            blend,
            logits,
            targets,
            losses,
            softmax,
        });
    });
    (losses, softmax)
}

struct Forward<'a, T> {
    blend: &'a Blend<T>,
    logits: &'a [T],
    targets: &'a [Option<usize>],
    losses: &'a mut [f64],
    softmax: &'a mut [Softmax<T>],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let blend = self.blend;
        for (i, row) in self.logits.chunks(blend.classes).enumerate() {
            let Some(target) = self.targets[i] else { continue };
            let max = largest(s, row);
            let sum = sum_of_exp(s, row, max);
            let log_sum = sum.wide().ln();
            let mut loss = blend.of_target(target) * ((max.wide() - row[target].wide()) + log_sum);
            if blend.share > 0. {
                let below = weighted_sum_below(s, row, blend.weights.as_deref(), max);
                loss += blend.share * (below.wide() + blend.total * log_sum);
            }
            self.losses[i] = loss;
            self.softmax[i] = Softmax { max, sum };
        }
    }
}

/// The next vector of a row; beyond its end `fill`.
#[inline(always)]
fn load<T: Real, S: Simd>(s: S, values: &[T], fill: T) -> T::Vector<S> {
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
fn largest<T: Real, S: Simd>(s: S, row: &[T]) -> T {
    let mut max = s.splat(T::NEG_INFINITY);
    for x in row.chunks(s.lanes::<T>()) {
        max = max.max(load(s, x, T::NEG_INFINITY));
    }
    max.largest()
}

/// Σ exp(x − max), in four running vectors; NaN if there is one.
#[inline(always)]
fn sum_of_exp<T: Real, S: Simd>(s: S, row: &[T], max: T) -> T {
    let lanes = s.lanes::<T>();
    let max = s.splat(max);
    let mut sums = [s.splat(T::ZERO); 4];
    for block in row.chunks(4 * lanes) {
        for (x, sum) in block.chunks(lanes).zip(&mut sums) {
            *sum = *sum + (load(s, x, T::NEG_INFINITY) - max).exp();
        }
    }
    let [a, b, c, d] = sums;
    ((a + b) + (c + d)).sum()
}

/// Σ w · (max − x)
#[inline(always)]
fn weighted_sum_below<T: Real, S: Simd>(s: S, row: &[T], weights: Option<&[T]>, max: T) -> T {
    let lanes = s.lanes::<T>();
    let mut sum = s.splat(T::ZERO);
    for (i, x) in row.chunks(lanes).enumerate() {
        let below = s.splat(max) - load(s, x, max);
        sum = match weights {
            Some(weights) => below.mul_add(s.load(&weights[i * lanes..]), sum),
            None => sum + below,
        };
    }
    sum.sum()
}

/// The logits' gradient: factor · g · (s · softmax − hard · w\[t\] · 1\[t\] − share · w), s = hard · w\[t\] + share · Σ w, where g has
/// one element for all rows or one for each.
pub(crate) fn cross_entropy_gradient<T: Real>(
    blend: &Blend<T>,
    logits: &[T],
    targets: &[Option<usize>],
    softmax: &[Softmax<T>],
    gradient: &[T],
    factor: f64,
) -> Vec<T> {
    let mut out = vec![T::ZERO; logits.len()];
    let parts = (
        Rows(&mut out[..], blend.classes),
        Rows(logits, blend.classes),
        targets,
        softmax,
    );
    parallel::zip_rows(blend.classes, parts, |first, (out, logits, targets, softmax)| {
        let gradient = if gradient.len() == 1 {
            gradient
        } else {
            &gradient[first..first + targets.len()]
        };
        simd::dispatch(Gradient {
            blend,
            out,
            logits,
            targets,
            softmax,
            gradient,
            factor,
        });
    });
    out
}

struct Gradient<'a, T> {
    blend: &'a Blend<T>,
    out: &'a mut [T],
    logits: &'a [T],
    targets: &'a [Option<usize>],
    softmax: &'a [Softmax<T>],
    gradient: &'a [T],
    factor: f64,
}

impl<T: Real> Kernel for Gradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { blend, .. } = self;
        let rows = self
            .out
            .chunks_mut(blend.classes)
            .zip(self.logits.chunks(blend.classes));
        for (i, (out, row)) in rows.enumerate() {
            let Some(target) = self.targets[i] else { continue };
            let gradient = self.factor * self.gradient[if self.gradient.len() == 1 { 0 } else { i }].wide();
            let hard = blend.of_target(target);
            let Softmax { max, sum } = self.softmax[i];
            let scale = s.constant::<T>(gradient * (hard + blend.share * blend.total) / sum.wide());
            let max = s.splat(max);
            let share = s.constant::<T>(gradient * blend.share);
            match &blend.weights {
                _ if blend.share == 0. => {
                    simd::map1(
                        s,
                        out,
                        row,
                        #[inline(always)]
                        |x: T::Vector<S>| (x - max).exp() * scale,
                    );
                }
                None => {
                    simd::map1(
                        s,
                        out,
                        row,
                        #[inline(always)]
                        |x: T::Vector<S>| (x - max).exp() * scale - share,
                    );
                }
                Some(weights) => {
                    simd::map2(
                        s,
                        out,
                        row,
                        weights,
                        #[inline(always)]
                        |x: T::Vector<S>, w: T::Vector<S>| w.neg_mul_add(share, (x - max).exp() * scale),
                    );
                }
            }
            out[target] -= T::of(gradient * hard);
        }
    }
}
