//! Losses of classes, of yes and no, of numbers, distributions, embeddings and regions.

mod classes;
mod distributions;
mod embeddings;
mod regions;

use sconce::core::candle_core::{self, D, Tensor, Var};
use sconce::losses::{
    BceConfig, BceWithLogitsConfig, CrossEntropyConfig, CtcConfig, NllConfig, Reduction, bce,
    bce_with_logits, cross_entropy_with, ctc, huber, huber_weighted, l1, l1_weighted, log_cosh, mse,
    mse_weighted, nll, quantile, smooth_l1,
};

use sconce::nn::log_softmax;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let reduction = match setting.text("reduction")? {
        "none" => Reduction::None,
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        // The divergence alone has it, and an option for it.
        "batchmean" if setting.kind() == "kl_div" => Reduction::Mean,
        other => return Err(Stop::Unsupported(format!("reduction {other}"))),
    };
    let is_weighted = setting.optional_tensor("in.weight")?.is_some();
    match setting.kind() {
        "cross_entropy" => {
            let cfg = CrossEntropyConfig {
                weight: setting.optional_tensor("in.weight")?,
                ignore_index: setting.number("ignore_index")? as i64,
                label_smoothing: setting.number("label_smoothing")?,
            };
            of_classes(setting, |x, target| {
                cross_entropy_with(x, target, &cfg, reduction)
            })
        }
        "cross_entropy_soft" => {
            let cfg = CrossEntropyConfig {
                weight: setting.optional_tensor("in.weight")?,
                label_smoothing: setting.number("label_smoothing")?,
                ..CrossEntropyConfig::default()
            };
            of_numbers(setting, |x, target| {
                cross_entropy_with(x, target, &cfg, reduction)
            })
        }
        "nll" => {
            let default = NllConfig::default();
            let ignored = setting.optional_number("ignore_index")?;
            let cfg = NllConfig {
                weight: setting.optional_tensor("in.weight")?,
                ignore_index: ignored.map_or(default.ignore_index, |index| index as i64),
            };
            of_classes(setting, |x, target| nll(x, target, &cfg, reduction))
        }
        "bce" => {
            let weight = setting.optional_tensor("in.weight")?;
            of_numbers(setting, |x, target| {
                bce(x, target, &BceConfig { weight }, reduction)
            })
        }
        "bce_with_logits" => {
            let cfg = BceWithLogitsConfig {
                weight: setting.optional_tensor("in.weight")?,
                pos_weight: setting.optional_tensor("in.pos_weight")?,
            };
            of_numbers(setting, |x, target| bce_with_logits(x, target, &cfg, reduction))
        }
        "mse" if is_weighted => of_weighted(setting, |x, target, weight| {
            mse_weighted(x, target, weight, reduction)
        }),
        "l1" if is_weighted => of_weighted(setting, |x, target, weight| {
            l1_weighted(x, target, weight, reduction)
        }),
        "huber" if is_weighted => {
            let delta = setting.number("delta")?;
            of_weighted(setting, |x, target, weight| {
                huber_weighted(x, target, weight, delta, reduction)
            })
        }
        "mse" => of_numbers(setting, |x, target| mse(x, target, reduction)),
        "l1" => of_numbers(setting, |x, target| l1(x, target, reduction)),
        "smooth_l1" => {
            let beta = setting.number("beta")?;
            of_numbers(setting, |x, target| smooth_l1(x, target, beta, reduction))
        }
        "huber" => {
            let delta = setting.number("delta")?;
            of_numbers(setting, |x, target| huber(x, target, delta, reduction))
        }
        "ctc" => {
            let lengths = |name: &str| -> Result<Vec<usize>, Stop> {
                let lengths = setting.tensor(name)?.flatten_all()?.to_vec1::<i64>()?;
                Ok(lengths.into_iter().map(|length| length as usize).collect())
            };
            let (frames, labels) = (lengths("in.input_lengths")?, lengths("in.target_lengths")?);
            let default = CtcConfig::default();
            let cfg = CtcConfig {
                blank: setting.optional_size("blank")?.unwrap_or(default.blank),
                zero_infinity: setting.flag_or("zero_infinity", default.zero_infinity)?,
            };
            of_classes(setting, |x, targets| {
                let log_probs = log_softmax(x, D::Minus1)?;
                ctc(&log_probs, targets, &frames, &labels, &cfg, reduction)
            })
        }
        "log_cosh" => of_numbers(setting, |x, target| log_cosh(x, target, reduction)),
        "quantile" => {
            let q = setting.number("q")?;
            of_numbers(setting, |x, target| quantile(x, target, q, reduction))
        }
        "kl_div" | "poisson_nll" | "gaussian_nll" => distributions::run(setting, reduction),
        "sigmoid_focal"
        | "softmax_focal"
        | "hinge"
        | "soft_margin"
        | "multi_margin"
        | "multilabel_margin"
        | "multilabel_soft_margin" => classes::run(setting, reduction),
        "dice" | "iou" => regions::run(setting, reduction),
        _ => embeddings::run(setting, reduction),
    }
}

/// The results of a loss whose targets are class numbers.
fn of_classes(
    setting: &Setting<'_>,
    loss: impl FnOnce(&Var, &Tensor) -> candle_core::Result<Tensor>,
) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let loss = loss(&x, &setting.tensor("in.target")?)?;
    Results::of(setting, &[loss], &[("x", &x)], &setting.store())
}

/// The results of a loss whose targets are numbers, which take a gradient too.
fn of_numbers(
    setting: &Setting<'_>,
    loss: impl FnOnce(&Var, &Var) -> candle_core::Result<Tensor>,
) -> Result<Results, Stop> {
    let (x, target) = (setting.variable("x")?, setting.variable("target")?);
    let loss = loss(&x, &target)?;
    Results::of(
        setting,
        &[loss],
        &[("x", &x), ("target", &target)],
        &setting.store(),
    )
}

/// The results of a loss of numbers whose weights take a gradient too.
fn of_weighted(
    setting: &Setting<'_>,
    loss: impl FnOnce(&Var, &Var, &Var) -> candle_core::Result<Tensor>,
) -> Result<Results, Stop> {
    let [x, target, weight] = ["x", "target", "weight"].map(|name| setting.variable(name));
    let (x, target, weight) = (x?, target?, weight?);
    let loss = loss(&x, &target, &weight)?;
    let inputs = [("x", &x), ("target", &target), ("weight", &weight)];
    Results::of(setting, &[loss], &inputs, &setting.store())
}
