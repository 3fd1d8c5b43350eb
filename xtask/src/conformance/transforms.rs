//! Transforms of images.

use sconce::data::transforms::{
    Interpolation, RotateConfig, center_crop, horizontal_flip, mix_up, one_hot, rotate, vertical_flip,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.tensor("in.x")?;
    setting.ignore(&["dtype"]);
    let mut results = Results::default();
    let failed = |error: sconce::data::Error| Stop::Failed(error.to_string());
    let y = match setting.kind() {
        "center_crop" => center_crop(&x, setting.size("height")?, setting.size("width")?),
        "horizontal_flip" => horizontal_flip(&x),
        "vertical_flip" => vertical_flip(&x),
        "rotate" => {
            let cfg = RotateConfig {
                interpolation: match setting.text("mode")? {
                    "nearest" => Interpolation::Nearest,
                    "bilinear" => Interpolation::Bilinear,
                    other => return Err(Stop::Unsupported(format!("interpolation {other}"))),
                },
                fill: setting.optional_number("fill")?,
            };
            rotate(&x, setting.number("degrees")?, &cfg)
        }
        "mix_up" => {
            let given = setting.tensor("in.targets")?;
            let classes = given.dim(1)?;
            let targets = one_hot(&setting.tensor("in.labels")?, classes).map_err(failed)?;
            let targets = targets.to_dtype(given.dtype())?;
            let (y, targets) = mix_up(&x, &targets, setting.number("share")?).map_err(failed)?;
            results.add("out.1", &targets);
            Ok(y)
        }
        _ => return Err(Stop::kind(setting)),
    };
    results.add("out.0", &y.map_err(failed)?);
    Ok(results)
}
