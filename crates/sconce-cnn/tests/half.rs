//! Half precision: what is stored in it is computed in `f32`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use sconce_cnn::{
    AdaptiveAvgPool2d, AdaptivePoolConfig, AvgPool2d, AvgPool2dConfig, Conv2d, Conv2dConfig, ConvTranspose2d,
    ConvTranspose2dConfig,
};
use sconce_core::{ParamStore, backward};

fn wide(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

#[test]
fn sums_dont_stop_at_the_types_last_whole_number() {
    type Layer = fn(&ParamStore) -> Result<Box<dyn Module>>;
    let layers: [(&str, Layer); 4] = [
        ("avg_pool", |_| {
            Ok(Box::new(AvgPool2d::new(&AvgPool2dConfig::new(80))?))
        }),
        ("adaptive_avg_pool", |_| {
            Ok(Box::new(AdaptiveAvgPool2d::new(&AdaptivePoolConfig::new([
                1, 1,
            ]))?))
        }),
        ("conv", |store| {
            Ok(Box::new(Conv2d::new(
                &Conv2dConfig::new(2, 3, 40),
                store.builder(),
            )?))
        }),
        ("conv_transpose", |store| {
            Ok(Box::new(ConvTranspose2d::new(
                &ConvTranspose2dConfig::new(2, 3, 3),
                store.builder(),
            )?))
        }),
    ];
    let x = Tensor::ones((1, 2, 80, 80), DType::F32, &Device::Cpu).unwrap();
    for (name, layer) in layers {
        for (dtype, bound) in [(DType::F16, 4e-3), (DType::BF16, 3e-2)] {
            let run = |dtype| {
                let store = ParamStore::new(dtype, &Device::Cpu).seeded(1);
                let x = Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
                let y = layer(&store).unwrap().forward(&x).unwrap();
                assert_eq!(y.dtype(), dtype, "{name}");
                let loss = y.to_dtype(DType::F32).unwrap().sum_all().unwrap();
                let gradients = backward(&loss, &store).unwrap();
                let mut all = vec![wide(&y), wide(gradients.of(&x).unwrap())];
                all.extend(gradients.iter().map(|(_, gradient)| wide(gradient)));
                all
            };
            for (got, expected) in run(dtype).into_iter().zip(run(DType::F32)) {
                let largest = expected.iter().fold(1e-6, |most: f64, v| most.max(v.abs()));
                for (got, expected) in got.iter().zip(expected) {
                    assert!(
                        (got - expected).abs() <= bound * largest,
                        "{name}, {dtype:?}: {got}, not {expected}"
                    );
                }
            }
        }
    }
}
