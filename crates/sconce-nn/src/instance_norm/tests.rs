use super::*;
use candle_core::{DType, Device};
use sconce_core::ParamStore;
use sconce_testkit::Random;

fn stored(store: &ParamStore, name: &str) -> Vec<f64> {
    store.get(name).unwrap().to_vec1().unwrap()
}

#[test]
fn a_batch_is_its_samples() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let cfg = InstanceNormConfig {
        affine: true,
        ..InstanceNormConfig::new(3)
    };
    let norm = InstanceNorm2d::new(&cfg, store.builder()).unwrap();
    let mut random = Random::new(1);
    for name in ["weight", "bias"] {
        store.set(name, &random.normal(3, DType::F64).unwrap()).unwrap();
    }
    let x = random.normal((4, 3, 5, 2), DType::F64).unwrap();
    let together = norm.forward_t(&x, true).unwrap();
    for i in 0..4 {
        let alone = norm.forward_t(&x.get(i).unwrap(), false).unwrap();
        crate::tests::assert_close(&alone, &together.get(i).unwrap(), 1e-15);
    }
}

/// The figures of PyTorch 2.15 for the samples 0, 1, 2, 3 and 10, 10, 10, 14 with momentum 0.5.
#[test]
fn running_statistics_average_over_samples() {
    let x = Tensor::new(&[[[0f64, 1., 2., 3.]], [[10., 10., 10., 14.]]], &Device::Cpu).unwrap();
    for (momentum, mean, var) in [
        (Some(0.5), 0.5 * (1.5 + 11.) / 2., 0.5 + 0.5 * (5. / 3. + 4.) / 2.),
        (Some(0.), 0., 1.),
        (None, 0., 1.),
    ] {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let cfg = InstanceNormConfig {
            momentum,
            track_running_stats: true,
            ..InstanceNormConfig::new(1)
        };
        let norm = InstanceNorm1d::new(&cfg, store.builder()).unwrap();
        norm.forward_t(&x, true).unwrap();
        assert!((stored(&store, "running_mean")[0] - mean).abs() < 1e-14);
        assert!((stored(&store, "running_var")[0] - var).abs() < 1e-14);
        let batches = store.get("num_batches_tracked").unwrap();
        assert_eq!(batches.to_scalar::<i64>().unwrap(), 0);
        // Evaluation uses them, and leaves them alone; it takes a single position too.
        let y = norm
            .forward_t(&Tensor::full(2f64, (1, 1, 1), &Device::Cpu).unwrap(), false)
            .unwrap();
        let y = y.flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
        assert!((y - (2. - mean) / (var + 1e-5).sqrt()).abs() < 1e-14);
        assert!((stored(&store, "running_mean")[0] - mean).abs() < 1e-14);
    }
}

#[test]
fn bad_options_and_input_are_named() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let base = || InstanceNormConfig::new(3);
    for (cfg, message) in [
        (InstanceNormConfig::new(0), "num_features is 0"),
        (InstanceNormConfig { eps: -1., ..base() }, "eps is -1"),
        (
            InstanceNormConfig {
                momentum: Some(2.),
                ..base()
            },
            "momentum is 2",
        ),
    ] {
        let error = InstanceNorm1d::new(&cfg, store.builder().pp("in"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("in (InstanceNorm1d): {message}")),
            "{error}"
        );
    }
    let norm = InstanceNorm2d::new(&base(), store.builder().pp("in")).unwrap();
    let cases: &[(&[usize], &str)] = &[
        (&[], "or [channels, height, width] with channels = 3"),
        (&[2, 3], "[batch, channels, height, width]"),
        (&[2, 4, 5], "with channels = 3"),
        (&[2, 4, 5, 5], "with channels = 3"),
        (&[2, 3, 1, 1], "more than one position"),
        (&[2, 3, 0, 4], "more than one position"),
    ];
    for (shape, message) in cases {
        let x = Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
        let error = Error::from(norm.forward_t(&x, true).unwrap_err()).to_string();
        assert!(
            error.starts_with("in (InstanceNorm2d): input has shape") && error.contains(message),
            "{error}"
        );
    }
    let empty = Tensor::zeros((0, 3, 4, 4), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(norm.forward_t(&empty, true).unwrap().dims(), [0, 3, 4, 4]);
    let cfg = InstanceNormConfig {
        affine: true,
        ..base()
    };
    let norm = InstanceNorm1d::new(&cfg, store.builder()).unwrap();
    let double = Tensor::zeros((3, 4), DType::F64, &Device::Cpu).unwrap();
    assert!(norm.forward_t(&double, true).is_err());
}
