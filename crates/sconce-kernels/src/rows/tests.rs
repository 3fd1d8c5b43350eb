use super::*;
use crate::parallel::tests::with_any_threads;
use crate::simd::{Level, with_level};

fn values<T: Element>(count: usize, seed: usize) -> Vec<T> {
    (0..count)
        .map(|i| {
            let bits = ((i + seed * 1_000_003) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            T::of((bits >> 40) as f64 / f64::from(1 << 22) - 2.)
        })
        .collect()
}

fn assert_near<T: Element>(got: &[T], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len());
    let unit = if size_of::<T>() == 4 { 6e-8 } else { 1.2e-16 };
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = (got.wide() - expected).abs() <= tolerance * unit * (1. + expected.abs());
        assert!(
            near || got.wide().is_nan() && expected.is_nan(),
            "{what}, element {i}: {got}, not {expected}"
        );
    }
}

fn wide<T: Element>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.wide()).collect()
}

/// Each row of the inputs through a plain function.
fn by_rows<const N: usize>(
    cols: usize,
    inputs: [&[f64]; N],
    f: impl Fn([&[f64]; N]) -> Vec<f64>,
) -> Vec<f64> {
    if cols == 0 {
        return Vec::new();
    }
    (0..inputs[0].len() / cols)
        .flat_map(|i| f(inputs.map(|x| &x[i * cols..][..cols])))
        .collect()
}

const SHAPES: [(usize, usize); 8] = [
    (0, 3),
    (1, 1),
    (3, 7),
    (5, 64),
    (9, 65),
    (2, 1000),
    (130, 700),
    (3, 40_001),
];

fn check_softmax<T: Element>() {
    for (rows, cols) in SHAPES {
        let (x, dy) = (values::<T>(rows * cols, 3), values::<T>(rows * cols, 8));
        let what = format!("{rows}×{cols} at {:?}", crate::simd::level());
        // The definitions' own plain sums are less accurate in long rows.
        let slack = 10. + cols as f64 / 100.;
        let y = softmax(&x, cols);
        let exact = by_rows(cols, [&wide(&x)], |[x]| {
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            x.iter().map(|x| x.exp() / sum).collect()
        });
        assert_near(&y, &exact, slack, &what);
        let dx = softmax_backward(&y, &dy, cols);
        let exact = by_rows(cols, [&wide(&y), &wide(&dy)], |[y, dy]| {
            let dot: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
            y.iter().zip(dy).map(|(y, dy)| y * (dy - dot)).collect()
        });
        assert_near(&dx, &exact, slack, &what);

        let y = log_softmax(&x, cols);
        let exact = by_rows(cols, [&wide(&x)], |[x]| {
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            x.iter().map(|x| x - sum.ln()).collect()
        });
        assert_near(&y, &exact, slack, &what);
        let dx = log_softmax_backward(&y, &dy, cols);
        let exact = by_rows(cols, [&wide(&y), &wide(&dy)], |[y, dy]| {
            let sum: f64 = dy.iter().sum();
            y.iter().zip(dy).map(|(y, dy)| dy - y.exp() * sum).collect()
        });
        assert_near(&dx, &exact, 100. + slack, &what);
    }
}

fn check_layer_norm<T: Element>() {
    for (rows, cols) in SHAPES {
        let (x, dy) = (values::<T>(rows * cols, 3), values::<T>(rows * cols, 8));
        let (weight, bias) = (values::<T>(cols, 1), values::<T>(cols, 2));
        let what = format!("{rows}×{cols} at {:?}", crate::simd::level());
        let eps = 1e-3;
        for (weight, bias) in [
            (None, None),
            (Some(&weight), None),
            (None, Some(&bias)),
            (Some(&weight), Some(&bias)),
        ] {
            let (weight, bias) = (weight.map(Vec::as_slice), bias.map(Vec::as_slice));
            let LayerNorm { y, mean, rstd } = layer_norm(&x, cols, weight, bias, eps);
            let w = weight.map_or(vec![1.; cols], wide);
            let b = bias.map_or(vec![0.; cols], wide);
            let n = cols as f64;
            let normalise = |x: &[f64]| {
                let mean = x.iter().sum::<f64>() / n;
                let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
                let rstd = 1. / (var + eps).sqrt();
                (x.iter().map(|x| (x - mean) * rstd).collect::<Vec<_>>(), rstd)
            };
            let exact = by_rows(cols, [&wide(&x)], |[x]| {
                let (x, _) = normalise(x);
                (0..cols).map(|j| x[j] * w[j] + b[j]).collect()
            });
            // The definition's own plain sums are less accurate in long rows.
            let slack = cols as f64 / 10.;
            assert_near(&y, &exact, 30. + slack, &what);

            let backward = |wanted| layer_norm_backward(wanted, &dy, &x, cols, weight, &mean, &rstd);
            let both = backward((true, true));
            let (dx, (dw, db)) = (both.dx.clone().unwrap(), both.parameters.clone().unwrap());
            let exact = by_rows(cols, [&wide(&x), &wide(&dy)], |[x, dy]| {
                let (x, rstd) = normalise(x);
                let g: Vec<f64> = dy.iter().zip(&w).map(|(dy, w)| dy * w).collect();
                let mean = g.iter().sum::<f64>() / n;
                let dot = g.iter().zip(&x).map(|(g, x)| g * x).sum::<f64>() / n;
                (0..cols).map(|j| rstd * (g[j] - mean - x[j] * dot)).collect()
            });
            assert_near(&dx, &exact, 100. + slack, &what);
            assert!(cols != 1 || dx.iter().all(|&dx| dx == T::ZERO));
            let (mut exact_w, mut exact_b) = (vec![0.; cols], vec![0.; cols]);
            by_rows(cols, [&wide(&x), &wide(&dy)], |[x, dy]| {
                let (x, _) = normalise(x);
                x.iter().zip(dy).map(|(x, dy)| x * dy).collect()
            })
            .iter()
            .enumerate()
            .for_each(|(i, x)| exact_w[i % cols] += x);
            dy.iter()
                .enumerate()
                .for_each(|(i, dy)| exact_b[i % cols] += dy.wide());
            assert_near(&dw, &exact_w, 300., &what);
            assert_near(&db, &exact_b, 300., &what);

            // Each alone is the same.
            let (input, parameters) = (backward((true, false)), backward((false, true)));
            assert_eq!((input.dx, input.parameters), (both.dx, None), "{what}");
            assert_eq!(
                (parameters.dx, parameters.parameters),
                (None, both.parameters),
                "{what}"
            );
        }
    }
}

const AXES: [(usize, usize, usize); 9] = [
    (0, 3, 4),
    (1, 1, 1),
    (4, 3, 1),
    (70, 2000, 1),
    (5, 7, 9),
    (40, 3, 900),
    (2, 5, 0),
    (2, 0, 5),
    (9000, 8, 1),
];

fn check_channels<T: Element>() {
    for (n, c, p) in AXES {
        let (x, dy) = (values::<T>(n * c * p, 3), values::<T>(n * c * p, 8));
        let what = format!("{n}×{c}×{p} at {:?}", crate::simd::level());
        let (mut mean, mut var) = (vec![T::ZERO; c], vec![T::ZERO; c]);
        channel_moments(&x, (n, c, p), &mut mean, &mut var);
        let of = |data: &[T], channel: usize| -> Vec<f64> {
            (0..n * p)
                .map(|i| data[(i / p * c + channel) * p + i % p].wide())
                .collect()
        };
        let count = (n * p) as f64;
        let exact: Vec<f64> = (0..c)
            .map(|channel| of(&x, channel).iter().sum::<f64>() / count)
            .collect();
        // The definition's own plain sums are less accurate over many values.
        let slack = 10. + count / 100.;
        assert_near(&mean, &exact, slack, &what);
        let exact: Vec<f64> = (0..c)
            .map(|channel| {
                of(&x, channel)
                    .iter()
                    .map(|x| (x - exact[channel]).powi(2))
                    .sum::<f64>()
                    / count
            })
            .collect();
        assert_near(&var, &exact, 2. * slack, &what);

        if n * p == 0 {
            mean.fill(T::ZERO);
        }
        let (mut sum, mut product) = (vec![T::ONE; c], vec![T::ONE; c]);
        channel_sums(&dy, &x, &mean, (n, c, p), &mut sum, &mut product);
        let exact: Vec<f64> = (0..c).map(|channel| of(&dy, channel).iter().sum()).collect();
        assert_near(&sum, &exact, 100. + count, &what);
        let exact: Vec<f64> = (0..c)
            .map(|i| {
                of(&dy, i)
                    .iter()
                    .zip(of(&x, i))
                    .map(|(dy, x)| dy * (x - mean[i].wide()))
                    .sum()
            })
            .collect();
        assert_near(&product, &exact, 100. + count, &what);
    }
}

fn check_channel_maps<T: Element>() {
    for (n, c, p) in AXES {
        let (x, dy) = (values::<T>(n * c * p, 3), values::<T>(n * c * p, 8));
        let constants: [Vec<T>; 4] = std::array::from_fn(|i| values(c, i));
        let what = format!("{n}×{c}×{p} at {:?}", crate::simd::level());
        let exact = |f: &dyn Fn(f64, f64, [f64; 4]) -> f64| -> Vec<f64> {
            let of = |i: usize| constants.each_ref().map(|all| all[i / p % c].wide());
            (0..n * c * p)
                .map(|i| f(x[i].wide(), dy[i].wide(), of(i)))
                .collect()
        };
        let [a, b, c, d] = &constants;
        let y = channel_affine(&x, (n, a.len(), p), a, b, c);
        assert_near(&y, &exact(&|x, _, [a, b, c, _]| (x - a) * b + c), 10., &what);
        let dx = channel_affine_backward(&dy, &x, (n, a.len(), p), a, b, c, d);
        let gradient = exact(&|x, dy, [a, b, c, d]| b * (dy - c - d * (x - a)));
        assert_near(&dx, &gradient, 50., &what);
    }
}

#[test]
fn everything_agrees_with_its_definition_at_every_level() {
    for level in Level::available() {
        with_level(level, || {
            check_softmax::<f32>();
            check_softmax::<f64>();
            check_layer_norm::<f32>();
            check_layer_norm::<f64>();
            check_channels::<f32>();
            check_channels::<f64>();
            check_channel_maps::<f32>();
            check_channel_maps::<f64>();
        });
    }
}

#[test]
fn softmax_of_special_rows_is_pytorchs() {
    use std::f32::consts::LN_2;
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let rows: [([f32; 3], [f32; 3], [f32; 3]); 6] = [
        ([0., -inf, 0.], [0.5, 0., 0.5], [-LN_2, -inf, -LN_2]),
        ([-inf; 3], [nan; 3], [nan; 3]),
        ([0., nan, 1.], [nan; 3], [nan; 3]),
        ([inf, 0., 1.], [nan, 0., 0.], [nan, -inf, -inf]),
        ([1e30, -1e30, 1e30], [0.5, 0., 0.5], [-LN_2, -2e30, -LN_2]),
        ([-200., -100., -300.], [0., 1., 0.], [-100., 0., -200.]),
    ];
    for level in Level::available() {
        for (x, soft, log) in rows {
            let (y, l) = with_level(level, || (softmax(&x, 3), log_softmax(&x, 3)));
            // Beside +∞ PyTorch's values differ from build to build; what must be NaN is +∞'s own place.
            let compared = if x.contains(&inf) { 1 } else { 3 };
            for (got, expected) in y.iter().zip(&soft).chain(l.iter().zip(&log)).take(6) {
                let same =
                    got == expected || got.is_nan() && expected.is_nan() || (got - expected).abs() < 1e-6;
                assert!(same || compared == 1 && got.is_nan(), "{x:?}: {y:?} {l:?}");
            }
        }
    }
}

#[test]
fn a_large_mean_costs_no_accuracy() {
    // Deviations of 0, ±0.25 and ±0.5 about 10 000: exact in f32.
    let x: Vec<f32> = (0..5000).map(|i| 1e4 + (i % 5) as f32 * 0.25 - 0.5).collect();
    for level in Level::available() {
        let (mut mean, mut var) = ([0.; 5], [0.; 5]);
        with_level(level, || moments(&x, 1000, &mut mean, &mut var));
        assert!(
            mean.iter().all(|&m| m == 1e4) && var.iter().all(|v| (v - 0.125).abs() < 1e-7),
            "{mean:?} {var:?}"
        );
        for axes in [(1000, 5, 1), (200, 5, 5), (5, 1, 1000)] {
            let (mut mean, mut var) = (vec![0.; axes.1], vec![0.; axes.1]);
            with_level(level, || channel_moments(&x, axes, &mut mean, &mut var));
            let exact = if axes.2 == 1 { 0. } else { 0.125 };
            assert!(var.iter().all(|v| (v - exact).abs() < 1e-6), "{axes:?} {var:?}");
        }
    }
}

#[test]
fn bits_dont_depend_on_threads() {
    let (rows, cols) = (513, 300);
    let (x, dy) = (values::<f32>(rows * cols, 3), values::<f32>(rows * cols, 8));
    with_any_threads(|| {
        let normed = layer_norm(&x, cols, None, None, 1e-5);
        let gradients = layer_norm_backward((true, true), &dy, &x, cols, None, &normed.mean, &normed.rstd);
        let soft = softmax(&x, cols);
        let (mut m, mut v, mut s, mut p) = (vec![0.; cols], vec![0.; cols], vec![0.; cols], vec![0.; cols]);
        channel_moments(&x, (rows, cols, 1), &mut m, &mut v);
        channel_sums(&dy, &x, &m, (rows, cols, 1), &mut s, &mut p);
        (normed, gradients, soft, [m, v, s, p])
    });
}
