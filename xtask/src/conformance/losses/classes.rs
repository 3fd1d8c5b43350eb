//! Focal losses, and those that ask for a margin.

use sconce::losses::{
    MultiMarginConfig, MultiMarginNorm, Reduction, SigmoidFocalConfig, SoftmaxFocalConfig, hinge,
    multi_margin, multilabel_margin, multilabel_soft_margin, sigmoid_focal, soft_margin, softmax_focal,
};

use super::super::{Results, Setting, Stop};
use super::{of_classes, of_numbers};

pub(super) fn run(setting: &Setting<'_>, reduction: Reduction) -> Result<Results, Stop> {
    match setting.kind() {
        "sigmoid_focal" => {
            let default = SigmoidFocalConfig::default();
            let alpha = setting.optional_number("alpha")?;
            let cfg = SigmoidFocalConfig {
                // torchvision's way to say that there is none.
                alpha: alpha.map_or(default.alpha, |alpha| (alpha != -1.).then_some(alpha)),
                gamma: setting.optional_number("gamma")?.unwrap_or(default.gamma),
            };
            of_numbers(setting, |x, target| sigmoid_focal(x, target, &cfg, reduction))
        }
        "softmax_focal" => {
            let cfg = SoftmaxFocalConfig {
                weight: setting.optional_tensor("in.weight")?,
                gamma: setting.number("gamma")?,
                ignore_index: setting.number("ignore_index")? as i64,
            };
            of_classes(setting, |x, target| softmax_focal(x, target, &cfg, reduction))
        }
        "hinge" => of_classes(setting, |x, target| hinge(x, target, reduction)),
        "soft_margin" => of_classes(setting, |x, target| soft_margin(x, target, reduction)),
        "multi_margin" => {
            let p = match setting.optional_size("p")? {
                None | Some(1) => MultiMarginNorm::One,
                Some(2) => MultiMarginNorm::Two,
                Some(p) => return Err(Stop::Unsupported(format!("multi_margin with p {p}"))),
            };
            let cfg = MultiMarginConfig {
                p,
                margin: setting.optional_number("margin")?.unwrap_or(1.),
                weight: setting.optional_tensor("in.weight")?,
            };
            of_classes(setting, |x, target| multi_margin(x, target, &cfg, reduction))
        }
        "multilabel_margin" => of_classes(setting, |x, target| multilabel_margin(x, target, reduction)),
        _ => {
            let weight = setting.optional_tensor("in.weight")?;
            of_numbers(setting, |x, target| {
                multilabel_soft_margin(x, target, weight.as_ref(), reduction)
            })
        }
    }
}
