use super::*;
use candle_core::{DType, Device, Var};
use proptest::prelude::*;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// Random targets, of which some are ignored, and options that are all in use.
fn sample(random: &mut Random, rows: usize, classes: usize) -> (Tensor, CrossEntropyConfig) {
    let mut targets = random.indices(rows, classes).unwrap().to_vec1::<i64>().unwrap();
    for target in targets.iter_mut().skip(1).step_by(3) {
        *target = -7;
    }
    let weight = random.uniform(classes, 0.1, 2., DType::F64).unwrap();
    let cfg = CrossEntropyConfig {
        weight: Some(weight),
        ignore_index: -7,
        label_smoothing: 0.2,
    };
    (Tensor::from_vec(targets, rows, &Device::Cpu).unwrap(), cfg)
}

fn checked(x: &Tensor, targets: &Tensor, cfg: &CrossEntropyConfig) -> sconce_core::Result<Rows> {
    Rows::new(NAME, "logits", x, targets, cfg.weight.as_ref(), cfg.ignore_index)
}

#[test]
fn gradients_are_right() {
    let mut random = Random::new(1);
    let x = random.normal((5, 7), DType::F64).unwrap();
    let (targets, all) = sample(&mut random, 5, 7);
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    let plain = CrossEntropyConfig {
        ignore_index: -7,
        ..CrossEntropyConfig::default()
    };
    for cfg in [plain, all] {
        for reduction in REDUCTIONS {
            check.assert(&[("logits", &x)], &[], |t| {
                cross_entropy_with(&t[0], &targets, &cfg, reduction)
            });
        }
    }
    let x = random.normal((2, 3, 2, 2), DType::F64).unwrap();
    let targets = random.indices((2, 2, 2), 3).unwrap();
    for reduction in REDUCTIONS {
        check.assert(&[("logits", &x)], &[], |t| {
            cross_entropy(&t[0], &targets, reduction)
        });
    }
}

/// A distribution over the classes (the second axis, or the only one).
fn distribution(random: &mut Random, shape: &[usize]) -> Tensor {
    let values = random.uniform(shape, 0.1, 1., DType::F64).unwrap();
    let axis = usize::from(shape.len() > 1);
    values.broadcast_div(&values.sum_keepdim(axis).unwrap()).unwrap()
}

#[test]
fn gradients_are_right_for_probabilities() {
    let mut random = Random::new(5);
    for shape in [&[5][..], &[3, 4], &[2, 3, 5], &[2, 3, 1, 2]] {
        let x = random.normal(shape, DType::F64).unwrap();
        let targets = distribution(&mut random, shape);
        let classes = shape[usize::from(shape.len() > 1)];
        let weight = random.uniform(classes, 0.1, 2., DType::F64).unwrap();
        let weighted = CrossEntropyConfig {
            weight: Some(weight),
            label_smoothing: 0.3,
            ..CrossEntropyConfig::default()
        };
        for cfg in [CrossEntropyConfig::default(), weighted] {
            for reduction in REDUCTIONS {
                let check = GradCheck {
                    layouts: Layout::ALL,
                    ..GradCheck::default()
                };
                check.assert(&[("logits", &x), ("targets", &targets)], &[], |t| {
                    cross_entropy_with(&t[0], &t[1], &cfg, reduction)
                });
            }
        }
    }
}

/// Probabilities that are all at one class are that class; and one row is a batch of one.
#[test]
fn ways_to_say_the_same() {
    let mut random = Random::new(6);
    let x = random.normal((3, 4), DType::F64).unwrap();
    let targets = Tensor::new(&[2i64, 0, 3], &Device::Cpu).unwrap();
    let classes = Tensor::arange(0i64, 4, &Device::Cpu).unwrap();
    let one_hot = targets.unsqueeze(1).unwrap().broadcast_eq(&classes).unwrap();
    let one_hot = one_hot.to_dtype(DType::F64).unwrap();
    for label_smoothing in [0., 0.2] {
        let cfg = CrossEntropyConfig {
            label_smoothing,
            ..CrossEntropyConfig::default()
        };
        for reduction in REDUCTIONS {
            let loss = |x: &Tensor, t: &Tensor| cross_entropy_with(x, t, &cfg, reduction).unwrap();
            compare("one-hot", &loss(&x, &one_hot), &loss(&x, &targets), Bound::F64).unwrap();
            for row in 0..3 {
                let of = |t: &Tensor| (t.get(row).unwrap(), t.narrow(0, row, 1).unwrap());
                let ((one_x, x), (one_t, t), (one_p, p)) = (of(&x), of(&targets), of(&one_hot));
                let batch = loss(&x, &t).reshape(()).unwrap();
                compare("one row", &loss(&one_x, &one_t), &batch, Bound::F64).unwrap();
                compare(
                    "one soft row",
                    &loss(&one_x, &one_p),
                    &loss(&x, &p).reshape(()).unwrap(),
                    Bound::F64,
                )
                .unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn kernel_is_composite(
        seed: u64, rows in 1usize..9, classes in 1usize..40, reduction in 0usize..3, options: bool, single: bool,
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let (targets, mut cfg) = sample(&mut random, rows, classes);
        if !options {
            (cfg.weight, cfg.label_smoothing) = (None, 0.);
        }
        let reduction = REDUCTIONS[reduction];
        let x = Var::from_tensor(&(random.normal((rows, classes), dtype)? * 5.)?)?;
        let oracle = composite::cross_entropy(&x, &checked(&x, &targets, &cfg)?, cfg.label_smoothing, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let loss = cross_entropy_with(&x, &targets, &cfg, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            compare("gradient", gradients.get(&x).unwrap(), expected.get(&x).unwrap(), bound)?;
        }
    }
}

#[test]
fn many_rows_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(2);
    for (rows, classes) in [(3001, 67), (5, 70_001)] {
        let x = Var::from_tensor(&random.normal((rows, classes), DType::F32).unwrap()).unwrap();
        let targets = random.indices(rows, classes).unwrap();
        check_thread_independence(|| {
            let loss = cross_entropy(&x, &targets, Reduction::Mean)?;
            let gradient = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
            Ok(vec![loss, gradient])
        })
        .unwrap();
    }
}

#[test]
fn extreme_logits() {
    for level in Level::available() {
        with_level(level, check_extreme_logits);
    }
}

fn check_extreme_logits() {
    let inf = f64::INFINITY;
    let ln2 = 2f64.ln();
    // logits, target, loss, gradient
    let table: [([f64; 3], i64, f64, [f64; 3]); 7] = [
        ([1e4, -1e4, 0.], 0, 0., [0., 0., 0.]),
        ([1e4, -1e4, 0.], 1, 2e4, [1., -1., 0.]),
        ([1e4, 1e4, -1e4], 0, ln2, [-0.5, 0.5, 0.]),
        ([-1e4, -1e4, -1e4], 2, 3f64.ln(), [1. / 3., 1. / 3., -2. / 3.]),
        ([0., 0., -inf], 0, ln2, [-0.5, 0.5, 0.]),
        ([0., -inf, -inf], 1, inf, [1., -1., 0.]),
        ([inf, 0., 0.], 0, f64::NAN, [f64::NAN, f64::NAN, f64::NAN]),
    ];
    for dtype in [DType::F32, DType::F64] {
        for (logits, target, loss, gradient) in table {
            let tensor = |values: [f64; 3]| {
                Tensor::new(&[values], &Device::Cpu)
                    .unwrap()
                    .to_dtype(dtype)
                    .unwrap()
            };
            let x = Var::from_tensor(&tensor(logits)).unwrap();
            let targets = Tensor::new(&[target], &Device::Cpu).unwrap();
            let actual = cross_entropy(&x, &targets, Reduction::Sum).unwrap();
            let expected = Tensor::new(loss, &Device::Cpu).unwrap();
            let bound = if dtype == DType::F32 {
                Bound::F32
            } else {
                Bound::F64
            };
            compare(&format!("loss of {logits:?}"), &actual, &expected, bound).unwrap();
            let actual = actual.backward().unwrap().remove(&x).unwrap();
            compare(
                &format!("gradient of {logits:?}"),
                &actual,
                &tensor(gradient),
                bound,
            )
            .unwrap();
        }
    }
}

#[test]
fn rows_that_count_for_nothing() {
    let x = Var::new(&[[1f64, f64::NEG_INFINITY], [2., 3.]], &Device::Cpu).unwrap();
    let targets = Tensor::new(&[-100i64, -100], &Device::Cpu).unwrap();
    for (reduction, expected) in [(Reduction::Mean, f64::NAN), (Reduction::Sum, 0.)] {
        let loss = cross_entropy(&x, &targets, reduction).unwrap();
        compare(
            "loss",
            &loss,
            &Tensor::new(expected, &Device::Cpu).unwrap(),
            Bound::F64,
        )
        .unwrap();
        let gradient = loss.backward().unwrap().remove(&x).unwrap();
        assert_eq!(gradient.to_vec2::<f64>().unwrap(), [[0.; 2]; 2]);
    }
}

#[test]
fn every_index_type_serves() {
    let x = Random::new(3).normal((4, 3), DType::F32).unwrap();
    let targets = Tensor::new(&[2i64, 0, 1, 1], &Device::Cpu).unwrap();
    let [a, b, c] = [DType::U8, DType::U32, DType::I64].map(|dtype| {
        let targets = targets.to_dtype(dtype).unwrap();
        cross_entropy(&x, &targets, Reduction::Mean)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    });
    assert_eq!((a, b), (b, c));
}

#[test]
fn half_precision_runs_as_composite() {
    let x = Var::from_tensor(&Random::new(4).normal((4, 3), DType::BF16).unwrap()).unwrap();
    let targets = Tensor::new(&[2u32, 0, 1, 1], &Device::Cpu).unwrap();
    let expected = cross_entropy(&x.to_dtype(DType::F64).unwrap(), &targets, Reduction::Mean).unwrap();
    let loss = cross_entropy(&x, &targets, Reduction::Mean).unwrap();
    // bf16 has 8 bits.
    compare("loss", &loss, &expected, Bound { rtol: 0.02, atol: 0. }).unwrap();
    assert!(loss.backward().unwrap().get(&x).is_some());
}

#[test]
fn bad_arguments() {
    let device = &Device::Cpu;
    let x = Tensor::zeros((2, 3), DType::F32, device).unwrap();
    let classes = |values: &[i64]| Tensor::new(values, device).unwrap();
    let weights = |values: &[f64]| Some(Tensor::new(values, device).unwrap());
    let default = CrossEntropyConfig::default;
    let table = [
        (
            &x,
            classes(&[0, 3]),
            default(),
            "cross_entropy: targets[1] is 3, expected a class, at least 0 and below 3, or ignore_index = -100",
        ),
        (
            &x,
            classes(&[-1, 0]),
            default(),
            "cross_entropy: targets[0] is -1, expected a class, at least 0 and below 3, or ignore_index = -100",
        ),
        (
            &x,
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected [batch] = [2]",
        ),
        (
            &x.reshape((1, 2, 3)).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected [batch, *positions] = [1, 3]",
        ),
        (
            &x.get(0).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected no axis = []",
        ),
        (
            &x.get(0).unwrap().get(0).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: logits has shape [], expected [batch, classes, *positions] or [classes], at least one class",
        ),
        (
            &x.narrow(1, 0, 0).unwrap(),
            classes(&[0, 0]),
            default(),
            "cross_entropy: logits has shape [2, 0], expected [batch, classes, *positions] or [classes], at least one class",
        ),
        (
            &classes(&[1]),
            classes(&[0]),
            default(),
            "cross_entropy: logits has dtype I64, expected a floating-point type",
        ),
        (
            &x,
            classes(&[0, 1]).to_dtype(DType::I32).unwrap(),
            default(),
            "cross_entropy: targets has dtype I32, expected u8, u32 or i64",
        ),
        (
            &x,
            x.get(0).unwrap().narrow(0, 0, 2).unwrap(),
            default(),
            "cross_entropy: targets has shape [2], expected [2, 3], the logits', for probabilities (class numbers are u8, u32 or i64)",
        ),
        (
            &x,
            x.to_dtype(DType::F64).unwrap(),
            default(),
            "cross_entropy: targets has dtype F64, expected F32, the input's",
        ),
        (
            &x,
            x.clone(),
            CrossEntropyConfig {
                ignore_index: 1,
                ..default()
            },
            "cross_entropy: ignore_index is 1, expected negative, since targets that are probabilities are no class to ignore",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: Some(Var::ones(3, DType::F64, device).unwrap().into_inner()),
                ..default()
            },
            "cross_entropy: weight is tracked, expected a constant: the loss has no gradient for it, so detach it",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: weights(&[1., 1.]),
                ..default()
            },
            "cross_entropy: weight has shape [2], expected [classes = 3]",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: weights(&[1., 1., -2.]),
                ..default()
            },
            "cross_entropy: weight[2] is -2, expected a finite number, at least 0",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                label_smoothing: 1.5,
                ..default()
            },
            "cross_entropy: label_smoothing is 1.5, expected between 0 and 1",
        ),
    ];
    for (logits, targets, cfg, message) in table {
        let error = cross_entropy_with(logits, &targets, &cfg, Reduction::Mean).unwrap_err();
        assert_eq!(Error::from(error).to_string(), message);
    }
}
