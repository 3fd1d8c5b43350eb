//! Parts of a batch make the whole.

use super::*;
use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use sconce_core::{Init, ParamStore, backward, param};
use sconce_testkit::Random;

fn named(name: &str, tensor: Tensor) -> (String, Tensor) {
    (name.to_string(), tensor)
}

fn vector(values: &[f64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

proptest! {
    /// However a batch is cut, its gradient is that of the mean over all of it.
    #[test]
    fn parts_make_the_whole(sizes in prop::collection::vec(1usize..7, 1..6)) {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let w = param(&store.builder(), (3, 2), "w", &Init::Normal { mean: 0., std: 1. }).unwrap();
        let total: usize = sizes.iter().sum();
        let x = Random::new(5).normal((total, 3), DType::F64).unwrap();
        let gradients = |x: &Tensor| {
            let loss = x.matmul(&w.tensor()).unwrap().tanh().unwrap().sqr().unwrap().sum(1).unwrap().mean_all().unwrap();
            backward(&loss, &store).unwrap()
        };
        let mut accumulator = GradientAccumulator::new();
        let mut start = 0;
        for &size in &sizes {
            accumulator.add(&gradients(&x.narrow(0, start, size).unwrap()), size).unwrap();
            start += size;
        }
        prop_assert_eq!(accumulator.samples(), total);
        let ours = accumulator.finish().unwrap();
        let whole = gradients(&x);
        let difference = (ours.get("w").unwrap() - whole.get("w").unwrap()).unwrap().abs().unwrap().max_all().unwrap();
        prop_assert!(difference.to_scalar::<f64>().unwrap() < 1e-14);
    }
}

#[test]
fn a_parameter_is_missing_only_if_it_never_had_a_gradient() {
    let first = Gradients::from_tensors([named("a", vector(&[1., 2.]))], ["b".into(), "c".into()]).unwrap();
    let second = Gradients::from_tensors([named("b", vector(&[3.]))], ["a".into(), "c".into()]).unwrap();
    let mut accumulator = GradientAccumulator::new();
    accumulator.add(&first, 1).unwrap();
    accumulator.add(&second, 3).unwrap();
    let all = accumulator.finish().unwrap();
    assert_eq!(all.missing(), ["c"]);
    assert_eq!(all.get("a").unwrap().to_vec1::<f64>().unwrap(), [0.25, 0.5]);
    assert_eq!(all.get("b").unwrap().to_vec1::<f64>().unwrap(), [2.25]);
    assert_eq!(accumulator.samples(), 0);
}

/// In bf16, 256 + 1 is 256.
#[test]
fn half_precision_is_added_up_in_f32() {
    let one = Tensor::ones(3, DType::BF16, &Device::Cpu).unwrap();
    let gradients = Gradients::from_tensors([named("a", one)], []).unwrap();
    let mut accumulator = GradientAccumulator::new();
    (0..1000).for_each(|_| accumulator.add(&gradients, 1).unwrap());
    let mean = accumulator.finish().unwrap();
    let mean = mean.get("a").unwrap();
    assert_eq!(mean.dtype(), DType::BF16);
    assert_eq!(
        mean.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap(),
        [1., 1., 1.]
    );
}

#[test]
fn what_does_not_fit_is_named_and_not_added() {
    let gradients = |name: &str, tensor: Tensor| {
        Gradients::from_tensors([named("z", vector(&[1.])), named(name, tensor)], []).unwrap()
    };
    let mut accumulator = GradientAccumulator::new();
    accumulator.add(&gradients("a", vector(&[1., 2.])), 1).unwrap();
    let single = vector(&[1., 2.]).to_dtype(DType::F32).unwrap();
    for (bad, samples, words) in [
        (
            gradients("a", vector(&[1.])),
            1,
            "a (GradientAccumulator): gradient has shape [1], expected [2], as before",
        ),
        (
            gradients("a", single),
            1,
            "a (GradientAccumulator): gradient has dtype F32, expected F64, as before",
        ),
        (
            gradients("a", vector(&[1., 2.])),
            0,
            "GradientAccumulator: samples is 0, expected at least 1",
        ),
    ] {
        assert_eq!(accumulator.add(&bad, samples).unwrap_err().to_string(), words);
    }
    let all = accumulator.finish().unwrap();
    assert_eq!(all.get("z").unwrap().to_vec1::<f64>().unwrap(), [1.]);
    let error = accumulator.finish().map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("GradientAccumulator: samples is 0"), "{error}");
}

#[test]
fn a_saved_sum_goes_on_to_the_bit() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        for name in ["z", "a", "unused"] {
            param(&store.builder(), 3, name, &Init::Const(1.)).unwrap();
        }
        let mut random = Random::new(2);
        let mut gradients = || {
            let mut new = |name| named(name, random.normal(3, dtype).unwrap());
            Gradients::from_tensors([new("z"), new("a")], ["unused".to_string()]).unwrap()
        };
        let (first, second) = (gradients(), gradients());
        let mut whole = GradientAccumulator::new();
        whole.add(&first, 2).unwrap();
        let mut state = whole.state().unwrap();
        // As from a file.
        state.sort_by(|a, b| a.0.cmp(&b.0));
        whole.add(&second, 3).unwrap();

        let mut resumed = GradientAccumulator::new();
        assert!(resumed.state().unwrap().is_empty());
        resumed.load_state(&state, &store).unwrap();
        assert_eq!(resumed.samples(), 2);
        resumed.add(&second, 3).unwrap();
        let (whole, resumed) = (whole.finish().unwrap(), resumed.finish().unwrap());
        assert_eq!(resumed.missing(), ["unused"]);
        let names = |gradients: &Gradients| {
            gradients
                .iter()
                .map(|(name, _)| name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (names(&resumed), names(&whole)),
            (vec!["z".into(), "a".into()], vec!["z".into(), "a".into()])
        );
        for ((name, a), (_, b)) in whole.iter().zip(resumed.iter()) {
            sconce_testkit::property::check_same_bits(name, a, b).unwrap();
        }
    }
}

#[test]
fn a_state_that_is_none_is_refused() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    param(&store.builder(), 2, "w", &Init::Const(1.)).unwrap();
    let samples = |count: i64| named("samples", Tensor::new(count, &Device::Cpu).unwrap());
    let sum = named("sum.00000000.w", vector(&[1., 2.]));
    for (state, words) in [
        (vec![samples(0), sum.clone()], "samples is 0, expected at least 1"),
        (
            vec![sum.clone()],
            "state is without samples, expected their number",
        ),
        (
            vec![samples(1), named("sum.00000000.w", vector(&[1.]))],
            "w (GradientAccumulator): state has shape [1], expected [2]",
        ),
        (
            vec![samples(1), named("sum.00000000.v", vector(&[1.]))],
            "state is sum.00000000.v",
        ),
        (
            vec![samples(1), named("sum.x.w", vector(&[1., 2.]))],
            "state is sum.x.w",
        ),
        (
            vec![
                samples(1),
                sum.clone(),
                named("sum.00000001.w", vector(&[1., 2.])),
            ],
            "state is w, expected each name once",
        ),
    ] {
        let mut accumulator = GradientAccumulator::new();
        let error = accumulator.load_state(&state, &store).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(accumulator.samples(), 0);
    }
}
