//! Figures against plain sums; what is found.

use super::*;
use crate::grad_norm;
use candle_core::Device;
use sconce_testkit::Random;

#[test]
fn figures_are_those_of_plain_sums() {
    for (dtype, shape) in [(DType::F64, 100_000), (DType::F32, 7), (DType::BF16, 300)] {
        let g = Random::new(3).normal(shape, dtype).unwrap().relu().unwrap();
        let x: Vec<f64> = g.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
        let gradients = Gradients::from_tensors([("w".to_string(), g)], []).unwrap();
        let of = &gradient_statistics(&gradients).unwrap()[0];
        let count = x.len() as f64;
        let expected = [
            x.iter().map(|x| x * x).sum::<f64>().sqrt(),
            x.iter().copied().fold(f64::INFINITY, f64::min),
            x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            x.iter().sum::<f64>() / count,
            x.iter().filter(|x| **x == 0.).count() as f64 / count,
        ];
        for (ours, expected) in [of.norm, of.min, of.max, of.mean, of.zeros]
            .into_iter()
            .zip(expected)
        {
            assert!(
                (ours - expected).abs() <= 1e-12 * expected.abs(),
                "{of:?} {expected}"
            );
        }
        assert!(of.zeros > 0.1 && of.zeros < 0.9);
    }
}

#[test]
fn strided_empty_and_broken_gradients_have_figures_too() {
    let x = Random::new(1).normal((4, 3), DType::F64).unwrap();
    let empty = Tensor::zeros((0, 2), DType::F32, &Device::Cpu).unwrap();
    let broken = Tensor::new(&[1f32, f32::NAN, 3.], &Device::Cpu).unwrap();
    let named = [
        ("t".to_string(), x.t().unwrap()),
        ("empty".to_string(), empty),
        ("broken".to_string(), broken),
    ];
    let gradients = Gradients::from_tensors(named, []).unwrap();
    let all = gradient_statistics(&gradients).unwrap();
    let expected = x
        .sqr()
        .unwrap()
        .sum_all()
        .unwrap()
        .to_scalar::<f64>()
        .unwrap()
        .sqrt();
    assert!((all[0].norm - expected).abs() < 1e-14);
    assert!(all[1].norm == 0. && all[1].min.is_nan() && all[1].mean.is_nan() && all[1].zeros == 0.);
    assert!(all[2].norm.is_nan() && all[2].min.is_nan() && all[2].max.is_nan());
}

#[test]
fn what_cannot_be_stepped_by_is_listed() {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let named = [
        ("fine".to_string(), tensor(&[0., 1.])),
        ("zero".to_string(), tensor(&[0., -0.])),
        (
            "nan".to_string(),
            tensor(&[0., 1., f32::NAN, 2.]).reshape((2, 2)).unwrap(),
        ),
        ("inf".to_string(), tensor(&[f32::NEG_INFINITY])),
        (
            "empty".to_string(),
            Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap(),
        ),
    ];
    let gradients = Gradients::from_tensors(named, ["gone".to_string()]).unwrap();
    let found = check_gradients(&gradients).unwrap();
    assert!(!found.is_clean());
    assert_eq!(
        (&found.missing[..], &found.zero[..]),
        (&["gone".to_string()][..], &["zero".to_string()][..])
    );
    let lines = "no gradient: gone\na gradient of zeros: zero\nnot finite: nan, NaN at [1, 0]\nnot finite: inf, -inf at [0]";
    assert_eq!(found.to_string(), lines);
    let fine = Gradients::from_tensors([("fine".to_string(), tensor(&[1.]))], []).unwrap();
    assert!(check_gradients(&fine).unwrap().is_clean());
    assert_eq!(check_gradients(&fine).unwrap().to_string(), "");
}

#[test]
fn eight_bits_are_looked_at_too() {
    let narrow = |values: &[f32]| {
        let wide = Tensor::new(values, &Device::Cpu).unwrap();
        wide.to_dtype(DType::F8E4M3).unwrap()
    };
    let of = |values: &[f32]| Gradients::from_tensors([("w".to_string(), narrow(values))], []).unwrap();
    let fine = of(&[3., -4.]);
    assert_eq!(gradient_statistics(&fine).unwrap()[0].norm, 5.);
    assert_eq!(grad_norm(&fine, 2.).unwrap(), 5.);
    assert!(check_gradients(&fine).unwrap().is_clean());
    let found = check_gradients(&of(&[1., f32::NAN])).unwrap();
    assert_eq!(found.to_string(), "not finite: w, NaN at [1]");
}
