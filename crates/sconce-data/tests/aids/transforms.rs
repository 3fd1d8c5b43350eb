//! What the transforms of images give for a configuration of the golden files.

use super::data::candle_core::{DType, Tensor};
use super::data::transforms::{
    Interpolation, RotateConfig, center_crop, horizontal_flip, mix_up, one_hot, rotate, vertical_flip,
};
use super::data::{self, Error};
use serde_json::Value;

type Result<T> = std::result::Result<T, String>;

fn told(error: impl Into<Error>) -> String {
    error.into().to_string()
}

fn size(config: &Value, key: &str) -> Result<usize> {
    let size = config.get(key).and_then(Value::as_u64);
    size.map(|size| size as usize).ok_or_else(|| format!("no {key}"))
}

fn number(config: &Value, key: &str) -> Result<f64> {
    let number = config.get(key).and_then(Value::as_f64);
    number.ok_or_else(|| format!("no {key}"))
}

/// The outputs of a case, or what of it is none; `input` gives the case's inputs by name.
pub(crate) fn results(config: &Value, input: impl Fn(&str) -> Result<Tensor>) -> Result<Vec<Tensor>> {
    let x = input("x")?;
    let one = |y: data::Result<Tensor>| y.map(|y| vec![y]).map_err(told);
    match config.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "center_crop" => one(center_crop(&x, size(config, "height")?, size(config, "width")?)),
        "horizontal_flip" => one(horizontal_flip(&x)),
        "vertical_flip" => one(vertical_flip(&x)),
        "rotate" => {
            let cfg = RotateConfig {
                interpolation: match config.get("mode").and_then(Value::as_str) {
                    Some("nearest") => Interpolation::Nearest,
                    Some("bilinear") => Interpolation::Bilinear,
                    other => return Err(format!("interpolation {other:?}")),
                },
                fill: config.get("fill").and_then(Value::as_f64),
            };
            one(rotate(&x, number(config, "degrees")?, &cfg))
        }
        "mix_up" => {
            let expected = input("targets")?;
            let classes = expected.dim(1).map_err(told)?;
            let one_hot = one_hot(&input("labels")?, classes).map_err(told)?;
            let targets = one_hot.to_dtype(expected.dtype()).map_err(told)?;
            let apart = (&targets - &expected).and_then(|apart| apart.abs()?.sum_all()?.to_dtype(DType::F64));
            if apart.and_then(|apart| apart.to_scalar::<f64>()).map_err(told)? != 0. {
                return Err(format!("one-hot targets {targets}, expected {expected}"));
            }
            let (x, targets) = mix_up(&x, &targets, number(config, "share")?).map_err(told)?;
            Ok(vec![x, targets])
        }
        kind => Err(kind.to_string()),
    }
}
