//! Upsampling and padding.

use sconce::cnn::{Pad, Upsample, UpsampleConfig, UpsampleMode, UpsampleTo, pad};
use sconce::core::candle_core::{Module, Tensor};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let y = match setting.kind() {
        "upsample" => upsample(setting, &x)?,
        "pad" => {
            let value = setting.number("value")?;
            let mode = match setting.text("mode")? {
                "constant" => Pad::Constant(value),
                "reflect" => Pad::Reflect,
                "replicate" => Pad::Replicate,
                "circular" => Pad::Circular,
                other => return Err(Stop::Unsupported(format!("padding mode {other}"))),
            };
            let (before, after) = (setting.numbers("before")?, setting.numbers("after")?);
            let sides = before.into_iter().zip(after);
            let amounts: Vec<[isize; 2]> = sides.map(|(a, b)| [a as isize, b as isize]).collect();
            pad(&x, &amounts, mode)?
        }
        _ => return Err(Stop::kind(setting)),
    };
    Results::of(setting, &[y], &[("x", &x)], &setting.store())
}

fn upsample(setting: &Setting<'_>, x: &Tensor) -> Result<Tensor, Stop> {
    let to = match (setting.is_given("size"), setting.is_given("scale")) {
        (true, _) => UpsampleTo::Size(setting.sizes("size")?),
        _ => UpsampleTo::Scale(setting.numbers("scale")?),
    };
    let cfg = UpsampleConfig {
        mode: match setting.text("mode")? {
            "nearest" => UpsampleMode::Nearest,
            "nearest-exact" => UpsampleMode::NearestExact,
            "linear" => UpsampleMode::Linear,
            "bicubic" => UpsampleMode::Cubic,
            other => return Err(Stop::Unsupported(format!("mode {other}"))),
        },
        align_corners: setting.flag("align_corners")?,
        recompute_scale_factor: setting.flag("recompute_scale_factor")?,
        ..UpsampleConfig::new(to)
    };
    Ok(Upsample::new(&cfg)?.forward(x)?)
}
