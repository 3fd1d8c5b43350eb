//! Losses of how regions overlap.

use sconce::losses::{DiceConfig, IouConfig, Reduction, dice, iou};

use super::super::{Results, Setting, Stop};
use super::of_numbers;

pub(super) fn run(setting: &Setting<'_>, reduction: Reduction) -> Result<Results, Stop> {
    let (smooth, batch) = (setting.number("smooth")?, setting.flag("batch")?);
    if setting.kind() == "iou" {
        let cfg = IouConfig { smooth, batch };
        return of_numbers(setting, |x, target| iou(x, target, &cfg, reduction));
    }
    let squared = setting.flag("squared")?;
    let cfg = DiceConfig {
        smooth,
        squared,
        batch,
    };
    of_numbers(setting, |x, target| dice(x, target, &cfg, reduction))
}
