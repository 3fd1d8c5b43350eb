//! Half precision: what is stored in it is computed in `f32`, so sums don't stop where the type has no next number.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{D, DType, Device, Module, ModuleT, Result, Tensor, Var};
use sconce_core::{ParamStore, backward};
use sconce_nn::*;
use sconce_testkit::Random;

const HALVES: [(DType, f64); 2] = [(DType::F16, 2e-3), (DType::BF16, 2e-2)];

fn wide(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

/// Values and the input's gradient in half precision against those in f32, from the same rounded numbers.
fn agrees(what: &str, x: &Tensor, f: impl Fn(&Tensor, &ParamStore) -> Result<Tensor>) {
    for (dtype, bound) in HALVES {
        let rounded = x.to_dtype(dtype).unwrap();
        let run = |x: &Tensor| {
            let store = ParamStore::new(x.dtype(), &Device::Cpu).seeded(1);
            let x = Var::from_tensor(x).unwrap();
            let y = f(&x, &store).unwrap();
            assert_eq!(y.dtype(), x.dtype(), "{what}");
            let loss = y.to_dtype(DType::F32).unwrap();
            let loss = (loss.sqr().unwrap() * loss).unwrap().sum_all().unwrap();
            let gradients = backward(&loss, &store).unwrap();
            (wide(&y), wide(gradients.of(&x).unwrap()))
        };
        let (half, single) = (run(&rounded), run(&rounded.to_dtype(DType::F32).unwrap()));
        for (got, expected) in [(half.0, single.0), (half.1, single.1)] {
            let largest = expected.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
            for (got, expected) in got.iter().zip(expected) {
                assert!(
                    (got - expected).abs() <= bound * largest,
                    "{what} in {dtype:?}: {got}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn sums_are_those_of_f32() {
    let mut random = Random::new(1);
    let rows = random.uniform((3, 3000), 2., 4., DType::F32).unwrap();
    let image = random.uniform((8, 2, 20, 20), 0., 2., DType::F32).unwrap();
    agrees("softmax", &rows, |x, _| softmax(&(x * 2.)?, D::Minus1));
    agrees("log_softmax", &rows, |x, _| log_softmax(x, 0));
    agrees("layer_norm", &rows, |x, store| {
        LayerNorm::new(&LayerNormConfig::new([3000]), store.builder())?.forward(x)
    });
    agrees("batch_norm", &image, |x, store| {
        BatchNorm2d::new(&BatchNormConfig::new(2), store.builder())?.forward_t(x, true)
    });
    agrees("linear", &rows, |x, store| {
        Linear::new(&LinearConfig::new(3000, 2), store.builder())?.forward(x)
    });
    for function in [
        Activation::Softplus,
        Activation::Gelu,
        Activation::Silu,
        Activation::Elu,
        Activation::Tanh,
    ] {
        agrees("activation", &(&rows * 8.).unwrap(), |x, _| function.forward(x));
    }
}

#[test]
fn gradients_and_statistics_dont_stop_at_the_types_last_whole_number() {
    for (dtype, bound) in HALVES {
        let store = ParamStore::new(dtype, &Device::Cpu);
        let linear = Linear::new(&LinearConfig::new(1, 1), store.builder().pp("linear")).unwrap();
        let x = Tensor::ones((10_000, 1), dtype, &Device::Cpu).unwrap();
        let loss = linear
            .forward(&x)
            .unwrap()
            .to_dtype(DType::F32)
            .unwrap()
            .sum_all()
            .unwrap();
        let bias = wide(backward(&loss, &store).unwrap().get("linear.bias").unwrap())[0];
        assert!((bias / 10_000. - 1.).abs() < bound, "{bias}");

        let norm = BatchNorm1d::new(&BatchNormConfig::new(1), store.builder().pp("norm")).unwrap();
        let x = Random::new(2)
            .uniform((9_000, 1), 1., 3., DType::F32)
            .unwrap()
            .to_dtype(dtype)
            .unwrap();
        norm.forward_t(&x, true).unwrap();
        let mean = wide(&store.get("norm.running_mean").unwrap())[0];
        assert!((mean - 0.2).abs() < 0.2 * bound + 0.01, "{mean}");
    }
}
