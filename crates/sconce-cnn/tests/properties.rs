//! Any options and any shapes: a value or an error, never a panic.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use proptest::prelude::*;
use sconce_cnn::{
    AdaptiveAvgPool, AdaptiveMaxPool, AdaptivePoolConfig, AvgPool, AvgPoolConfig, Conv, ConvConfig,
    ConvOptions, ConvTranspose, ConvTransposeConfig, LeNet, LeNetConfig, MaxPool, MaxPoolConfig, Pad,
    Padding, PaddingMode, ResNet, ResNetConfig, Stem, UNet, UNetConfig, Upsample, UpsampleConfig,
    UpsampleMode, UpsampleTo, Window, conv, output_size, pad, receptive_field, transposed_output_size,
};
use sconce_core::candle_core::{self, DType, Device, Module, ModuleT, Tensor, Var};
use sconce_core::{Error, ParamStore};
use sconce_testkit::Random;
use sconce_testkit::property::check_same_bits;

/// Mostly small numbers, sometimes 0 or absurd ones.
fn number() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1usize..4, 1 => Just(0), 1 => prop_oneof![Just(usize::MAX), Just(usize::MAX / 2), Just(1 << 40)]]
}

fn numbers<const N: usize>() -> impl Strategy<Value = [usize; N]> {
    prop_oneof![
        16 => proptest::array::uniform(1usize..4),
        1 => proptest::array::uniform(0usize..3),
        1 => proptest::array::uniform(number()),
    ]
}

/// A batch and lengths of axes, or, now and then, any shape at all.
#[derive(Debug, Clone)]
enum Shape {
    Fitting(usize, Vec<usize>),
    Any(Vec<usize>),
}

impl Shape {
    fn dims(self, channels: usize) -> Vec<usize> {
        match self {
            Self::Fitting(batch, lengths) => [vec![batch, channels], lengths].concat(),
            Self::Any(dims) => dims,
        }
    }
}

fn shape(axes: usize) -> impl Strategy<Value = Shape> {
    let lengths = proptest::collection::vec(prop_oneof![9 => 1usize..9, 1 => Just(0)], axes);
    prop_oneof![
        8 => (0usize..3, lengths).prop_map(|(batch, lengths)| Shape::Fitting(batch, lengths)),
        1 => proptest::collection::vec(0usize..5, 0..6).prop_map(Shape::Any),
    ]
}

fn mode() -> impl Strategy<Value = PaddingMode> {
    proptest::sample::select(vec![
        PaddingMode::Zeros,
        PaddingMode::Reflect,
        PaddingMode::Replicate,
        PaddingMode::Circular,
    ])
}

fn padding<const N: usize>() -> impl Strategy<Value = Padding<N>> {
    // Absurd amounts are those that overflow: what merely doesn't fit into memory is not for a test.
    let amounts = prop_oneof![
        6 => proptest::array::uniform(0usize..4),
        1 => proptest::array::uniform(Just(usize::MAX / 2)),
    ];
    prop_oneof![4 => amounts.prop_map(Padding::Explicit), 1 => Just(Padding::Same), 1 => Just(Padding::Valid)]
}

/// Runs a layer, and its gradient where it has an output; an error has to say something.
fn run(
    dims: &[usize],
    dtype: DType,
    layer: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Option<Vec<usize>> {
    let x = Var::from_tensor(&Random::new(1).normal(dims, dtype).unwrap()).unwrap();
    match layer(&x) {
        Ok(y) => {
            let grads = y.sum_all().unwrap().backward().unwrap();
            if let Some(grad) = grads.get(&x) {
                assert_eq!(grad.dims(), dims);
            }
            // The same bits a second time.
            check_same_bits("twice", &layer(&x).unwrap(), &y).unwrap();
            Some(y.dims().to_vec())
        }
        Err(error) => {
            let error = Error::from(error);
            assert!(!matches!(error, Error::Candle(_)), "{dims:?}: {error}");
            assert!(error.to_string().contains("expected"), "{error}");
            None
        }
    }
}

/// A typed error for options that make no sense.
fn accepted<T>(layer: sconce_core::Result<T>) -> Option<T> {
    match layer {
        Ok(layer) => Some(layer),
        Err(error) => {
            assert!(matches!(error, Error::Config { .. }), "{error}");
            None
        }
    }
}

macro_rules! for_axes {
    ($module:ident, $n:literal) => {
        mod $module {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(300))]

                #[test]
                fn convolution(
                    channels in (1usize..3, 1usize..3, prop_oneof![15 => 1usize..3, 1 => Just(0)]),
                    in_channels in prop_oneof![9 => Just(None), 1 => number().prop_map(Some)],
                    sizes in (numbers::<$n>(), numbers::<$n>(), numbers::<$n>()),
                    padding in padding::<$n>(),
                    padding_mode in mode(),
                    bias in any::<bool>(),
                    shape in shape($n),
                    other_dtype in 0..10,
                ) {
                    let (c_in, c_out, groups) = channels;
                    let (kernel, stride, dilation) = sizes;
                    let options = ConvOptions { stride, padding, padding_mode, dilation, groups, activation: None };
                    let cfg = ConvConfig {
                        stride, padding, padding_mode, dilation, groups, bias,
                        ..ConvConfig::<$n>::new(in_channels.unwrap_or(c_in * groups.max(1)), c_out * groups.max(1), kernel)
                    };
                    // Mostly that of the parameters.
                    let dtype = if other_dtype == 0 { DType::F64 } else { DType::F32 };
                    let dims = shape.dims(c_in * groups.max(1));
                    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
                    // A weight that is possible but needs no test: it doesn't fit into this machine.
                    if kernel.iter().all(|&size| size < 100) && cfg.in_channels < 100
                        && let Some(layer) = accepted(Conv::new(&cfg, store.builder())) {
                        run(&dims, dtype, |x| layer.forward(x));
                        let weight = store.get("weight").unwrap();
                        run(&dims, dtype, |x| conv(x, &weight, None, &options));
                    }
                }

                #[test]
                fn transposed_convolution(
                    channels in (1usize..3, 1usize..3, prop_oneof![15 => 1usize..3, 1 => Just(0)]),
                    sizes in (numbers::<$n>(), numbers::<$n>(), numbers::<$n>()),
                    padding in prop_oneof![9 => proptest::array::uniform(0usize..3), 1 => proptest::array::uniform(number())],
                    output_padding in prop_oneof![3 => Just([0; $n]), 1 => proptest::array::uniform(0usize..3)],
                    bias in any::<bool>(),
                    shape in shape($n),
                    wanted in proptest::array::uniform(0usize..20),
                ) {
                    let (c_in, c_out, groups) = channels;
                    let (kernel, stride, dilation) = sizes;
                    let cfg = ConvTransposeConfig {
                        stride, padding, output_padding, dilation, groups, bias,
                        ..ConvTransposeConfig::<$n>::new(c_in * groups.max(1), c_out * groups.max(1), kernel)
                    };
                    let dims = shape.dims(c_in * groups.max(1));
                    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
                    // A dilation of 2^40 gives an output that is possible, but not on this machine.
                    if kernel.iter().chain(&dilation).all(|&size| size < 100)
                        && let Some(layer) = accepted(ConvTranspose::new(&cfg, store.builder())) {
                        run(&dims, DType::F32, |x| layer.forward(x));
                        if let Some(got) = run(&dims, DType::F32, |x| layer.forward_to(x, wanted)) {
                            prop_assert_eq!(&got[2..], &wanted);
                        }
                    }
                }

                #[test]
                fn pooling(
                    sizes in (numbers::<$n>(), numbers::<$n>(), numbers::<$n>()),
                    stride_given in any::<bool>(),
                    padding in prop_oneof![9 => proptest::array::uniform(0usize..2), 1 => proptest::array::uniform(number())],
                    flags in (any::<bool>(), any::<bool>()),
                    divisor_override in proptest::option::of(prop_oneof![9 => 1usize..4, 1 => Just(0)]),
                    out in proptest::array::uniform(proptest::option::of(prop_oneof![9 => 1usize..6, 1 => Just(0)])),
                    shape in shape($n),
                    single in any::<bool>(),
                ) {
                    let (kernel, stride, dilation) = sizes;
                    let (ceil_mode, count_include_pad) = flags;
                    let dims = shape.dims(2);
                    let stride = stride_given.then_some(stride);
                    let dtype = if single { DType::F32 } else { DType::F64 };
                    let max = MaxPoolConfig { stride, padding, dilation, ceil_mode, ..MaxPoolConfig::<$n>::new(kernel) };
                    if let Some(layer) = accepted(MaxPool::new(&max)) {
                        run(&dims, dtype, |x| layer.forward(x));
                    }
                    let avg = AvgPoolConfig {
                        stride, padding, ceil_mode, count_include_pad, divisor_override,
                        ..AvgPoolConfig::<$n>::new(kernel)
                    };
                    if let Some(layer) = accepted(AvgPool::new(&avg)) {
                        run(&dims, dtype, |x| layer.forward(x));
                    }
                    let cfg = AdaptivePoolConfig::<$n> { output_size: out };
                    if let Some(layer) = accepted(AdaptiveAvgPool::new(&cfg)) {
                        run(&dims, dtype, |x| layer.forward(x));
                    }
                    if let Some(layer) = accepted(AdaptiveMaxPool::new(&cfg)) {
                        run(&dims, dtype, |x| layer.forward(x));
                    }
                }
            }
        }
    };
}

for_axes!(one, 1);
for_axes!(two, 2);
for_axes!(three, 3);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn resampling(
        axes in 1usize..4,
        one in any::<bool>(),
        sizes in proptest::option::of(proptest::collection::vec(prop_oneof![20 => 1usize..9, 1 => Just(0)], 3)),
        factors in proptest::collection::vec(
            prop_oneof![20 => 0.3f64..3., 1 => 0f64..1., 1 => Just(f64::INFINITY), 1 => Just(1e300)], 3),
        mode in proptest::sample::select(vec![
            UpsampleMode::Nearest, UpsampleMode::NearestExact, UpsampleMode::Linear, UpsampleMode::Cubic,
        ]),
        flags in (any::<bool>(), any::<bool>()),
        shape in (1usize..4).prop_flat_map(shape),
    ) {
        let count = if one { 1 } else { axes };
        let to = match sizes {
            Some(sizes) => UpsampleTo::Size(sizes[..count].to_vec()),
            None => UpsampleTo::Scale(factors[..count].to_vec()),
        };
        let dims = shape.dims(2);
        let cfg = UpsampleConfig {
            to,
            mode,
            align_corners: flags.0 && flags.1,
            recompute_scale_factor: flags.0,
        };
        if let Some(layer) = accepted(Upsample::new(&cfg)) {
            run(&dims, DType::F32, |x| layer.forward(x));
        }
    }

    #[test]
    fn padding_of_any_axes(
        amounts in proptest::collection::vec(
            proptest::array::uniform2(prop_oneof![30 => -1isize..3, 9 => -4isize..5, 1 => Just(isize::MIN), 1 => Just(isize::MAX)]),
            0..4),
        mode in proptest::sample::select(vec![Pad::Constant(2.), Pad::Reflect, Pad::Replicate, Pad::Circular]),
        dims in proptest::collection::vec(prop_oneof![9 => 2usize..5, 1 => 0usize..2], 2..5),
    ) {
        run(&dims, DType::F32, |x| pad(x, &amounts, mode));
    }

    #[test]
    fn sizes_agree(
        numbers in (number(), number(), number(), number(), number(), number()),
        padding in proptest::array::uniform2(number()),
        ceil in any::<bool>(),
    ) {
        let (length, kernel, stride, dilation, extra, _) = numbers;
        output_size(length, kernel, stride, padding, dilation, ceil);
        if let Some(size) = transposed_output_size(length, kernel, stride, padding, dilation, extra)
            && extra < stride
            && size.checked_add(padding[0]).and_then(|sum| sum.checked_add(padding[1])).is_some()
        {
            prop_assert_eq!(output_size(size, kernel, stride, padding, dilation, false), Some(length));
        }
        let window = Window { kernel, stride, padding: padding[0], dilation };
        let field = receptive_field(&[window, window]);
        prop_assert!(field.size >= 1);
    }

    #[test]
    fn networks(dims in prop_oneof![
        proptest::collection::vec(0usize..6, 0..6),
        (0usize..3, 1usize..9, 1usize..9).prop_map(|(batch, height, width)| vec![batch, 1, height, width]),
        (0usize..3).prop_map(|batch| vec![batch, 1, 28, 28]),
    ], seed in any::<u64>(), train in any::<bool>()) {
        let store = || ParamStore::new(DType::F32, &Device::Cpu).seeded(seed);
        let net = LeNet::new(&LeNetConfig::new(3), store().builder()).unwrap();
        run(&dims, DType::F32, |x| net.forward(x));
        for stem in [Stem::Small, Stem::Large] {
            let cfg = ResNetConfig { in_channels: 1, blocks: [1; 4], width: 1, stem, ..ResNetConfig::new(2) };
            let net = ResNet::new(&cfg, store().builder()).unwrap();
            run(&dims, DType::F32, |x| net.forward_t(x, train));
        }
        for bilinear in [false, true] {
            let cfg = UNetConfig { width: 2, depth: 1, bilinear, ..UNetConfig::new(1, 2) };
            let net = UNet::new(&cfg, store().builder()).unwrap();
            if let Some(got) = run(&dims, DType::F32, |x| net.forward_t(x, train)) {
                prop_assert_eq!(&got[2..], &dims[2..]);
            }
        }
    }
}
