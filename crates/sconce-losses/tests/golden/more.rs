//! Losses of margins, distributions, embeddings and regions, built from a case's configuration.

use crate::{Leaves, reduction};
use candle_core::{D, Result, Tensor};
use sconce_losses::*;

pub(crate) fn loss(leaves: &Leaves<'_>) -> Result<Tensor> {
    let case = leaves.case;
    let number = |name: &str| case.config()[name].as_f64().unwrap();
    let flag = |name: &str| case.config()[name].as_bool().unwrap();
    let r = reduction(case);
    let get = |name: &str| leaves.get(name);
    let margin = || number("margin");
    match case.kind() {
        "log_cosh" => log_cosh(&get("x"), &get("target"), r),
        "quantile" => quantile(&get("x"), &get("target"), number("q"), r),
        "poisson_nll" => {
            let cfg = PoissonNllConfig {
                log_input: flag("log_input"),
                full: flag("full"),
                eps: number("eps"),
            };
            poisson_nll(&get("x"), &get("target"), &cfg, r)
        }
        "gaussian_nll" => {
            let cfg = GaussianNllConfig {
                full: flag("full"),
                eps: number("eps"),
            };
            gaussian_nll(&get("x"), &get("target"), &get("var"), &cfg, r)
        }
        "kl_div" => {
            let cfg = KlDivConfig {
                log_target: flag("log_target"),
                batchmean: case.config()["reduction"] == "batchmean",
            };
            kl_div(&get("x"), &get("target"), &cfg, r)
        }
        "sigmoid_focal" => {
            let cfg = SigmoidFocalConfig {
                alpha: Some(number("alpha")).filter(|alpha| *alpha >= 0.),
                gamma: number("gamma"),
            };
            sigmoid_focal(&get("x"), &get("target"), &cfg, r)
        }
        "softmax_focal" => {
            let cfg = SoftmaxFocalConfig {
                weight: leaves.constant("weight"),
                gamma: number("gamma"),
                ignore_index: number("ignore_index") as i64,
            };
            softmax_focal(&get("x"), &get("target"), &cfg, r)
        }
        "hinge" => hinge(&get("x"), &leaves.target(), r),
        "soft_margin" => soft_margin(&get("x"), &leaves.target(), r),
        "hinge_embedding" => hinge_embedding(&get("x"), &leaves.target(), margin(), r),
        "multi_margin" => {
            let cfg = MultiMarginConfig {
                p: match number("p") {
                    1. => MultiMarginNorm::One,
                    _ => MultiMarginNorm::Two,
                },
                margin: margin(),
                weight: leaves.constant("weight"),
            };
            multi_margin(&get("x"), &get("target"), &cfg, r)
        }
        "multilabel_margin" => multilabel_margin(&get("x"), &get("target"), r),
        "multilabel_soft_margin" => {
            let weight = leaves.constant("weight");
            multilabel_soft_margin(&get("x"), &get("target"), weight.as_ref(), r)
        }
        "margin_ranking" => margin_ranking(&get("a"), &get("b"), &leaves.target(), margin(), r),
        "cosine_embedding" => cosine_embedding(&get("a"), &get("b"), &leaves.target(), margin(), r),
        "triplet" => {
            let cfg = TripletMarginConfig {
                margin: margin(),
                p: case.config()["p"].as_f64().unwrap_or(f64::INFINITY),
                eps: number("eps"),
                swap: flag("swap"),
            };
            triplet_margin(&get("a"), &get("p"), &get("n"), &cfg, r)
        }
        "triplet_with_distance" => {
            let squared = |x: &Tensor, y: &Tensor| (x - y)?.sqr()?.sum(D::Minus1);
            let [a, p, n] = ["a", "p", "n"].map(get);
            triplet_margin_with_distance(&a, &p, &n, squared, margin(), flag("swap"), r)
        }
        "info_nce" => {
            let cfg = InfoNceConfig {
                temperature: number("temperature"),
                negatives: leaves.optional("negatives"),
            };
            info_nce(&get("a"), &get("b"), &cfg, r)
        }
        "nt_xent" => nt_xent(&get("a"), &get("b"), number("temperature"), r),
        "dice" => {
            let cfg = DiceConfig {
                smooth: number("smooth"),
                squared: flag("squared"),
                batch: flag("batch"),
            };
            dice(&get("x"), &get("target"), &cfg, r)
        }
        "iou" => {
            let cfg = IouConfig {
                smooth: number("smooth"),
                batch: flag("batch"),
            };
            iou(&get("x"), &get("target"), &cfg, r)
        }
        kind => candle_core::bail!("unknown kind {kind}"),
    }
}
