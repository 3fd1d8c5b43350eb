//! Norms against the formula, in every type and layout; what is clipped and what is refused.

use super::*;
use candle_core::Device;
use proptest::prelude::*;
use sconce_testkit::Random;
use sconce_testkit::property::{check_same_bits, check_thread_independence};

const ORDERS: [f64; 5] = [1., 2., 3.5, 0.5, f64::INFINITY];

fn gradients(sizes: &[usize], dtype: DType) -> Gradients {
    let mut random = Random::new(7);
    let named = sizes.iter().enumerate().map(|(i, &size)| {
        let tensor = random.normal(size, dtype).unwrap();
        (format!("p{i}"), tensor)
    });
    Gradients::from_tensors(named.collect::<Vec<_>>(), []).unwrap()
}

fn values(gradients: &Gradients) -> Vec<f64> {
    let flat = |g: &Tensor| {
        g.flatten_all()
            .unwrap()
            .to_dtype(DType::F64)
            .unwrap()
            .to_vec1::<f64>()
            .unwrap()
    };
    gradients.iter().flat_map(|(_, g)| flat(g)).collect()
}

fn norm(values: &[f64], p: f64) -> f64 {
    let sizes = values.iter().map(|x| x.abs());
    match p.is_infinite() {
        true => sizes.fold(0., f64::max),
        false => sizes.map(|x| x.powf(p)).sum::<f64>().powf(1. / p),
    }
}

fn config(max_norm: f64, norm_type: f64) -> ClipGradNormConfig {
    ClipGradNormConfig {
        norm_type,
        ..ClipGradNormConfig::new(max_norm)
    }
}

#[test]
fn norms_are_those_of_the_formula() {
    for (dtype, bound) in [
        (DType::F64, 1e-13),
        (DType::F32, 1e-6),
        (DType::BF16, 1e-6),
        (DType::F16, 1e-6),
    ] {
        for sizes in [&[3, 1, 17][..], &[100_000, 5, 70_000, 3000], &[]] {
            for p in ORDERS {
                let gradients = gradients(sizes, dtype);
                let (ours, expected) = (grad_norm(&gradients, p).unwrap(), norm(&values(&gradients), p));
                assert!(
                    (ours - expected).abs() <= bound * expected,
                    "{dtype:?} {p}: {ours}, {expected}"
                );
            }
        }
    }
}

#[test]
fn what_is_too_long_is_scaled_and_what_is_not_is_left() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        for p in ORDERS {
            let mut gradients = gradients(&[4, 80_000, 9], dtype);
            let before = values(&gradients);
            let length = norm(&before, p);
            assert!(clip_grad_norm(&mut gradients, &config(length * 1.1, p)).unwrap() > 0.);
            assert_eq!(values(&gradients), before);
            let told = clip_grad_norm(&mut gradients, &config(length / 3., p)).unwrap();
            assert!((told - length).abs() <= 1e-6 * length);
            let factor = length / 3. / (length + 1e-6);
            let bound = if dtype == DType::BF16 { 1e-2 } else { 1e-6 };
            for (after, before) in values(&gradients).iter().zip(&before) {
                assert!((after - before * factor).abs() <= bound * (before * factor).abs());
            }
        }
    }
}

#[test]
fn values_are_brought_into_their_range() {
    for dtype in [DType::F64, DType::F32, DType::F16] {
        let mut gradients = gradients(&[4, 80_000, 9], dtype);
        let before = values(&gradients);
        clip_grad_value(&mut gradients, 0.5).unwrap();
        for (after, before) in values(&gradients).iter().zip(&before) {
            assert_eq!(*after, before.clamp(-0.5, 0.5));
        }
    }
}

/// In `f32` the squares of these are infinite, or 0.
#[test]
fn no_square_overflows_or_vanishes() {
    for value in [1e30f32, 1e-30, 3e-39] {
        let g = Tensor::full(value, 40_000, &Device::Cpu).unwrap();
        let gradients = Gradients::from_tensors([("w".to_string(), g)], []).unwrap();
        let (ours, expected) = (grad_norm(&gradients, 2.).unwrap(), f64::from(value) * 200.);
        assert!((ours - expected).abs() <= 1e-9 * expected, "{ours}, {expected}");
    }
}

#[test]
fn what_is_not_finite_is_passed_on_as_in_pytorch_or_refused_by_name() {
    let make = |value: f32| {
        let bad = Tensor::new(&[[1f32, 2.], [value, 4.]], &Device::Cpu).unwrap();
        let good = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        Gradients::from_tensors([("good".to_string(), good), ("bad".to_string(), bad)], []).unwrap()
    };
    for p in ORDERS {
        let mut gradients = make(f32::INFINITY);
        assert_eq!(
            clip_grad_norm(&mut gradients, &config(1., p)).unwrap(),
            f64::INFINITY
        );
        let after = values(&gradients);
        assert!(after[3].is_nan() && after[0] == 0. && after[4] == 0.);
        let mut gradients = make(f32::NAN);
        assert!(clip_grad_norm(&mut gradients, &config(1., p)).unwrap().is_nan());
        assert!(values(&gradients).iter().all(|x| x.is_nan()));

        let mut gradients = make(f32::NAN);
        let strict = ClipGradNormConfig {
            error_if_nonfinite: true,
            ..config(1., p)
        };
        let error = clip_grad_norm(&mut gradients, &strict).unwrap_err().to_string();
        assert_eq!(
            error,
            "bad (clip_grad_norm): gradient is NaN at [1, 0], expected finite numbers"
        );
        assert_eq!(values(&gradients)[0], 1.);
    }
    let mut gradients = make(f32::NAN);
    clip_grad_value(&mut gradients, 3.).unwrap();
    let after = values(&gradients);
    assert!(after[3].is_nan() && after[4] == 3.);
}

#[test]
fn bad_options_are_named() {
    let mut gradients = gradients(&[3], DType::F32);
    for (cfg, words) in [
        (config(-1., 2.), "clip_grad_norm: max_norm is -1"),
        (config(f64::NAN, 2.), "clip_grad_norm: max_norm is NaN"),
        (config(1., 0.), "clip_grad_norm: norm_type is 0"),
        (config(1., f64::NAN), "clip_grad_norm: norm_type is NaN"),
    ] {
        let error = clip_grad_norm(&mut gradients, &cfg).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    for value in [-1., f64::NAN] {
        let error = clip_grad_value(&mut gradients, value).unwrap_err().to_string();
        assert!(error.starts_with("clip_grad_value: clip_value is"), "{error}");
    }
}

/// A tensor that others hold too isn't changed under their hands.
#[test]
fn what_others_hold_stays() {
    let shared = Tensor::new(&[3f64, 4.], &Device::Cpu).unwrap();
    let named = [
        ("a".to_string(), shared.clone()),
        ("b".to_string(), shared.clone()),
    ];
    let mut gradients = Gradients::from_tensors(named, []).unwrap();
    clip_grad_norm(&mut gradients, &config(1., 2.)).unwrap();
    assert_eq!(shared.to_vec1::<f64>().unwrap(), [3., 4.]);
    assert!((norm(&values(&gradients), 2.) - 1.).abs() < 1e-6);
}

#[test]
fn strided_and_empty_gradients_are_clipped_too() {
    let x = Random::new(3).normal((50, 40), DType::F32).unwrap();
    let named = || {
        [
            ("a".to_string(), x.t().unwrap()),
            (
                "b".to_string(),
                Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap(),
            ),
        ]
    };
    let mut gradients = Gradients::from_tensors(named(), []).unwrap();
    let before = values(&gradients);
    assert!((clip_grad_norm(&mut gradients, &config(1., 2.)).unwrap() - norm(&before, 2.)).abs() < 1e-4);
    assert_eq!(gradients.get("a").unwrap().dims(), [40, 50]);
    assert_eq!(gradients.get("b").unwrap().dims(), [0, 3]);
}

#[test]
fn whole_numbers_are_refused() {
    let whole = || {
        [(
            "a".to_string(),
            Tensor::ones(3, DType::I64, &Device::Cpu).unwrap(),
        )]
    };
    let mut gradients = Gradients::from_tensors(whole(), []).unwrap();
    let error = clip_grad_value(&mut gradients, 0.5).unwrap_err().to_string();
    assert!(
        error.contains("a: gradient has dtype I64, expected floating-point numbers"),
        "{error}"
    );
}

#[test]
fn threads_change_no_bit() {
    let run = || {
        let mut gradients = gradients(&[200_000, 3, 30_000, 5000, 70_000], DType::F32);
        let told = clip_grad_norm(&mut gradients, &config(1., 2.)).unwrap();
        let told = Tensor::new(told, &Device::Cpu).unwrap();
        let all: Vec<Tensor> = gradients.iter().map(|(_, g)| g.clone()).chain([told]).collect();
        Ok(all)
    };
    check_thread_independence(run).unwrap();
    let (a, b) = (run().unwrap(), run().unwrap());
    for (a, b) in a.iter().zip(&b) {
        check_same_bits("a gradient", a, b).unwrap();
    }
}

proptest! {
    /// Whatever the sizes, no norm is above the bound afterwards.
    #[test]
    fn no_norm_is_above_the_bound(sizes in prop::collection::vec(0usize..200_000, 0..5), max in 1e-3f64..10., i in 0usize..5) {
        let mut gradients = gradients(&sizes, DType::F32);
        let before = clip_grad_norm(&mut gradients, &config(max, ORDERS[i])).unwrap();
        let after = grad_norm(&gradients, ORDERS[i]).unwrap();
        prop_assert!(after <= max * (1. + 1e-5) || after == before);
        prop_assert!(after <= before);
    }
}
