//! Every layer's gradients against finite differences, in f64, at odd sizes, batches above one and in several layouts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{D, DType, Device, Module, ModuleT, Tensor};
use sconce_core::{Generator, ParamStore, Parameters};
use sconce_nn::*;
use sconce_testkit::{GradCheck, Random, assert_gradients};

/// Checks a layer's input and all its parameters, which start at random so that none is special.
fn check(
    shape: &[usize],
    build: impl FnOnce(&ParamStore) -> Box<dyn ModuleT>,
    may_be_zero: &'static [&'static str],
) {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let layer = build(&store);
    let mut random = Random::new(2);
    for (name, var) in store.named_parameters() {
        let value = random.normal(var.shape(), DType::F64).unwrap();
        store.set(&name, &value).unwrap();
    }
    let x = random.normal(shape, DType::F64).unwrap();
    let check = GradCheck {
        may_be_zero,
        ..GradCheck::default()
    };
    check.assert(&[("x", &x)], &store.named_parameters(), |inputs: &[Tensor]| {
        layer.forward_t(&inputs[0], true)
    });
}

#[test]
fn linear() {
    for (shape, bias) in [
        (&[5, 7][..], true),
        (&[2, 3, 7], false),
        (&[7], true),
        (&[70, 7], true),
    ] {
        check(
            shape,
            |store| {
                let cfg = LinearConfig {
                    bias,
                    ..LinearConfig::new(7, 33)
                };
                Box::new(Linear::new(&cfg, store.builder()).unwrap())
            },
            &[],
        );
    }
}

#[test]
fn linear_with_tensors_of_ones_own() {
    let mut random = Random::new(3);
    let x = random.normal((5, 3), DType::F64).unwrap();
    let weight = random.normal((4, 3), DType::F64).unwrap();
    let bias = random.normal(4, DType::F64).unwrap();
    assert_gradients(
        &[("x", &x), ("weight", &weight), ("bias", &bias)],
        |t: &[Tensor]| sconce_nn::linear(&t[0], &t[1], Some(&t[2])),
    );
}

#[test]
fn layer_norm() {
    for (shape, normalized, bias, affine) in [
        (&[3, 7][..], &[7][..], true, true),
        (&[2, 3, 5], &[3, 5], false, true),
        (&[2, 3, 5], &[5], true, false),
        (&[2, 2, 3, 3], &[3], true, true),
    ] {
        check(
            shape,
            |store| {
                let cfg = LayerNormConfig {
                    bias,
                    elementwise_affine: affine,
                    eps: 1e-2,
                    ..LayerNormConfig::new(normalized)
                };
                Box::new(LayerNorm::new(&cfg, store.builder()).unwrap())
            },
            &[],
        );
    }
}

#[test]
fn batch_norm_in_training() {
    for affine in [true, false] {
        let cfg = BatchNormConfig {
            affine,
            eps: 1e-2,
            ..BatchNormConfig::new(3)
        };
        check(
            &[5, 3],
            |store| Box::new(BatchNorm1d::new(&cfg, store.builder()).unwrap()),
            &[],
        );
        check(
            &[2, 3, 5],
            |store| Box::new(BatchNorm1d::new(&cfg, store.builder()).unwrap()),
            &[],
        );
        check(
            &[2, 3, 5, 3],
            |store| Box::new(BatchNorm2d::new(&cfg, store.builder()).unwrap()),
            &[],
        );
        check(
            &[2, 3, 2, 3, 2],
            |store| Box::new(BatchNorm3d::new(&cfg, store.builder()).unwrap()),
            &[],
        );
    }
}

#[test]
fn batch_norm_in_evaluation() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let norm = BatchNorm2d::new(&BatchNormConfig::new(3), store.builder()).unwrap();
    let mut random = Random::new(4);
    let x = random.normal((2, 3, 3, 5), DType::F64).unwrap();
    norm.forward_t(&(&x * 3.).unwrap(), true).unwrap();
    GradCheck::default().assert(&[("x", &x)], &store.named_parameters(), |t: &[Tensor]| {
        norm.forward_t(&t[0], false)
    });
}

#[test]
fn group_norm() {
    for (shape, groups, affine) in [
        (&[3, 4, 5][..], 2, true),
        (&[3, 4], 2, true),
        (&[2, 6, 3, 5], 3, false),
        (&[2, 4, 3, 2, 1], 4, true),
        (&[3, 4, 5], 1, true),
    ] {
        let cfg = GroupNormConfig {
            affine,
            eps: 1e-2,
            ..GroupNormConfig::new(groups, shape[1])
        };
        check(
            shape,
            |store| Box::new(GroupNorm::new(&cfg, store.builder()).unwrap()),
            &[],
        );
    }
}

#[test]
fn rms_norm() {
    for (shape, normalized, eps, affine) in [
        (&[3, 7][..], &[7][..], Some(1e-2), true),
        (&[2, 3, 5], &[3, 5], None, true),
        (&[2, 3, 5], &[5], None, false),
        (&[7], &[7], None, true),
    ] {
        let cfg = RmsNormConfig {
            eps,
            elementwise_affine: affine,
            ..RmsNormConfig::new(normalized)
        };
        check(
            shape,
            |store| Box::new(RmsNorm::new(&cfg, store.builder()).unwrap()),
            &[],
        );
    }
}

#[test]
fn instance_norm() {
    for (affine, track_running_stats) in [(true, false), (false, false), (true, true)] {
        let cfg = InstanceNormConfig {
            affine,
            track_running_stats,
            eps: 1e-2,
            ..InstanceNormConfig::new(3)
        };
        let one = |store: &ParamStore| -> Box<dyn ModuleT> {
            Box::new(InstanceNorm1d::new(&cfg, store.builder()).unwrap())
        };
        let two = |store: &ParamStore| -> Box<dyn ModuleT> {
            Box::new(InstanceNorm2d::new(&cfg, store.builder()).unwrap())
        };
        let three = |store: &ParamStore| -> Box<dyn ModuleT> {
            Box::new(InstanceNorm3d::new(&cfg, store.builder()).unwrap())
        };
        check(&[2, 3, 5], one, &[]);
        check(&[3, 7], one, &[]);
        check(&[2, 3, 5, 3], two, &[]);
        check(&[3, 5, 3], two, &[]);
        check(&[2, 3, 2, 3, 2], three, &[]);
        check(&[3, 2, 3, 2], three, &[]);
    }
}

#[test]
fn instance_norm_in_evaluation() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let cfg = InstanceNormConfig {
        affine: true,
        track_running_stats: true,
        ..InstanceNormConfig::new(3)
    };
    let norm = InstanceNorm2d::new(&cfg, store.builder()).unwrap();
    let x = Random::new(4).normal((2, 3, 3, 5), DType::F64).unwrap();
    norm.forward_t(&(&x * 3.).unwrap(), true).unwrap();
    GradCheck::default().assert(&[("x", &x)], &store.named_parameters(), |t: &[Tensor]| {
        norm.forward_t(&t[0], false)
    });
}

#[test]
fn softmaxes_along_every_axis() {
    let x = Random::new(5).normal((3, 5, 4), DType::F64).unwrap();
    for dim in 0..3 {
        assert_gradients(&[("x", &x)], |t: &[Tensor]| softmax(&t[0], dim));
        assert_gradients(&[("x", &x)], |t: &[Tensor]| log_softmax(&t[0], dim));
    }
    assert_gradients(&[("x", &x)], |t: &[Tensor]| softmax(&t[0], D::Minus1));
}

#[test]
fn activations() {
    let x = (Random::new(6).normal((7, 9), DType::F64).unwrap() * 2.).unwrap();
    let all: Vec<Box<dyn Module>> = vec![
        Box::new(Relu),
        Box::new(LeakyRelu { negative_slope: 0.2 }),
        Box::new(Elu { alpha: 0.7 }),
        Box::new(Gelu {
            approximate: GeluForm::None,
        }),
        Box::new(Gelu {
            approximate: GeluForm::Tanh,
        }),
        Box::new(Silu),
        Box::new(Softplus {
            beta: 2.,
            threshold: 3.,
        }),
        Box::new(Sigmoid),
        Box::new(Tanh),
        Box::new(Celu { alpha: 0.7 }),
        Box::new(Selu),
        Box::new(Mish),
        Box::new(Hardswish),
        Box::new(Hardsigmoid),
        Box::new(Hardtanh {
            min_val: -0.7,
            max_val: 1.5,
        }),
        Box::new(Relu6),
        Box::new(Hardshrink { lambd: 0.8 }),
        Box::new(Softshrink { lambd: 0.8 }),
        Box::new(Softsign),
        Box::new(Tanhshrink),
        Box::new(LogSigmoid),
        Box::new(Threshold {
            threshold: 0.3,
            value: 20.,
        }),
    ];
    for layer in all {
        assert_gradients(&[("x", &x)], |t: &[Tensor]| layer.forward(&t[0]));
    }
}

#[test]
fn softmax_layers_and_glu() {
    let x = Random::new(5).normal((4, 6, 2, 4), DType::F64).unwrap();
    let all: Vec<Box<dyn Module>> = vec![
        Box::new(Softmax { dim: Some(-2) }),
        Box::new(LogSoftmax { dim: None }),
        Box::new(Softmin { dim: Some(0) }),
        Box::new(Softmax2d),
        Box::new(Glu::default()),
        Box::new(Glu { dim: 1 }),
        Box::new(Glu { dim: -4 }),
    ];
    for layer in all {
        assert_gradients(&[("x", &x)], |t: &[Tensor]| layer.forward(&t[0]));
    }
}

#[test]
fn prelu() {
    for (num_parameters, shape) in [
        (1, &[3, 5][..]),
        (1, &[7]),
        (3, &[4, 3]),
        (3, &[2, 3, 5]),
        (5, &[2, 5, 3, 2]),
    ] {
        let cfg = PreluConfig {
            num_parameters,
            ..PreluConfig::default()
        };
        check(
            shape,
            |store| Box::new(Prelu::new(&cfg, store.builder()).unwrap()),
            &[],
        );
    }
}

/// With the generator set back before each pass, what is random is a function.
#[test]
fn random_layers() {
    let x = Random::new(8).normal((3, 4, 2, 3, 2), DType::F64).unwrap();
    let generator = Generator::new(1);
    let own = || generator.clone();
    let all: Vec<(usize, Box<dyn ModuleT>)> = vec![
        (5, Box::new(Dropout::new(0.4).unwrap().with_generator(own()))),
        (3, Box::new(Dropout1d::new(0.4).unwrap().with_generator(own()))),
        (2, Box::new(Dropout1d::new(0.4).unwrap().with_generator(own()))),
        (4, Box::new(Dropout2d::new(0.4).unwrap().with_generator(own()))),
        (5, Box::new(Dropout3d::new(0.4).unwrap().with_generator(own()))),
        (4, Box::new(Dropout3d::new(0.4).unwrap().with_generator(own()))),
        (3, Box::new(AlphaDropout::new(0.4).unwrap().with_generator(own()))),
        (
            4,
            Box::new(FeatureAlphaDropout::new(0.4).unwrap().with_generator(own())),
        ),
        (
            5,
            Box::new(Rrelu::new(&RreluConfig::default()).unwrap().with_generator(own())),
        ),
    ];
    for (rank, layer) in all {
        let x = x.flatten_from(rank - 1).unwrap();
        for train in [true, false] {
            assert_gradients(&[("x", &x)], |t: &[Tensor]| {
                generator.restore(1, 0);
                // In evaluation the output is the input itself, whose memory the check changes: a copy of it isn't.
                layer.forward_t(&t[0], train)?.affine(1., 0.)
            });
        }
    }
}

/// A gradient check can't see what isn't a derivative: padding and sharing by frequency are tested in the layer's file.
#[test]
fn embedding() {
    for max_norm in [None, Some(1.)] {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let cfg = EmbeddingConfig {
            max_norm,
            ..EmbeddingConfig::new(6, 5)
        };
        let layer = Embedding::new(&cfg, store.builder()).unwrap();
        // Short enough that the differences stay below the bound.
        let short = (store.get("weight").unwrap() * 0.1).unwrap();
        store.set("weight", &short).unwrap();
        let ids = Tensor::new(&[[0i64, 2, 5], [2, 2, 1]], &Device::Cpu).unwrap();
        sconce_testkit::assert_parameter_gradients(&[], &store.named_parameters(), |_: &[Tensor]| {
            layer.forward(&ids)
        });
    }
}

#[test]
fn mlp() {
    for hidden in [vec![], vec![5], vec![6, 3]] {
        check(
            &[4, 3],
            |store| {
                let cfg = MlpConfig {
                    activation: Activation::Tanh,
                    ..MlpConfig::new(3, hidden, 2)
                };
                Box::new(Mlp::new(&cfg, store.builder()).unwrap())
            },
            &[],
        );
    }
}

#[test]
fn flatten_and_sequential() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let net = Sequential::new()
        .push(Tanh)
        .push(Flatten::default())
        .push(Linear::new(&LinearConfig::new(12, 3), store.builder()).unwrap());
    let x = Random::new(7).normal((2, 3, 4), DType::F64).unwrap();
    GradCheck::default().assert(&[("x", &x)], &store.named_parameters(), |t: &[Tensor]| {
        net.forward_t(&t[0], true)
    });
}
