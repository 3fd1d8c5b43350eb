use super::*;
use crate::parallel::tests::with_any_threads;
use crate::simd::{Level, Simd, with_level};
use proptest::prelude::*;
use std::ops::Range;

fn values<T: Element>(count: usize, seed: usize) -> Vec<T> {
    (0..count)
        .map(|i| {
            let bits = ((i + seed * 1_000_003) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            T::of((bits >> 40) as f64 / f64::from(1 << 23) - 1.)
        })
        .collect()
}

/// What the definition says, in `f64`.
fn naive<T: Element>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<f64> {
    let element = |i: usize, j: usize| (0..a.cols()).map(|p| a.at(i, p).wide() * b.at(p, j).wide()).sum();
    (0..a.rows() * b.cols())
        .map(|i| element(i / b.cols(), i % b.cols()))
        .collect()
}

fn assert_near<T: Element>(got: &[T], expected: &[f64], k: usize, what: &str) {
    // Each of k roundings is relative to a partial sum, which stays below 100 here, and they don't all go one way.
    let tolerance = 4. * (k + 10) as f64 * if size_of::<T>() == 4 { 6e-8 } else { 1.2e-16 };
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (got.wide() - expected).abs() <= tolerance,
            "{what}, element {i}: {got}, not {expected}"
        );
    }
}

/// A matrix as a [`PackRhs`], which leaves rubbish beyond its columns.
struct Lazy<'a, T>(MatRef<'a, T>);

impl<T: Element> PackRhs<T> for Lazy<'_, T> {
    fn rows(&self) -> usize {
        self.0.rows()
    }
    fn cols(&self) -> usize {
        self.0.cols()
    }
    fn pack(&self, k: Range<usize>, n: Range<usize>, width: usize, panel: &mut [T]) {
        panel.fill(T::of(f64::NAN));
        for (p, row) in k.zip(panel.chunks_exact_mut(width)) {
            for (out, j) in row.iter_mut().zip(n.clone()) {
                *out = self.0.at(p, j);
            }
        }
    }
}

/// All ways to give the operands, all epilogues, one shape, the level that is forced.
fn check<T: Element>(m: usize, k: usize, n: usize) {
    let (a, b) = (values::<T>(m * k, 1), values::<T>(k * n, 7));
    let (lead_a, lead_b, lead_c) = (k + 3, n + 2, n + 5);
    let (wide_a, wide_b) = (values::<T>(m * lead_a, 3), values::<T>(k * lead_b, 11));
    let lefts = [
        MatRef::new(&a, m, k),
        MatRef::new(&a, k, m).t(),
        MatRef::strided(&wide_a, m, k, lead_a, 1),
    ];
    let rights = [
        MatRef::new(&b, k, n),
        MatRef::new(&b, n, k).t(),
        MatRef::strided(&wide_b, k, n, lead_b, 1),
    ];
    let (rows, cols) = (values::<T>(m, 5), values::<T>(n, 9));
    for (i, left) in lefts.into_iter().enumerate() {
        let right = rights[(i + m + n) % 3];
        let what = format!("{m}×{k}×{n}, left {i} at {:?}", simd::level());
        let exact = naive(left, right);
        let packed = Packed::new(right);
        let mut c = vec![T::of(f64::NAN); m * n];
        product(MatMut::new(&mut c, m, n), left, &packed, &Plain);
        assert_near(&c, &exact, k, &what);
        let plain = c.clone();

        // The same bits however the right operand comes, except where the sum is split.
        c.fill(T::of(f64::NAN));
        product_serial(MatMut::new(&mut c, m, n), left, &right, &Plain);
        assert_eq!(c, plain, "{what}: a matrix on the right");
        c.fill(T::of(f64::NAN));
        product_serial(MatMut::new(&mut c, m, n), left, &Right(&Lazy(right)), &Plain);
        assert_eq!(c, plain, "{what}: a packer on the right");
        assert_eq!(product_vec(left, &packed, &Plain), plain, "{what}: a new vector");
        assert_eq!(
            product_vec(left, &packed, &Accumulate),
            plain,
            "{what}: a new vector, added to"
        );
        assert_near(&product_vec(left, &right, &Plain), &exact, k, &what);

        // Into a wider matrix, whose other columns stay as they are.
        let mut wide = values::<T>(m * lead_c, 2);
        let before = wide.clone();
        product(
            MatMut::strided(&mut wide, m, n, lead_c),
            left,
            &packed,
            &Accumulate,
        );
        for i in 0..m {
            let expected: Vec<f64> = (0..n)
                .map(|j| before[i * lead_c + j].wide() + exact[i * n + j])
                .collect();
            assert_near(&wide[i * lead_c..][..n], &expected, k + 2, &what);
            let rest = i * lead_c + n..((i + 1) * lead_c);
            assert_eq!(wide[rest.clone()], before[rest], "{what}: wrote past its columns");
        }

        let bias = |f: &dyn Fn(usize, usize, f64) -> f64| -> Vec<f64> {
            (0..m * n).map(|i| f(i / n, i % n, exact[i])).collect()
        };
        product(MatMut::new(&mut c, m, n), left, &packed, &Columns(&cols));
        assert_near(&c, &bias(&|_, j, x| x + cols[j].wide()), k + 2, &what);
        product(MatMut::new(&mut c, m, n), left, &right, &RowBias(&rows));
        assert_near(&c, &bias(&|i, _, x| x + rows[i].wide()), k + 2, &what);
        product(
            MatMut::new(&mut c, m, n),
            left,
            &right,
            &Activate::<_, Relu>::new(Columns(&cols)),
        );
        assert_near(&c, &bias(&|_, j, x| (x + cols[j].wide()).max(0.)), k + 2, &what);
        product(
            MatMut::new(&mut c, m, n),
            left,
            &packed,
            &Activate::<_, Tanh>::new(RowBias(&rows)),
        );
        assert_near(&c, &bias(&|i, _, x| (x + rows[i].wide()).tanh()), k + 4, &what);
    }
}

#[test]
fn agrees_with_the_definition_at_every_level() {
    let shapes = [
        (1, 1, 1),
        (3, 0, 5),
        (0, 4, 4),
        (4, 4, 0),
        (1, 7, 33),
        (2, 5, 16),
        (5, 3, 31),
        (6, 25, 300),
        (11, 9, 65),
        (12, 16, 32),
        (13, 17, 47),
        (25, 130, 97),
        (250, 12, 40),
        (24, 400, 70),
        (37, 1024, 36),
        (7, 2049, 5),
        (100, 2100, 100),
    ];
    for level in Level::available() {
        with_level(level, || {
            for (m, k, n) in shapes {
                check::<f32>(m, k, n);
                check::<f64>(m, k, n);
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_definition_on_any_shape(m in 0usize..40, k in 0usize..60, n in 0usize..80) {
        for level in Level::available() {
            with_level(level, || {
                check::<f32>(m, k, n);
                check::<f64>(m, k, n);
            });
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_rows() {
    for (m, k, n) in [(100, 300, 200), (700, 500, 96), (24, 40_000, 30), (32, 1024, 256)] {
        let (a, b) = (values::<f32>(m * k, 1), values::<f32>(k * n, 2));
        let (a, b) = (MatRef::new(&a, m, k), MatRef::new(&b, k, n));
        let run = |a: MatRef<'_, f32>| {
            let mut c = vec![0.; a.rows() * n];
            product(MatMut::new(&mut c, a.rows(), n), a, &b, &Plain);
            c
        };
        let all = with_any_threads(|| run(a));
        let packed = Packed::new(b);
        let with_packed = with_any_threads(|| {
            let mut c = vec![0.; m * n];
            product(MatMut::new(&mut c, m, n), a, &packed, &Plain);
            c
        });
        if k < 2048 {
            assert_eq!(all, with_packed);
            let first = MatRef::strided(a.from(0, 0), 1, k, k, 1);
            assert_eq!(run(first), all[..n], "one row alone");
        }
    }
}

#[test]
fn own_epilogues_see_their_places() {
    struct Place;
    impl Epilogue<f64> for Place {
        const IDENTITY: bool = false;
        fn start(&self) -> Start<'_, f64> {
            Start::Zero
        }
        fn apply<S: Simd>(&self, s: S, row: usize, col: usize, _: S::F64) -> S::F64 {
            let lanes: Vec<f64> = (0..s.lanes::<f64>())
                .map(|lane| (1000 * row + col + lane) as f64)
                .collect();
            s.load::<f64>(&lanes)
        }
    }
    for level in Level::available() {
        let (m, k, n) = (300, 500, 131);
        let (a, b) = (values::<f64>(m * k, 1), values::<f64>(k * n, 2));
        let mut c = vec![0.; m * n];
        with_level(level, || {
            product(
                MatMut::new(&mut c, m, n),
                MatRef::new(&a, m, k),
                &MatRef::new(&b, k, n),
                &Place,
            );
        });
        assert!(
            c.iter()
                .enumerate()
                .all(|(i, &c)| c == (1000 * (i / n) + i % n) as f64)
        );
    }
}

#[test]
fn activations_are_what_they_say() {
    let x: Vec<f64> = (-40..=40).map(|i| f64::from(i) * 0.2).chain([f64::NAN]).collect();
    fn apply<F: Activation>(x: &[f64]) -> Vec<f64> {
        let mut c = vec![0.; x.len()];
        product(
            MatMut::new(&mut c, 1, x.len()),
            MatRef::new(&[1.], 1, 1),
            &MatRef::new(x, 1, x.len()),
            &Activate::<_, F>::new(Plain),
        );
        c
    }
    let scale = (2. / std::f64::consts::PI).sqrt();
    type Case<'a> = (Vec<f64>, &'a dyn Fn(f64) -> f64);
    let cases: [Case<'_>; 5] = [
        (apply::<Relu>(&x), &|x| if x < 0. { 0. } else { x }),
        (apply::<Sigmoid>(&x), &|x| 1. / (1. + (-x).exp())),
        (apply::<Tanh>(&x), &f64::tanh),
        (apply::<Gelu>(&x), &|x| {
            0.5 * x * (1. + crate::math::erf_f64(x / 2f64.sqrt()))
        }),
        (apply::<GeluTanh>(&x), &|x| {
            0.5 * x * (1. + (scale * (x + 0.044715 * x * x * x)).tanh())
        }),
    ];
    for (got, expected) in cases {
        for (&x, got) in x.iter().zip(got) {
            let expected = expected(x);
            assert!(
                (got - expected).abs() < 1e-14 || got.is_nan() && expected.is_nan(),
                "{x}: {got}, {expected}"
            );
        }
    }
}

#[test]
fn batches_are_single_products() {
    for (count, m, k, n) in [
        (0, 2, 3, 4),
        (5, 7, 20, 33),
        (40, 64, 32, 64),
        (3, 0, 2, 2),
        (9, 2, 0, 3),
    ] {
        let (a, b) = (values::<f32>(count * m * k, 1), values::<f32>(count * k * n, 2));
        let at = |i: usize| {
            (
                MatRef::new(&a[i * m * k..], m, k),
                MatRef::strided(&b[i * k * n..], k, n, 1, k.max(1)),
            )
        };
        let batch = with_any_threads(|| {
            let mut c = vec![1f32; count * m * n];
            product_batch(&mut c, (m, n, k), at, &Accumulate);
            c
        });
        for (i, got) in batch.chunks(if m * n == 0 { 1 } else { m * n }).enumerate() {
            let mut c = vec![1f32; m * n];
            let (a, b) = at(i);
            product_serial(MatMut::new(&mut c, m, n), a, &b, &Accumulate);
            assert_eq!(c, got);
        }
    }
}

#[test]
fn packed_matrices_can_be_refilled() {
    let (x, w, v) = (values::<f64>(6, 1), values::<f64>(15, 2), values::<f64>(15, 3));
    let mut packed = Packed::new(MatRef::new(&w, 5, 3).t());
    packed.refill(MatRef::new(&v, 5, 3).t());
    assert_eq!((packed.rows(), packed.cols()), (3, 5));
    let mut y = vec![0.; 10];
    product(MatMut::new(&mut y, 2, 5), MatRef::new(&x, 2, 3), &packed, &Plain);
    assert_near(
        &y,
        &naive(MatRef::new(&x, 2, 3), MatRef::new(&v, 5, 3).t()),
        3,
        "refilled",
    );
}

#[test]
fn wrong_shapes_are_refused() {
    let x = [1f32; 12];
    let refused = |m, k, k2, n, cm, cn| {
        std::panic::catch_unwind(|| {
            let mut c = [0f32; 12];
            product(
                MatMut::new(&mut c, cm, cn),
                MatRef::new(&x, m, k),
                &MatRef::new(&x, k2, n),
                &Plain,
            );
        })
        .is_err()
    };
    assert!(!refused(3, 2, 2, 4, 3, 4));
    assert!(refused(3, 2, 3, 4, 3, 4) && refused(3, 2, 2, 4, 2, 4) && refused(3, 2, 2, 4, 3, 3));
    let mut c = [0f32; 12];
    let biases = [0f32; 3];
    let run = std::panic::AssertUnwindSafe(|| {
        product(
            MatMut::new(&mut c, 3, 4),
            MatRef::new(&x, 3, 2),
            &MatRef::new(&x, 2, 4),
            &Columns(&biases),
        );
    });
    assert!(std::panic::catch_unwind(run).is_err());
}

#[test]
fn shapes_of_no_memory_are_refused() {
    let one = [1f32];
    // A view with strides of 0 has any shape; sizes computed from it would wrap around.
    for (m, k, n) in [(8192, 1 << 52, 1024), (1, 1 << 62, 1), (4, usize::MAX, 4)] {
        let (a, b) = (
            MatRef::strided(&one, m, k, 0, 0),
            MatRef::strided(&one, k, n, 0, 0),
        );
        let refused = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
        assert!(refused(&|| _ = product_vec(a, &b, &Plain)));
        assert!(refused(&|| product(
            MatMut::new(&mut vec![0.; m * n], m, n),
            a,
            &b,
            &Plain
        )));
        assert!(refused(&|| product_serial(
            MatMut::new(&mut vec![0.; m * n], m, n),
            a,
            &b,
            &Plain
        )));
        assert!(refused(&|| _ = Packed::new(b)));
    }
}

#[test]
fn a_bias_of_another_length_is_refused_however_the_sum_is_cut() {
    for k in [3, 300, 3000] {
        let (a, b) = (vec![1f32; 2 * k], vec![1f32; 4 * k]);
        let (a, b) = (MatRef::new(&a, 2, k), MatRef::new(&b, k, 4));
        for biases in [3, 5] {
            let biases = vec![1.; biases];
            assert!(std::panic::catch_unwind(|| product_vec(a, &b, &Columns(&biases))).is_err());
        }
        assert_eq!(product_vec(a, &b, &Columns(&[1.; 4])), [k as f32 + 1.; 8]);
    }
}
