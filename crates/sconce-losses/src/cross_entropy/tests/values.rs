//! What comes out of logits and targets of every kind.

use super::*;

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

/// The sum of a thousand terms is beyond half precision, and is not made in it.
#[test]
fn half_precision_with_probabilities_of_many_classes() {
    for dtype in [DType::BF16, DType::F16] {
        let x = Var::zeros((2, 1000), dtype, &Device::Cpu).unwrap();
        let targets = Tensor::full(1e-3, (2, 1000), &Device::Cpu).unwrap();
        let loss = cross_entropy(&x, &targets.to_dtype(dtype).unwrap(), Reduction::Mean).unwrap();
        assert_eq!(loss.dtype(), dtype);
        assert_eq!(loss.backward().unwrap().get(&x).unwrap().dtype(), dtype);
        let expected = Tensor::new(1000f64.ln(), &Device::Cpu).unwrap();
        compare("loss", &loss, &expected, Bound { rtol: 1e-2, atol: 0. }).unwrap();
    }
}

/// What the sum of exponentials would overflow for, by the way of candle's operations.
#[test]
fn large_logits_with_probabilities() {
    let x = Tensor::new(&[[1e4f64, -1e4, 9_999.], [-1e4, -2e4, -1.1e4]], &Device::Cpu).unwrap();
    let classes = Tensor::new(&[2i64, 0], &Device::Cpu).unwrap();
    let one_hot = Tensor::new(&[[0f64, 0., 1.], [1., 0., 0.]], &Device::Cpu).unwrap();
    let expected = cross_entropy(&x, &classes, Reduction::None).unwrap();
    let loss = cross_entropy(&x, &one_hot, Reduction::None).unwrap();
    compare("loss", &loss, &expected, Bound::F64).unwrap();
    let first = expected.to_vec1::<f64>().unwrap()[0];
    assert!((first - (1. + (-1f64).exp().ln_1p())).abs() < 1e-10, "{first}");
}
