//! Outputs and gradients against PyTorch's.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use sconce_cnn::{
    AdaptiveAvgPool, AdaptiveMaxPool, AdaptivePoolConfig, AvgPool, AvgPoolConfig, Conv, ConvConfig,
    ConvTranspose, ConvTransposeConfig, MaxPool, MaxPoolConfig, Pad, Padding, PaddingMode, ResNet,
    ResNetConfig, Stem, UNet, UNetConfig, Upsample, UpsampleConfig, UpsampleMode, UpsampleTo, pad,
};
use sconce_core::candle_core::{self, DType, Device, Module, ModuleT, Tensor, Var};
use sconce_core::{Gradients, ParamStore, backward};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What runs a case: from the store's builder, a function of the input.
type Layer = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor>>;

fn sizes<const N: usize>(case: &Case<'_>, key: &str) -> [usize; N] {
    let values = case.config()[key]
        .as_array()
        .unwrap_or_else(|| panic!("no {key}"));
    let numbers: Vec<usize> = values.iter().map(|n| n.as_u64().unwrap() as usize).collect();
    numbers.try_into().unwrap()
}

fn number(case: &Case<'_>, key: &str) -> usize {
    case.config()[key].as_u64().unwrap_or_default() as usize
}

fn flag(case: &Case<'_>, key: &str) -> bool {
    case.config()[key].as_bool().unwrap()
}

fn text<'a>(case: &Case<'a>, key: &str) -> &'a str {
    case.config()[key].as_str().unwrap_or_default()
}

/// Runs a layer and compares its output and the gradients of its input and parameters.
fn check(case: &Case<'_>, dtype: DType, build: impl Fn(&ParamStore) -> Result<Layer>) -> Result<()> {
    let bound = if dtype == DType::F64 {
        Bound::F64
    } else {
        Bound::F32
    };
    let store = ParamStore::new(dtype, &Device::Cpu);
    let layer = build(&store)?;
    for (name, value) in case.tensors("param.")? {
        let value = case.get(&format!("before.{name}"))?.unwrap_or(value);
        match name.ends_with("num_batches_tracked") {
            true => assert_eq!(store.get(&name)?.to_scalar::<i64>()?, 0),
            false => store.set(&name, &value.to_dtype(dtype)?)?,
        }
    }
    let x = Var::from_tensor(&case.tensor("in.x")?.to_dtype(dtype)?)?;
    let y = layer(&x)?;
    let expect = |name: &str, tensor: &Tensor| -> Result<()> {
        let expected = case.tensor(name)?;
        Ok(compare(name, tensor, &expected.to_dtype(tensor.dtype())?, bound)?)
    };
    expect("out.0", &y)?;
    let loss = (y * case.tensor("cot.0")?.to_dtype(dtype)?)?.sum_all()?;
    let gradients: Gradients = backward(&loss, &store)?;
    expect("grad.in.x", gradients.of(&x).ok_or("no gradient for x")?)?;
    let names: Vec<&str> = case.names("grad.param.").collect();
    assert_eq!(names.len(), gradients.len());
    for name in names {
        let gradient = gradients.get(name).ok_or("no gradient")?;
        expect(&format!("grad.param.{name}"), gradient)?;
    }
    // Running statistics have moved as PyTorch's.
    for name in case.names("param.") {
        expect(&format!("param.{name}"), &store.get(name)?)?;
    }
    Ok(())
}

fn in_both(case: &Case<'_>, build: impl Fn(&ParamStore) -> Result<Layer>) -> Result<()> {
    check(case, DType::F64, &build)?;
    check(case, DType::F32, &build)
}

fn module(layer: impl Module + 'static) -> Layer {
    Box::new(move |x| layer.forward(x))
}

fn conv<const N: usize>(case: &Case<'_>) -> Result<()> {
    let cfg = ConvConfig {
        stride: sizes(case, "stride"),
        padding: match text(case, "padding_name") {
            "same" => Padding::Same,
            "valid" => Padding::Valid,
            _ => Padding::Explicit(sizes(case, "padding")),
        },
        dilation: sizes(case, "dilation"),
        groups: number(case, "groups"),
        bias: flag(case, "bias"),
        padding_mode: match text(case, "mode") {
            "reflect" => PaddingMode::Reflect,
            "replicate" => PaddingMode::Replicate,
            "circular" => PaddingMode::Circular,
            _ => PaddingMode::Zeros,
        },
        ..ConvConfig::new(
            number(case, "cin"),
            number(case, "cout"),
            sizes::<N>(case, "kernel"),
        )
    };
    in_both(case, |store| Ok(module(Conv::new(&cfg, store.builder())?)))
}

fn conv_transpose<const N: usize>(case: &Case<'_>) -> Result<()> {
    let cfg = ConvTransposeConfig {
        stride: sizes(case, "stride"),
        padding: sizes(case, "padding"),
        output_padding: sizes(case, "output_padding"),
        dilation: sizes(case, "dilation"),
        groups: number(case, "groups"),
        bias: flag(case, "bias"),
        ..ConvTransposeConfig::new(
            number(case, "cin"),
            number(case, "cout"),
            sizes::<N>(case, "kernel"),
        )
    };
    in_both(case, |store| {
        Ok(module(ConvTranspose::new(&cfg, store.builder())?))
    })
}

fn pool<const N: usize>(case: &Case<'_>) -> Result<()> {
    let max = MaxPoolConfig {
        stride: Some(sizes(case, "stride")),
        padding: sizes(case, "padding"),
        dilation: sizes(case, "dilation"),
        ceil_mode: flag(case, "ceil"),
        ..MaxPoolConfig::new(sizes::<N>(case, "kernel"))
    };
    let avg = AvgPoolConfig {
        stride: max.stride,
        padding: max.padding,
        ceil_mode: max.ceil_mode,
        count_include_pad: flag(case, "count_include_pad"),
        divisor_override: Some(number(case, "divisor_override")).filter(|&divisor| divisor > 0),
        ..AvgPoolConfig::new(max.kernel_size)
    };
    let adaptive = AdaptivePoolConfig::new(sizes::<N>(case, "out"));
    in_both(case, |_| {
        Ok(match case.kind() {
            "max" => module(MaxPool::new(&max)?),
            "avg" => module(AvgPool::new(&avg)?),
            "adaptive_avg" => module(AdaptiveAvgPool::new(&adaptive)?),
            _ => module(AdaptiveMaxPool::new(&adaptive)?),
        })
    })
}

fn upsample(case: &Case<'_>) -> Result<()> {
    let list = |key: &str| {
        let values = case.config()[key].as_array();
        values.map(|values| values.iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>())
    };
    let to = match list("size") {
        Some(sizes) => UpsampleTo::Size(sizes.into_iter().map(|n| n as usize).collect()),
        None => UpsampleTo::Scale(list("scale").unwrap()),
    };
    let cfg = UpsampleConfig {
        mode: match text(case, "mode") {
            "nearest" => UpsampleMode::Nearest,
            "nearest-exact" => UpsampleMode::NearestExact,
            "linear" => UpsampleMode::Linear,
            _ => UpsampleMode::Cubic,
        },
        align_corners: flag(case, "align_corners"),
        recompute_scale_factor: flag(case, "recompute_scale_factor"),
        ..UpsampleConfig::new(to)
    };
    in_both(case, |_| Ok(module(Upsample::new(&cfg)?)))
}

fn padding(case: &Case<'_>) -> Result<()> {
    let list = |key: &str| case.config()[key].as_array().unwrap().clone();
    let sides = list("before").into_iter().zip(list("after"));
    let amounts: Vec<[isize; 2]> = sides
        .map(|(a, b)| [a, b].map(|n| n.as_i64().unwrap() as isize))
        .collect();
    let mode = match text(case, "mode") {
        "reflect" => Pad::Reflect,
        "replicate" => Pad::Replicate,
        "circular" => Pad::Circular,
        _ => Pad::Constant(case.config()["value"].as_f64().unwrap()),
    };
    in_both(case, |_| {
        let amounts = amounts.clone();
        Ok(Box::new(move |x| pad(x, &amounts, mode)))
    })
}

/// In f64 alone: a network's f32 is that of its layers.
fn network(case: &Case<'_>) -> Result<()> {
    let train = flag(case, "train");
    check(case, DType::F64, |store| {
        if case.kind() == "unet" {
            let cfg = UNetConfig {
                width: number(case, "width"),
                depth: number(case, "depth"),
                bilinear: flag(case, "bilinear"),
                ..UNetConfig::new(number(case, "channels"), number(case, "classes"))
            };
            let net = UNet::new(&cfg, store.builder())?;
            return Ok(Box::new(move |x| net.forward_t(x, train)));
        }
        let cfg = ResNetConfig {
            width: number(case, "width"),
            stem: match text(case, "stem") {
                "small" => Stem::Small,
                _ => Stem::Large,
            },
            ..ResNetConfig::new(number(case, "classes"))
        };
        let net = ResNet::new(&cfg, store.builder())?;
        Ok(Box::new(move |x| net.forward_t(x, train)))
    })
}

#[test]
fn outputs_and_gradients_are_pytorchs() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for (family, least) in [("conv", 158), ("pool", 141), ("resample", 38), ("vision", 6)] {
        let cases = Cases::open(folder, family)?;
        for case in cases.iter() {
            let run = match (case.kind(), number(&case, "nd")) {
                ("conv1d", _) => conv::<1>,
                ("conv2d", _) => conv::<2>,
                ("conv3d", _) => conv::<3>,
                ("conv_transpose1d", _) => conv_transpose::<1>,
                ("conv_transpose2d", _) => conv_transpose::<2>,
                ("conv_transpose3d", _) => conv_transpose::<3>,
                ("upsample", _) => upsample,
                ("pad", _) => padding,
                ("resnet18" | "unet", _) => network,
                (_, 1) => pool::<1>,
                (_, 2) => pool::<2>,
                _ => pool::<3>,
            };
            run(&case)
                .map_err(|error| format!("{family} case {} {}: {error}", case.index(), case.config()))?;
        }
        assert!(cases.len() >= least, "{family}: {} cases", cases.len());
    }
    Ok(())
}
