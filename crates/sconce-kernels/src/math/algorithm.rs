//! The algorithms, once for both element types.

use super::Functions as _;
use super::constants::Constants;
use crate::simd::Vector;

/// A polynomial, by Horner's rule.
#[inline(always)]
fn polynomial<V: Vector>(x: V, coefficients: &[f64]) -> V {
    let mut sum = x.same(0.);
    for (i, &c) in coefficients.iter().rev().enumerate() {
        sum = if i == 0 {
            x.same(c)
        } else {
            sum.mul_add(x, x.same(c))
        };
    }
    sum
}

/// n and r with x = n·ln 2 + r and |r| ≤ ln 2 / 2, and eʳ − 1.
#[inline(always)]
fn reduce<V: Vector>(x: V) -> (V, V)
where
    V::Elem: Constants,
{
    let (high, low) = V::Elem::LN_2;
    let n = (x * x.same(std::f64::consts::LOG2_E)).round();
    let r = n.neg_mul_add(x.same(low), n.neg_mul_add(x.same(high), x));
    let tail = (r * r).mul_add(polynomial(r, V::Elem::EXP), r);
    (n, tail)
}

/// x held to where eˣ can be told from 0 and ∞; a NaN stays one.
#[inline(always)]
fn clamp<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let (low, high) = V::Elem::EXP_RANGE;
    x.same(high).min(x.same(low).max(x))
}

#[inline(always)]
pub(super) fn exp<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let (n, tail) = reduce(clamp(x));
    (tail + x.same(1.)).scale(n)
}

#[inline(always)]
pub(super) fn exp_m1<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let (n, tail) = reduce(clamp(x));
    // Half of everything: 2ⁿ alone overflows before eˣ does.
    let n = n - x.same(1.);
    let half = tail.scale(n) + (x.same(1.).scale(n) - x.same(0.5));
    V::select(x.abs().lt(x.same(V::Elem::TINY)), x, half + half)
}

#[inline(always)]
pub(super) fn ln<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let s = x.token();
    let (lift, lifted) = V::Elem::LIFT;
    let subnormal = x.lt(x.same(V::Elem::MIN_NORMAL));
    let normal = V::select(subnormal, x * x.same(lift), x);
    // x = 2ᵉ·m with m between √½ and √2.
    let exponent = normal.shr(V::Elem::MANTISSA) | V::splat_bits(s, V::Elem::MAGIC_BITS);
    let exponent = exponent - x.same(V::Elem::MAGIC_AND_BIAS);
    let exponent = V::select(subnormal, exponent - x.same(lifted), exponent);
    let fraction = V::splat_bits(s, (1 << V::Elem::MANTISSA) - 1);
    let m = (normal & fraction) | V::splat_bits(s, V::Elem::ONE_BITS);
    let large = x.same(std::f64::consts::SQRT_2).lt(m);
    let m = V::select(large, m * x.same(0.5), m);
    let e = V::select(large, exponent + x.same(1.), exponent);

    let (high, low) = V::Elem::LN_2;
    let f = m - x.same(1.);
    let half_square = f * f * x.same(0.5);
    let ratio = f / (f + x.same(2.));
    let square = ratio * ratio;
    let rest = square * polynomial(square, V::Elem::LN);
    let small = ratio.mul_add(half_square + rest, e * x.same(low));
    let y = e.mul_add(x.same(high), f - (half_square - small));

    let y = V::select(x.lt(x.same(f64::INFINITY)), y, x);
    let y = V::select(x.lt(x.same(0.)), x.same(f64::NAN), y);
    V::select(x.equal(x.same(0.)), x.same(f64::NEG_INFINITY), y)
}

#[inline(always)]
pub(super) fn ln_1p<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let u = x + x.same(1.);
    // What the rounding of 1 + x lost, to first order.
    let lost = (x - (u - x.same(1.))) / u;
    let y = V::select(u.abs().lt(x.same(f64::INFINITY)), ln(u) + lost, x);
    let y = V::select(x.lt(x.same(-1.)), x.same(f64::NAN), y);
    let y = V::select(u.equal(x.same(0.)), x.same(f64::NEG_INFINITY), y);
    V::select(x.abs().lt(x.same(V::Elem::TINY)), x, y)
}

#[inline(always)]
pub(super) fn tanh<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let positive = x.same(V::Elem::TANH_MAX).min(x.abs());
    let (n, tail) = reduce(positive + positive);
    // tanh x = (e²ˣ − 1) / (e²ˣ − 1 + 2), where nothing cancels.
    let above_one = tail.scale(n) + (x.same(1.).scale(n) - x.same(1.));
    (above_one / (above_one + x.same(2.))).with_sign_of(x)
}

#[inline(always)]
pub(super) fn sigmoid<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let e = exp(-x.abs());
    V::select(x.lt(x.same(0.)), e, x.same(1.)) / (e + x.same(1.))
}

#[inline(always)]
pub(super) fn erf<V: Vector>(x: V) -> V
where
    V::Elem: Constants,
{
    let positive = x.abs();
    let near = positive.mul_add(polynomial(positive * positive, V::Elem::ERF_NEAR), positive);
    let bounded = x.same(V::Elem::ERF_MAX).min(positive);
    let far = x.same(1.) - exp(polynomial(bounded - x.same(1.), V::Elem::ERF_FAR));
    V::select(positive.lt(x.same(V::Elem::ERF_SPLIT)), near, far).with_sign_of(x)
}

#[inline(always)]
pub(crate) fn softplus<V: Vector>(x: V) -> V {
    let e = V::Elem::exp(-x.abs());
    x.same(0.).max(x) + V::Elem::ln_1p(e)
}
