mod reference;

use crate::math;
use crate::simd::{Element, Level, with_level};
use reference::Wide;

type Function<T> = fn(&mut [T], &[T]);

type Case = (
    &'static str,
    Function<f32>,
    Function<f64>,
    fn(f64) -> Wide,
    (f64, f64),
    f64,
    f64,
);

/// Function, reference, the points' range for `f64`, and the bound in units in the last place for `f32` and `f64`.
const CASES: [Case; 8] = [
    ("exp", math::exp, math::exp, reference::exp, (-750., 712.), 1., 1.),
    (
        "exp_m1",
        math::exp_m1,
        math::exp_m1,
        reference::exp_m1,
        (-60., 712.),
        1.5,
        1.5,
    ),
    ("ln", math::ln, math::ln, reference::ln, (0., 1e6), 1., 1.),
    (
        "ln_1p",
        math::ln_1p,
        math::ln_1p,
        reference::ln_1p,
        (-1., 1e6),
        1.5,
        1.5,
    ),
    (
        "tanh",
        math::tanh,
        math::tanh,
        reference::tanh,
        (-25., 25.),
        2.5,
        2.,
    ),
    (
        "sigmoid",
        math::sigmoid,
        math::sigmoid,
        reference::sigmoid,
        (-750., 60.),
        2.,
        2.,
    ),
    ("erf", math::erf, math::erf, reference::erf, (-7., 7.), 1.5, 1.5),
    (
        "softplus",
        math::softplus,
        math::softplus,
        reference::softplus,
        (-750., 60.),
        2.,
        2.,
    ),
];

/// How far `got` is from the reference, in units of its last place.
fn error<T: Element>(got: T, expected: Wide, mantissa: i32, lowest: i32) -> f64 {
    let rounded = T::of(expected.0);
    if rounded == got || (rounded.wide().is_nan() && got.wide().is_nan()) {
        let exponent = expected.0.abs().log2().floor().max(f64::from(lowest));
        return if got.wide().is_finite() && got != T::ZERO {
            ((got.wide() - expected.0) - expected.1).abs() / 2f64.powf(exponent - f64::from(mantissa))
        } else {
            0.
        };
    }
    let exponent = expected.0.abs().log2().floor().max(f64::from(lowest));
    ((got.wide() - expected.0) - expected.1).abs() / 2f64.powf(exponent - f64::from(mantissa))
}

fn sweep<T: Element>(
    name: &str,
    function: Function<T>,
    reference: fn(f64) -> Wide,
    points: &[T],
    (mantissa, lowest): (i32, i32),
    bound: f64,
) {
    let expected: Vec<Wide> = points.iter().map(|x| reference(x.wide())).collect();
    for level in Level::available() {
        let mut out = vec![T::ZERO; points.len()];
        with_level(level, || function(&mut out, points));
        let (mut worst, mut place) = (0., T::ZERO);
        for ((&x, &y), &expected) in points.iter().zip(&out).zip(&expected) {
            let error = error(y, expected, mantissa, lowest);
            // A NaN error means that one of the two is infinite or NaN and the other isn't.
            if error > worst || error.is_nan() {
                (worst, place) = (error, x);
            }
            assert!(
                !error.is_nan(),
                "{name}({x}) at {level:?} is {y}, not {expected:?}"
            );
        }
        if std::env::var_os("SCONCE_SHOW_ERRORS").is_some() {
            println!(
                "{name} {} {level:?}: {worst:.3} ulp at {:e}",
                std::any::type_name::<T>(),
                place.wide()
            );
        }
        assert!(
            worst <= bound,
            "{name} at {level:?}: {worst} units in the last place at {:e}",
            place.wide()
        );
    }
}

#[test]
fn f32_errors_stay_within_their_bounds() {
    // Every 16411th bit pattern, of both signs.
    let points: Vec<f32> = (0..u32::MAX / 16411).map(|i| f32::from_bits(i * 16411)).collect();
    for (name, function, _, reference, _, bound, _) in CASES {
        sweep(name, function, reference, &points, (23, -126), bound);
    }
}

#[test]
fn f64_errors_stay_within_their_bounds() {
    for (name, _, function, reference, (low, high), _, bound) in CASES {
        let step = (high - low) / 7001.;
        let mut points: Vec<f64> = (0..=7001).map(|i| low + step * f64::from(i)).collect();
        // Around 0 and ±1 at all scales.
        for i in 0..1500 {
            let small = 2f64.powf(-f64::from(i) / 24.) * if i % 2 == 0 { 1. } else { -1. };
            points.extend([small, 1. + small, -1. - small, 0.9375 + small / 1024.]);
        }
        points.extend([f64::MIN_POSITIVE / 8., 5e-324, 1e-300, f64::MAX, 1e300, -1e300]);
        sweep(name, function, reference, &points, (52, -1022), bound);
    }
}

#[test]
fn special_values() {
    type Values = (&'static str, Function<f32>, Function<f64>, &'static [(f64, f64)]);
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    let cases: [Values; 8] = [
        (
            "exp",
            math::exp,
            math::exp,
            &[
                (0., 1.),
                (-0., 1.),
                (INF, INF),
                (-INF, 0.),
                (800., INF),
                (-800., 0.),
            ],
        ),
        (
            "exp_m1",
            math::exp_m1,
            math::exp_m1,
            &[(0., 0.), (-0., -0.), (INF, INF), (-INF, -1.), (800., INF)],
        ),
        (
            "ln",
            math::ln,
            math::ln,
            &[
                (1., 0.),
                (0., -INF),
                (-0., -INF),
                (INF, INF),
                (-1., NAN),
                (-INF, NAN),
            ],
        ),
        (
            "ln_1p",
            math::ln_1p,
            math::ln_1p,
            &[
                (0., 0.),
                (-0., -0.),
                (-1., -INF),
                (INF, INF),
                (-2., NAN),
                (-INF, NAN),
            ],
        ),
        (
            "tanh",
            math::tanh,
            math::tanh,
            &[
                (0., 0.),
                (-0., -0.),
                (INF, 1.),
                (-INF, -1.),
                (40., 1.),
                (-40., -1.),
            ],
        ),
        (
            "sigmoid",
            math::sigmoid,
            math::sigmoid,
            &[(0., 0.5), (-0., 0.5), (INF, 1.), (-INF, 0.), (800., 1.)],
        ),
        (
            "erf",
            math::erf,
            math::erf,
            &[(0., 0.), (-0., -0.), (INF, 1.), (-INF, -1.), (7., 1.), (-7., -1.)],
        ),
        (
            "softplus",
            math::softplus,
            math::softplus,
            &[(INF, INF), (-INF, 0.), (800., 800.), (-800., 0.)],
        ),
    ];
    fn check<T: Element>(name: &str, function: Function<T>, x: f64, expected: f64) {
        let mut y = [T::ZERO; 3];
        function(&mut y, &[T::of(x); 3]);
        for y in y.map(T::wide) {
            let same = y == expected && y.is_sign_negative() == expected.is_sign_negative();
            assert!(
                same || y.is_nan() && expected.is_nan(),
                "{name}({x}) is {y}, not {expected}"
            );
        }
    }
    for level in Level::available() {
        with_level(level, || {
            for (name, single, double, values) in cases {
                for &(x, y) in values.iter().chain(&[(NAN, NAN)]) {
                    check(name, single, x, y);
                    check(name, double, x, y);
                }
            }
        });
    }
}

#[test]
fn long_slices_and_tails_are_covered() {
    for length in [0, 1, 15, 16, 17, 100_003] {
        let x: Vec<f32> = (0..length).map(|i| i as f32 * 1e-5).collect();
        let mut y = vec![f32::NAN; length];
        math::tanh(&mut y, &x);
        for (y, x) in y.iter().zip(&x) {
            assert!((f64::from(*y) - f64::from(*x).tanh()).abs() < 1e-6);
        }
    }
    assert!((math::erf_f64(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
}
