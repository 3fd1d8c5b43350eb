use super::*;
use candle_core::{DType, Device, Var};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

fn sample() -> [Tensor; 3] {
    let mut random = Random::new(1);
    [(3, 5), (3, 5), (1, 5)].map(|shape| random.uniform(shape, 0.1, 0.9, DType::F64).unwrap())
}

#[test]
fn gradients_are_right_for_all_arguments() {
    let [x, y, w] = sample();
    for reduction in REDUCTIONS {
        let check = GradCheck {
            layouts: Layout::ALL,
            ..GradCheck::default()
        };
        check.assert(&[("input", &x), ("target", &y)], &[], |t| {
            bce(&t[0], &t[1], &BceConfig::default(), reduction)
        });
        check.assert(&[("input", &x), ("target", &y), ("weight", &w)], &[], |t| {
            bce(
                &t[0],
                &t[1],
                &BceConfig {
                    weight: Some(t[2].clone()),
                },
                reduction,
            )
        });
    }
}

#[test]
fn it_is_what_plain_operations_give() {
    let [x, y, w] = sample();
    let (x, y) = (Var::from_tensor(&x).unwrap(), Var::from_tensor(&y).unwrap());
    let plain = || {
        let yes = (y.as_tensor() * x.log()?)?;
        let no = ((1. - y.as_tensor())? * (1. - x.as_tensor())?.log()?)?;
        (yes + no)?.neg()?.broadcast_mul(&w)
    };
    let expected = plain().unwrap();
    let cfg = BceConfig {
        weight: Some(w.clone()),
    };
    let actual = bce(&x, &y, &cfg, Reduction::None).unwrap();
    compare("losses", &actual, &expected, Bound::F64).unwrap();
    let (a, b) = (actual.backward().unwrap(), expected.backward().unwrap());
    for var in [&x, &y] {
        compare("gradient", a.get(var).unwrap(), b.get(var).unwrap(), Bound::F64).unwrap();
    }
}

#[test]
fn sure_predictions_are_bounded() {
    let x = Var::new(&[0f64, 0., 1., 1., 1e-10], &Device::Cpu).unwrap();
    let y = Var::new(&[0f64, 1., 0., 1., 0.], &Device::Cpu).unwrap();
    let losses = bce(&x, &y, &BceConfig::default(), Reduction::None).unwrap();
    assert_eq!(
        losses.to_vec1::<f64>().unwrap(),
        [0., 100., 100., 0., 1.000_000_000_05e-10]
    );
    let gradients = losses.sum_all().unwrap().backward().unwrap();
    let of = |var: &Var| gradients.get(var).unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(of(&x)[..4], [0., -1. / LEAST, 1. / LEAST, 0.]);
    assert_eq!(of(&y)[..4], [100., 100., -100., -100.]);
}

#[test]
fn half_precision() {
    for dtype in [DType::BF16, DType::F16] {
        let x = Var::from_tensor(
            &Tensor::new(&[0f32, 0.25, 1.], &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap(),
        );
        let (x, y) = (x.unwrap(), Tensor::zeros(3, dtype, &Device::Cpu).unwrap());
        let losses = bce(&x, &y, &BceConfig::default(), Reduction::None).unwrap();
        assert_eq!(losses.dtype(), dtype);
        let expected = Tensor::new(&[0., -(0.75f64.ln()), 100.], &Device::Cpu).unwrap();
        // bf16 has 8 bits.
        compare(
            "losses",
            &losses,
            &expected,
            Bound {
                rtol: 0.004,
                atol: 0.,
            },
        )
        .unwrap();
        assert!(losses.backward().unwrap().get(&x).is_some());
    }
}

#[test]
fn bad_arguments() {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let half = tensor(&[0.5, 0.5]);
    let none = BceConfig::default;
    let of = |weight: Tensor| BceConfig { weight: Some(weight) };
    for (input, target, cfg, message) in [
        (
            half.clone(),
            tensor(&[1.]),
            none(),
            "bce: target has shape [1], expected [2], the input's",
        ),
        (
            tensor(&[0.5, 1.5]),
            half.clone(),
            none(),
            "bce: input[1] is 1.5, expected a probability, between 0 and 1",
        ),
        (
            tensor(&[f32::NAN, 1.]),
            half.clone(),
            none(),
            "bce: input[0] is NaN, expected a probability, between 0 and 1",
        ),
        (
            half.clone(),
            tensor(&[-1., 1.]),
            none(),
            "bce: target[0] is -1, expected a probability, between 0 and 1",
        ),
        (
            half.clone(),
            half.clone(),
            of(tensor(&[1., 1., 1.])),
            "bce: weight has shape [3], expected one that broadcasts to [2], the input's",
        ),
        (
            half.clone(),
            half.clone(),
            of(half.to_dtype(DType::F64).unwrap()),
            "bce: weight has dtype F64, expected F32, the input's",
        ),
    ] {
        let error = bce(&input, &target, &cfg, Reduction::Mean).unwrap_err();
        assert_eq!(Error::from(error).to_string(), message);
    }
}
