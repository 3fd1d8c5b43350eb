//! Normal numbers, by Box and Muller's transformation.

use super::{SIDE, pairs, singles};
use crate::parallel;
use crate::simd::{self, Element, Kernel, Simd, Vector};

/// Numbers from N(mean, std²), computed in `f64` and rounded.
///
/// A counter gives four `f32` (from 32-bit numbers: within 6.7 standard deviations) or two `f64` (from 53 bits: within
/// 8.6). Each pair of uniform numbers (u, v) gives √(−2 ln u)·cos 2πv and √(−2 ln u)·sin 2πv.
pub fn fill_normal<T: Element>(out: &mut [T], key: u64, first: u64, mean: f64, std: f64) {
    let per_counter = 16 / size_of::<T>();
    parallel::zip((out,), |start, (out,)| {
        let first = first.wrapping_add((start / per_counter) as u64);
        simd::dispatch(Normal {
            out,
            key,
            first,
            mean,
            std,
        });
    });
}

struct Normal<'a, T> {
    out: &'a mut [T],
    key: u64,
    first: u64,
    mean: f64,
    std: f64,
}

/// Pairs that are computed side by side.
const PAIRS: usize = 2 * SIDE;

impl<T: Element> Kernel for Normal<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            out,
            key,
            first,
            mean,
            std,
        } = self;
        // A block of counters gives 2·SIDE pairs of f32, or SIDE of f64.
        let wide = size_of::<T>() == 8;
        let count = if wide { SIDE } else { 2 * SIDE };
        let lanes = s.lanes::<f64>();
        for (i, out) in out.chunks_mut(2 * count).enumerate() {
            let bits = pairs(key, first.wrapping_add((i * SIDE) as u64));
            let halves = singles(bits);
            let (mut u, mut v) = ([1.; PAIRS], [0.; PAIRS]);
            // u in (0, 1], v in [0, 1).
            if wide {
                for (j, (u, v)) in u.iter_mut().zip(&mut v).enumerate().take(SIDE) {
                    *u = ((bits[2 * j] >> 11) + 1) as f64 * (1. / (1u64 << 53) as f64);
                    *v = (bits[2 * j + 1] >> 11) as f64 * (1. / (1u64 << 53) as f64);
                }
            } else {
                for (j, (u, v)) in u.iter_mut().zip(&mut v).enumerate() {
                    *u = (f64::from(halves[2 * j]) + 1.) * (1. / (1u64 << 32) as f64);
                    *v = f64::from(halves[2 * j + 1]) * (1. / (1u64 << 32) as f64);
                }
            }
            for (u, v) in u[..count].chunks_mut(lanes).zip(v[..count].chunks_mut(lanes)) {
                let radius = (ln(s.load::<f64>(u)) * s.splat(-2.)).sqrt() * s.splat(std);
                let (sin, cos) = sin_cos(s.load::<f64>(v));
                (radius * cos + s.splat(mean)).store(u);
                (radius * sin + s.splat(mean)).store(v);
            }
            for (out, (cos, sin)) in out.chunks_mut(2).zip(u.into_iter().zip(v)) {
                out[0] = T::of(cos);
                if let Some(out) = out.get_mut(1) {
                    *out = T::of(sin);
                }
            }
        }
    }
}

/// A polynomial in separate multiplications and additions, which give the same bits at every level.
#[inline(always)]
fn unfused<V: Vector>(x: V, coefficients: &[f64]) -> V {
    let mut sum = x.same(0.);
    for &c in coefficients.iter().rev() {
        sum = sum * x + x.same(c);
    }
    sum
}

/// ln x for normal x in (0, 1], to 2 units in the last place.
#[inline(always)]
fn ln<V: Vector<Elem = f64>>(x: V) -> V {
    const MAGIC_BITS: u64 = 0x4330_0000_0000_0000;
    const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
    /// (2·artanh(s)/s − 2) / s², in s², for |s| ≤ 3 − 2√2.
    const SERIES: [f64; 7] = [
        0.666666666666674,
        0.39999999999377966,
        0.28571428751305034,
        0.22222197587214643,
        0.1818361899201984,
        0.15312569837973034,
        0.14811540182338068,
    ];
    let s = x.token();
    // x = 2ᵉ·m with m between √½ and √2.
    let exponent = x.shr(52) | V::splat_bits(s, MAGIC_BITS);
    let exponent = exponent - x.same(4_503_599_627_370_496. + 1023.);
    let m = (x & V::splat_bits(s, (1 << 52) - 1)) | V::splat_bits(s, ONE_BITS);
    let large = x.same(std::f64::consts::SQRT_2).lt(m);
    let m = V::select(large, m * x.same(0.5), m);
    let e = V::select(large, exponent + x.same(1.), exponent);
    let f = m - x.same(1.);
    let ratio = f / (f + x.same(2.));
    let square = ratio * ratio;
    // 2·artanh(ratio) = f − ratio·f + ratio·square·series
    let rest = ratio * (square * unfused(square, &SERIES) - f);
    e * x.same(std::f64::consts::LN_2) + (f + rest)
}

/// sin 2πv and cos 2πv for v in [0, 1), to 2⁻⁵².
#[inline(always)]
fn sin_cos<V: Vector<Elem = f64>>(v: V) -> (V, V) {
    /// sin(x)/x and cos(x) for |x| ≤ π/4, in x².
    const SIN: [f64; 8] = [
        1.,
        -1. / 6.,
        1. / 120.,
        -1. / 5040.,
        1. / 362_880.,
        -1. / 39_916_800.,
        1. / 6_227_020_800.,
        -1. / 1_307_674_368_000.,
    ];
    const COS: [f64; 9] = [
        1.,
        -1. / 2.,
        1. / 24.,
        -1. / 720.,
        1. / 40_320.,
        -1. / 3_628_800.,
        1. / 479_001_600.,
        -1. / 87_178_291_200.,
        1. / 20_922_789_888_000.,
    ];
    // Quarter turns, and what is left of one, within ±⅛ turn; both exact.
    let quarters = (v * v.same(4.)).round();
    let x = (v - quarters * v.same(0.25)) * v.same(std::f64::consts::TAU);
    let square = x * x;
    let (sin, cos) = (x * unfused(square, &SIN), unfused(square, &COS));
    // 0 and 4 quarters: (sin, cos); 1: (cos, −sin); 2: (−sin, −cos); 3: (−cos, sin).
    let is = |n: f64| quarters.equal(v.same(n));
    let swap = is(1.) | is(3.);
    let (a, b) = (V::select(swap, cos, sin), V::select(swap, sin, cos));
    (
        V::select(is(2.) | is(3.), -a, a),
        V::select(is(1.) | is(2.), -b, b),
    )
}
