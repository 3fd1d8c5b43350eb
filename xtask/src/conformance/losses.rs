//! Losses: cross-entropy with class numbers, mean squared error.

use sconce::losses::{CrossEntropyConfig, Reduction, cross_entropy_with, mse};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let reduction = match setting.text("reduction")? {
        "none" => Reduction::None,
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        other => return Err(Stop::Unsupported(format!("reduction {other}"))),
    };
    let (x, loss) = match setting.kind() {
        "cross_entropy" => {
            let cfg = CrossEntropyConfig {
                weight: setting.optional_tensor("in.weight")?,
                ignore_index: setting.number("ignore_index")? as i64,
                label_smoothing: setting.number("label_smoothing")?,
            };
            let x = setting.variable("x")?;
            let loss = cross_entropy_with(&x, &setting.tensor("in.target")?, &cfg, reduction)?;
            (x, loss)
        }
        "mse" => {
            let x = setting.variable("x")?;
            let loss = mse(&x, &setting.tensor("in.target")?, reduction)?;
            (x, loss)
        }
        _ => return Err(Stop::kind(setting)),
    };
    Results::of(setting, &[loss], &[("x", &x)], &setting.store())
}
