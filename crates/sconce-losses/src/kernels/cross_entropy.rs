//! Softmax cross-entropy of rows of logits.

use super::factor::{Factor, PIECE};
use super::lanes::{largest, load};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart, Rows};
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
    parallel::fresh(logits.len(), |out| {
        let parts = (
            Rows(out, blend.classes),
            Rows(logits, blend.classes),
            targets,
            softmax,
        );
        parallel::zip_rows(blend.classes, parts, |first, (out, logits, targets, softmax)| {
            let gradient = Factor::of_gradient(gradient).part(first..first + targets.len());
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
    })
}

struct Gradient<'a, T: 'static> {
    blend: &'a Blend<T>,
    out: BlankPart<'a, T>,
    logits: &'a [T],
    targets: &'a [Option<usize>],
    softmax: &'a [Softmax<T>],
    gradient: Factor<'a, T>,
    factor: f64,
}

impl<T: Real> Kernel for Gradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for (i, row) in self.logits.chunks(self.blend.classes).enumerate() {
            let slopes = self.targets[i].map(|target| {
                let gradient = self.factor * self.gradient.of(i).wide();
                Slopes::new(self.blend, self.softmax[i], target, gradient)
            });
            for (k, piece) in row.chunks(PIECE).enumerate() {
                self.out.write(
                    s,
                    piece.len(),
                    #[inline(always)]
                    |out| match &slopes {
                        Some(slopes) => slopes.write(s, self.blend, k * PIECE, piece, out),
                        None => out.fill(T::ZERO),
                    },
                );
            }
        }
    }
}

/// What a row's gradient is made of.
struct Slopes<T> {
    max: T,
    /// Of exp(x − max).
    scale: T,
    /// Of each class's weight.
    share: T,
    target: usize,
    of_target: T,
}

impl<T: Real> Slopes<T> {
    #[inline(always)]
    fn new(blend: &Blend<T>, softmax: Softmax<T>, target: usize, gradient: f64) -> Self {
        let hard = blend.of_target(target);
        Self {
            max: softmax.max,
            scale: T::of(gradient * (hard + blend.share * blend.total) / softmax.sum.wide()),
            share: T::of(gradient * blend.share),
            target,
            of_target: T::of(gradient * hard),
        }
    }

    /// The part of the row that begins with the class `start`.
    #[inline(always)]
    fn write<S: Simd>(&self, s: S, blend: &Blend<T>, start: usize, logits: &[T], out: &mut [T]) {
        let (max, scale, share) = (s.splat(self.max), s.splat(self.scale), s.splat(self.share));
        match &blend.weights {
            _ if blend.share == 0. => {
                simd::map1(
                    s,
                    out,
                    logits,
                    #[inline(always)]
                    |x: T::Vector<S>| (x - max).exp() * scale,
                );
            }
            None => {
                simd::map1(
                    s,
                    out,
                    logits,
                    #[inline(always)]
                    |x: T::Vector<S>| (x - max).exp() * scale - share,
                );
            }
            Some(weights) => {
                simd::map2(
                    s,
                    out,
                    logits,
                    &weights[start..],
                    #[inline(always)]
                    |x: T::Vector<S>, w: T::Vector<S>| w.neg_mul_add(share, (x - max).exp() * scale),
                );
            }
        }
        if let Some(slope) = self.target.checked_sub(start).and_then(|i| out.get_mut(i)) {
            *slope -= self.of_target;
        }
    }
}
