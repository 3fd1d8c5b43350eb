use super::*;
use candle_core::{DType, Device, Var};
use sconce_core::ParamStore;

#[test]
fn kernels_equal_composites() {
    for shape in [vec![5, 3], vec![4, 3, 7], vec![2, 3, 5, 9], vec![2, 3, 2, 3, 4]] {
        let x = Var::randn(0.5f64, 2., shape, &Device::Cpu).unwrap();
        let [weight, bias, mean] = [1.; 3].map(|m| Var::randn(m, 1f64, 3, &Device::Cpu).unwrap());
        let var = Var::rand(0.5f64, 2., 3, &Device::Cpu).unwrap();
        let (batch_mean, batch_var) = batch_stats(&x.as_detached_tensor()).unwrap();
        let affine = Some((weight.as_tensor(), bias.as_tensor()));
        let (mean, var) = (mean.as_detached_tensor(), var.as_detached_tensor());
        for affine in [None, affine] {
            let pairs = [
                (
                    kernels::batch_norm::train::<f64>(&x, affine, &batch_mean, &batch_var, 1e-3).unwrap(),
                    training_composite(&x, affine, 1e-3).unwrap(),
                ),
                (
                    kernels::batch_norm::evaluate::<f64>("batch_norm", &x, affine, &mean, &var, 1e-3)
                        .unwrap(),
                    composite("batch_norm", &x, affine, &mean, &var, 1e-3).unwrap(),
                ),
            ];
            for (ours, oracle) in pairs {
                let of = |y: &Tensor| {
                    let loss = y.sqr().unwrap().sqr().unwrap().sum_all().unwrap();
                    let grads = loss.backward().unwrap();
                    let variables = [&x, &weight, &bias];
                    let grads = variables.iter().filter_map(|v| grads.get(v)).cloned();
                    std::iter::once(y.detach()).chain(grads).collect::<Vec<_>>()
                };
                let (ours, oracle) = (of(&ours), of(&oracle));
                assert_eq!(ours.len(), if affine.is_some() { 4 } else { 2 });
                for (a, b) in ours.iter().zip(&oracle) {
                    crate::tests::assert_close(a, b, 1e-10);
                }
            }
        }
    }
}

#[test]
fn bad_input_is_named() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let norm = BatchNorm2d::new(&BatchNormConfig::new(3), store.builder().pp("bn")).unwrap();
    let cases: &[(&[usize], &str)] = &[
        (&[2, 3], "[batch, channels, height, width] with channels = 3"),
        (&[2, 4, 5, 5], "channels = 3"),
        (&[1, 3, 1, 1], "more than one value a channel"),
    ];
    for (shape, message) in cases {
        let x = Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
        let error = Error::from(norm.forward_t(&x, true).unwrap_err()).to_string();
        assert!(
            error.starts_with("bn (BatchNorm2d): input") && error.contains(message),
            "{error}"
        );
    }
    let double = Tensor::zeros((2, 3, 2, 2), DType::F64, &Device::Cpu).unwrap();
    assert!(norm.forward_t(&double, true).is_err());
    for cfg in [
        BatchNormConfig {
            num_features: 0,
            ..BatchNormConfig::new(3)
        },
        BatchNormConfig {
            eps: -1.,
            ..BatchNormConfig::new(3)
        },
        BatchNormConfig {
            momentum: Some(1.5),
            ..BatchNormConfig::new(3)
        },
    ] {
        assert!(BatchNorm1d::new(&cfg, store.builder()).is_err());
    }
}
