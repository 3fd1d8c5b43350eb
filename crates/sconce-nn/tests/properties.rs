//! Random options, shapes, dtypes and layouts at every public constructor and forward: an error or a value, never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use proptest::prelude::*;
use sconce_core::{Generator, ParamStore, Parameters, backward, candle_nn::VarBuilder};
use sconce_nn::*;
use sconce_testkit::property::{check_same_bits, check_thread_independence};
use sconce_testkit::{Layout, Random};

/// A layer that takes a training flag or not, as one thing.
enum Layer {
    Plain(Box<dyn Module + Sync>),
    Train(Box<dyn ModuleT + Sync>),
}

impl Layer {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Plain(layer) => layer.forward(x),
            Self::Train(layer) => layer.forward_t(x, train),
        }
    }
}

/// What options are made of.
#[derive(Debug, Clone)]
struct Options {
    sizes: [usize; 3],
    numbers: [f64; 2],
    some: bool,
    flags: [bool; 2],
    dim: isize,
}

fn options() -> impl Strategy<Value = Options> {
    let number = || {
        prop_oneof![
            Just(0.),
            Just(1.),
            Just(0.1),
            Just(f64::NAN),
            Just(f64::INFINITY),
            -2.0f64..2.
        ]
    };
    (
        [0usize..5, 0usize..5, 0usize..4],
        [number(), number()],
        any::<bool>(),
        any::<[bool; 2]>(),
        prop_oneof![-5isize..6, Just(isize::MIN), Just(isize::MAX)],
    )
        .prop_map(|(sizes, numbers, some, flags, dim)| Options {
            sizes,
            numbers,
            some,
            flags,
            dim,
        })
}

const KINDS: usize = 41;

/// The layer of a number.
fn build(kind: usize, options: &Options, vb: VarBuilder) -> sconce_core::Result<Layer> {
    let Options {
        sizes: [a, b, c],
        numbers: [p, q],
        some,
        flags: [f, g],
        dim,
    } = *options;
    fn plain(layer: impl Module + Sync + 'static) -> Layer {
        Layer::Plain(Box::new(layer))
    }
    fn train(layer: impl ModuleT + Sync + 'static) -> Layer {
        Layer::Train(Box::new(layer))
    }
    let batch = BatchNormConfig {
        eps: q,
        momentum: some.then_some(p),
        affine: f,
        track_running_stats: g,
        ..BatchNormConfig::new(a)
    };
    let instance = InstanceNormConfig {
        eps: q,
        momentum: some.then_some(p),
        affine: f,
        track_running_stats: g,
        ..InstanceNormConfig::new(a)
    };
    let shape = vec![a, b][..c.min(2)].to_vec();
    let axis = some.then_some(dim);
    Ok(match kind {
        0 => train(BatchNorm1d::new(&batch, vb)?),
        1 => train(BatchNorm2d::new(&batch, vb)?),
        2 => train(BatchNorm3d::new(&batch, vb)?),
        3 => train(InstanceNorm1d::new(&instance, vb)?),
        4 => train(InstanceNorm2d::new(&instance, vb)?),
        5 => train(InstanceNorm3d::new(&instance, vb)?),
        6 => plain(GroupNorm::new(
            &GroupNormConfig {
                eps: q,
                affine: f,
                ..GroupNormConfig::new(b, a)
            },
            vb,
        )?),
        7 => plain(LayerNorm::new(
            &LayerNormConfig {
                eps: q,
                elementwise_affine: f,
                bias: g,
                ..LayerNormConfig::new(shape)
            },
            vb,
        )?),
        8 => plain(RmsNorm::new(
            &RmsNormConfig {
                eps: some.then_some(q),
                elementwise_affine: f,
                ..RmsNormConfig::new(shape)
            },
            vb,
        )?),
        9 => plain(Prelu::new(
            &PreluConfig {
                num_parameters: a,
                init: p,
            },
            vb,
        )?),
        10 => train(Rrelu::new(&RreluConfig { lower: p, upper: q })?),
        11 => train(Dropout::new(p)?),
        12 => train(Dropout1d::new(p)?),
        13 => train(Dropout2d::new(p)?),
        14 => train(Dropout3d::new(p)?),
        15 => train(AlphaDropout::new(p)?),
        16 => train(FeatureAlphaDropout::new(p)?),
        17 => plain(Glu { dim }),
        18 => plain(Softmax { dim: axis }),
        19 => plain(LogSoftmax { dim: axis }),
        20 => plain(Softmin { dim: axis }),
        21 => plain(Softmax2d),
        22 => plain(Celu { alpha: p }),
        23 => plain(Elu { alpha: p }),
        24 => plain(LeakyRelu { negative_slope: p }),
        25 => plain(Softplus {
            beta: p,
            threshold: q,
        }),
        26 => plain(Hardtanh {
            min_val: p,
            max_val: q,
        }),
        27 => plain(Hardshrink { lambd: p }),
        28 => plain(Softshrink { lambd: p }),
        29 => plain(Threshold {
            threshold: p,
            value: q,
        }),
        30 => plain(Embedding::new(
            &EmbeddingConfig {
                padding_idx: f.then_some(c),
                max_norm: some.then_some(p),
                norm_type: q,
                scale_grad_by_freq: g,
                ..EmbeddingConfig::new(a, b)
            },
            vb,
        )?),
        31 => plain(Linear::new(
            &LinearConfig {
                bias: f,
                ..LinearConfig::new(a, b)
            },
            vb,
        )?),
        32 => train(Mlp::new(
            &MlpConfig {
                dropout: p,
                ..MlpConfig::new(a, vec![b; c], c)
            },
            vb,
        )?),
        33 => plain(Flatten {
            start_dim: a,
            end_dim: dim,
        }),
        _ => plain(Activation::ALL[(kind + 7 * a + b) % Activation::ALL.len()].1),
    })
}

fn dtype() -> impl Strategy<Value = DType> {
    prop_oneof![
        4 => Just(DType::F32), 4 => Just(DType::F64), 1 => Just(DType::F16), 1 => Just(DType::BF16),
        1 => Just(DType::U32), 1 => Just(DType::I64)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_value_or_an_error(
        kind in 0..KINDS, options in options(), shape in proptest::collection::vec(0usize..5, 0..6), given in dtype(),
        held in prop_oneof![Just(DType::F32), Just(DType::F64), Just(DType::F16)], same in any::<bool>(), fits in any::<bool>(),
        train in any::<bool>(), layout in 0..Layout::ALL.len(),
    ) {
        let store = ParamStore::new(held, &Device::Cpu).seeded(1);
        let dtype = if same { held } else { given };
        let layer = match build(kind, &options, store.builder()) {
            Ok(layer) => layer,
            Err(error) => {
                prop_assert!(error.to_string().contains("expected"), "{}", error);
                return Ok(());
            }
        };
        let mut shape = shape;
        // Every other input has the channels that were asked for.
        if let (true, Some(channels)) = (fits, shape.get_mut(1)) {
            *channels = options.sizes[0];
        }
        let x = Random::new(2).normal(shape, DType::F64).unwrap().to_dtype(dtype).unwrap();
        let x = Layout::ALL[layout].apply(&x).unwrap();
        if let Ok(y) = layer.forward(&x, train)
            && y.dtype().is_float()
            && y.elem_count() > 0
        {
            // Every parameter has its gradient. candle's own operations drop that of an empty tensor.
            let loss = y.to_dtype(DType::F64).unwrap().sum_all().unwrap();
            if !store.named_parameters().is_empty() {
                let gradients = backward(&loss, &store).unwrap();
                prop_assert_eq!(gradients.missing(), &[] as &[String]);
            }
        }
    }
}

/// The layers whose loops are shared out among threads, on inputs large enough for it.
#[test]
fn threads_make_no_difference() {
    let x = Random::new(3).normal((4, 8, 70, 70), DType::F32).unwrap();
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let generator = Generator::new(1);
    let instance = InstanceNormConfig {
        affine: true,
        track_running_stats: true,
        ..InstanceNormConfig::new(8)
    };
    let layers: [Layer; 7] = [
        Layer::Plain(Box::new(
            GroupNorm::new(&GroupNormConfig::new(4, 8), store.builder().pp("g")).unwrap(),
        )),
        Layer::Train(Box::new(
            InstanceNorm2d::new(&instance, store.builder().pp("i")).unwrap(),
        )),
        Layer::Plain(Box::new(
            RmsNorm::new(&RmsNormConfig::new([70]), store.builder().pp("r")).unwrap(),
        )),
        Layer::Plain(Box::new(
            Prelu::new(&PreluConfig::default(), store.builder().pp("p")).unwrap(),
        )),
        Layer::Plain(Box::new(Mish)),
        Layer::Plain(Box::new(Glu::default())),
        Layer::Train(Box::new(
            AlphaDropout::new(0.5).unwrap().with_generator(generator.clone()),
        )),
    ];
    for layer in layers {
        check_thread_independence(|| {
            generator.restore(1, 0);
            let x = candle_core::Var::from_tensor(&x)?;
            let y = layer.forward(&x, true)?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            Ok(vec![y.detach(), grads.get(&x).unwrap().clone()])
        })
        .unwrap();
    }
}

/// The same seed gives the same bits.
#[test]
fn random_layers_are_reproducible() {
    let x = Random::new(3).normal((6, 5, 4), DType::F32).unwrap();
    for kind in 10..17 {
        let options = Options {
            sizes: [1; 3],
            numbers: [0.5, 0.7],
            some: true,
            flags: [true; 2],
            dim: 0,
        };
        let vb = ParamStore::new(DType::F32, &Device::Cpu).builder();
        let layer = build(kind, &options, vb).unwrap();
        let draw = || {
            sconce_core::manual_seed(7);
            layer.forward(&x, true)
        };
        if let (Ok(a), Ok(b)) = (draw(), draw()) {
            check_same_bits("two passes from one seed", &a, &b).unwrap();
        } else {
            assert_eq!(kind, 14, "three axes are too few for Dropout3d alone");
        }
    }
}
