use super::*;
use std::hint::black_box;

/// Values that show differences: signs, ties, subnormals, infinities, NaN.
const VALUES: [f64; 16] = [
    0.,
    -0.,
    1.5,
    -2.5,
    0.5,
    3.,
    -7.25,
    1e-40,
    -1e-310,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    65.5,
    -0.3,
    2.,
    1e6,
];

/// Checks every operation, lane by lane, against plain arithmetic.
struct Operations<T>(std::marker::PhantomData<T>);

impl<T: Element> Kernel for Operations<T> {
    type Output = ();

    #[allow(clippy::type_complexity, reason = "a table")]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        let a: Vec<T> = (0..lanes).map(|i| T::of(VALUES[i % 16])).collect();
        for shift in 0..16 {
            let b: Vec<T> = (0..lanes).map(|i| T::of(VALUES[(i + shift) % 16])).collect();
            let (x, y) = (s.load::<T>(&a), s.load::<T>(&b));
            let zero = s.splat(T::ZERO);
            let one = s.splat(T::ONE);
            let cases: [(&str, T::Vector<S>, fn(T, T) -> T); 16] = [
                ("add", x + y, |a, b| a + b),
                ("sub", x - y, |a, b| a - b),
                ("mul", x * y, |a, b| a * b),
                ("div", x / y, |a, b| a / b),
                ("neg", -x, |a, _| -a),
                ("min", x.min(y), |a, b| if a < b { a } else { b }),
                ("max", x.max(y), |a, b| if a > b { a } else { b }),
                ("abs", x.abs(), |a, _| T::of(a.wide().abs())),
                ("sqrt", x.abs().sqrt(), |a, _| T::of(a.wide().abs()).root()),
                ("round", x.round(), |a, _| T::of(a.wide().round_ties_even())),
                ("sign", x.with_sign_of(y), |a, b| {
                    T::of(a.wide().copysign(b.wide()))
                }),
                ("lt", Vector::select(x.lt(y), one, zero), |a, b| {
                    T::of(f64::from(a < b))
                }),
                ("le", Vector::select(x.le(y), one, zero), |a, b| {
                    T::of(f64::from(a <= b))
                }),
                ("gt", Vector::select(x.gt(y) & y.le(y), one, zero), |a, b| {
                    T::of(f64::from(a > b))
                }),
                ("ge", Vector::select(!x.ge(y), zero, one), |a, b| {
                    T::of(f64::from(a >= b))
                }),
                (
                    "eq",
                    Vector::select(x.equal(y) | x.equal(one), one, zero),
                    |a, b| T::of(f64::from(a == b || a == T::ONE)),
                ),
            ];
            for (name, result, expected) in cases {
                let mut out = vec![T::ZERO; lanes];
                result.store(&mut out);
                for ((&out, &a), &b) in out.iter().zip(&a).zip(&b) {
                    let expected = expected(black_box(a), b);
                    let same = out == expected
                        && out.wide().is_sign_positive() == expected.wide().is_sign_positive();
                    let nan = expected.wide().is_nan() && out.wide().is_nan();
                    assert!(
                        same || nan,
                        "{name}({a}, {b}) at {:?}: {out}, not {expected}",
                        S::LEVEL
                    );
                }
            }
            assert_eq!(T::Vector::<S>::any(x.lt(y)), a.iter().zip(&b).any(|(a, b)| a < b));
        }
    }
}

#[test]
fn operations_agree_with_scalars_at_every_level() {
    for level in Level::available() {
        dispatch_at(level, Operations::<f32>(std::marker::PhantomData));
        dispatch_at(level, Operations::<f64>(std::marker::PhantomData));
    }
}

struct Others<T>(std::marker::PhantomData<T>);

impl<T: Element> Kernel for Others<T> {
    type Output = ();

    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        let counted: Vec<T> = (1..=lanes).map(|i| T::of(i as f64)).collect();
        let x = s.load::<T>(&counted);
        assert_eq!(x.sum().wide(), (lanes * (lanes + 1) / 2) as f64);
        assert_eq!((-x).largest().wide(), -1.);
        assert_eq!(x.largest().wide(), lanes as f64);
        let first = |v: T::Vector<S>| {
            let mut out = [T::ZERO; 1];
            v.store(&mut out);
            out[0].wide()
        };
        let c = |value: f64| s.constant::<T>(value);
        assert_eq!(first(c(3.).mul_add(c(4.), c(5.))), 17.);
        assert_eq!(first(c(3.).neg_mul_add(c(4.), c(5.))), -7.);
        // Powers of two from far below the normal range to far above it, rounded once.
        for (value, n) in [
            (1., 3.),
            (1.5, -140.),
            (1.75, 127.),
            (1., 128.),
            (1.25, -149.),
            (0., 100.),
            (-3., -5.),
        ] {
            assert_eq!(
                first(c(value).scale(c(n))),
                T::of(value * 2f64.powf(n)).wide(),
                "{value}·2^{n}"
            );
        }
        // A tail is filled with zeros, and nothing is written past it.
        for length in 0..=lanes + 1 {
            let source = vec![T::ONE; length];
            let x = s.load::<T>(&source);
            assert_eq!(x.sum().wide(), length.min(lanes) as f64);
            let mut out = vec![T::ZERO; length];
            (x + x).store(&mut out);
            assert!(
                out.iter().take(lanes).all(|x| x.wide() == 2.)
                    && out.iter().skip(lanes).all(|x| x.wide() == 0.)
            );
        }
        let from: Vec<T> = (0..lanes * (lanes + 3)).map(|i| T::of(i as f64)).collect();
        let mut to = vec![T::ZERO; lanes * (lanes + 1)];
        // SAFETY: `lanes` rows, of lanes + 3 and lanes + 1 elements.
        unsafe { T::Vector::<S>::transpose(s, from.as_ptr(), lanes + 3, to.as_mut_ptr(), lanes + 1) };
        for (i, &x) in to.iter().enumerate() {
            let (row, col) = (i / (lanes + 1), i % (lanes + 1));
            assert_eq!(
                x,
                if col < lanes {
                    from[col * (lanes + 3) + row]
                } else {
                    T::ZERO
                }
            );
        }
        let bits = T::Vector::<S>::splat_bits(
            s,
            if size_of::<T>() == 4 {
                0x3f80_0000
            } else {
                0x3ff0_0000_0000_0000
            },
        );
        assert_eq!(first(bits), 1.);
        assert_eq!(first((bits.shr(3)).shl(3) ^ bits), 0.);
        assert_eq!(first(bits & c(-0.)), 0.);
    }
}

#[test]
fn sums_tails_and_bits_at_every_level() {
    for level in Level::available() {
        dispatch_at(level, Others::<f32>(std::marker::PhantomData));
        dispatch_at(level, Others::<f64>(std::marker::PhantomData));
    }
}

#[test]
fn levels_can_be_forced_and_unknown_ones_are_portable() {
    struct Which;
    impl Kernel for Which {
        type Output = Level;
        fn run<S: Simd>(self, _: S) -> Level {
            S::LEVEL
        }
    }
    for level in Level::available() {
        assert_eq!(with_level(level, || dispatch(Which)), level);
        assert_eq!(dispatch_at(level, Which), level);
    }
    for level in [Level::Neon, Level::Avx2, Level::Avx512] {
        if !Level::available().any(|available| available == level) {
            assert_eq!(with_level(level, || dispatch(Which)), Level::Portable);
            assert_eq!(dispatch_at(level, Which), Level::Portable);
        }
    }
}
