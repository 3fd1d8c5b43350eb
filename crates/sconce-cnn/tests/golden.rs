//! Outputs and gradients against PyTorch's.

use sconce_cnn::{
    AvgPool2d, AvgPool2dConfig, Conv2d, Conv2dConfig, MaxPool2d, MaxPool2dConfig, Padding, PaddingMode,
};
use sconce_core::candle_core::{DType, Device, Module, Tensor, Var};
use sconce_core::{Gradients, ParamStore, backward};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn pair(case: &Case<'_>, key: &str) -> Result<[usize; 2]> {
    let values = case
        .config()
        .get(key)
        .and_then(|value| value.as_array())
        .ok_or(format!("no {key}"))?;
    let numbers: Vec<usize> = values
        .iter()
        .filter_map(|value| value.as_u64())
        .map(|n| n as usize)
        .collect();
    Ok(numbers.try_into().map_err(|_| format!("{key} isn't a pair"))?)
}

fn number(case: &Case<'_>, key: &str) -> usize {
    case.config()
        .get(key)
        .and_then(|value| value.as_u64())
        .unwrap_or_default() as usize
}

fn flag(case: &Case<'_>, key: &str) -> bool {
    case.config()
        .get(key)
        .and_then(|value| value.as_bool())
        .unwrap_or_default()
}

/// Runs a layer and compares its output and the gradients of its input and parameters, in both dtypes.
fn check(case: &Case<'_>, build: impl Fn(&ParamStore) -> Result<Box<dyn Module>>) -> Result<()> {
    for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        let layer = build(&store)?;
        for (name, value) in case.tensors("param.")? {
            store.set(&name, &value.to_dtype(dtype)?)?;
        }
        let x = Var::from_tensor(&case.tensor("in.x")?.to_dtype(dtype)?)?;
        let y = layer.forward(&x)?;
        let expect = |name: &str, tensor: &Tensor| -> Result<()> {
            Ok(compare(
                name,
                tensor,
                &case.tensor(name)?.to_dtype(dtype)?,
                bound,
            )?)
        };
        expect("out.0", &y)?;
        let loss = (y * case.tensor("cot.0")?.to_dtype(dtype)?)?.sum_all()?;
        let gradients: Gradients = backward(&loss, &store)?;
        expect("grad.in.x", gradients.of(&x).ok_or("no gradient for x")?)?;
        let names: Vec<&str> = case.names("grad.param.").collect();
        assert_eq!(names.len(), gradients.len());
        for name in names {
            expect(
                &format!("grad.param.{name}"),
                gradients.get(name).ok_or("no gradient")?,
            )?;
        }
    }
    Ok(())
}

fn conv(case: &Case<'_>) -> Result<()> {
    let cfg = Conv2dConfig {
        stride: pair(case, "stride")?,
        padding: Padding::Explicit(pair(case, "padding")?),
        dilation: pair(case, "dilation")?,
        groups: number(case, "groups"),
        bias: flag(case, "bias"),
        padding_mode: match case.config().get("mode").and_then(|mode| mode.as_str()) {
            Some("reflect") => PaddingMode::Reflect,
            Some("replicate") => PaddingMode::Replicate,
            Some("circular") => PaddingMode::Circular,
            _ => PaddingMode::Zeros,
        },
        ..Conv2dConfig::new(number(case, "cin"), number(case, "cout"), pair(case, "kernel")?)
    };
    check(case, |store| Ok(Box::new(Conv2d::new(&cfg, store.builder())?)))
}

fn max_pool(case: &Case<'_>) -> Result<()> {
    let cfg = MaxPool2dConfig {
        stride: Some(pair(case, "stride")?),
        padding: pair(case, "padding")?,
        dilation: pair(case, "dilation")?,
        ceil_mode: flag(case, "ceil"),
        ..MaxPool2dConfig::new(pair(case, "kernel")?)
    };
    check(case, |_| Ok(Box::new(MaxPool2d::new(&cfg)?)))
}

fn avg_pool(case: &Case<'_>) -> Result<()> {
    let cfg = AvgPool2dConfig {
        stride: Some(pair(case, "stride")?),
        padding: pair(case, "padding")?,
        ceil_mode: flag(case, "ceil"),
        count_include_pad: flag(case, "count_include_pad"),
        ..AvgPool2dConfig::new(pair(case, "kernel")?)
    };
    check(case, |_| Ok(Box::new(AvgPool2d::new(&cfg)?)))
}

#[test]
fn outputs_and_gradients_are_pytorchs() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for (family, least) in [("conv", 70), ("pool", 60)] {
        let cases = Cases::open(folder, family)?;
        let mut checked = 0;
        for case in cases.iter() {
            let run = match (case.kind(), number(&case, "nd")) {
                ("conv2d", _) => conv,
                ("max", 2) => max_pool,
                ("avg", 2) => avg_pool,
                _ => continue,
            };
            run(&case)
                .map_err(|error| format!("{family} case {} {}: {error}", case.index(), case.config()))?;
            checked += 1;
        }
        assert!(checked >= least, "{family}: {checked} cases");
    }
    Ok(())
}
