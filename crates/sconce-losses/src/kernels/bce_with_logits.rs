//! Binary cross-entropy of logits and its slopes, as terms of logits, targets, `weight` and `pos_weight`.
//!
//! All come from e = exp(−|x|), of which nothing overflows: s(x) = max(x, 0) + ln(1 + e), and sigmoid(|x|) = 1/(1 + e).

use super::terms::Term;
use sconce_kernels::simd::Vector;

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
