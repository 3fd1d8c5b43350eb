//! Losses and their gradients against PyTorch.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "golden/more.rs"]
mod more;

use candle_core::{D, DType, Result, Tensor, Var};
use sconce_losses::{
    BceConfig, BceWithLogitsConfig, CrossEntropyConfig, CtcConfig, NllConfig, Reduction, bce,
    bce_with_logits, cross_entropy_with, ctc, huber, huber_weighted, l1, l1_weighted, mse, mse_weighted, nll,
    smooth_l1,
};
use sconce_testkit::golden::{Bound, Case, Cases, compare};
use std::collections::BTreeMap;

/// A case's inputs in one precision; those of floating point take a gradient.
struct Leaves<'a> {
    case: Case<'a>,
    tensors: BTreeMap<String, Tensor>,
}

impl<'a> Leaves<'a> {
    fn new(case: Case<'a>, dtype: DType) -> Self {
        let leaf = |name: &str| {
            let tensor = case.tensor(&format!("in.{name}")).unwrap();
            let tensor = match tensor.dtype().is_float() {
                true => Var::from_tensor(&tensor.to_dtype(dtype).unwrap())
                    .unwrap()
                    .into_inner(),
                false => tensor,
            };
            (name.to_owned(), tensor)
        };
        Self {
            case,
            tensors: case.names("in.").map(leaf).collect(),
        }
    }

    fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    fn optional(&self, name: &str) -> Option<Tensor> {
        self.tensors.get(name).cloned()
    }

    /// An input that the loss has no gradient for.
    fn constant(&self, name: &str) -> Option<Tensor> {
        self.optional(name).map(|tensor| tensor.detach())
    }

    /// Labels that are constants.
    fn target(&self) -> Tensor {
        self.constant("target").unwrap()
    }
}

fn reduction(case: Case<'_>) -> Reduction {
    match case.config()["reduction"].as_str() {
        Some("none") => Reduction::None,
        Some("sum") => Reduction::Sum,
        _ => Reduction::Mean,
    }
}

fn loss(leaves: &Leaves<'_>) -> Result<Tensor> {
    let case = leaves.case;
    let option = |name: &str, default: f64| case.config().get(name).map_or(default, |v| v.as_f64().unwrap());
    let reduction = reduction(case);
    let (w, ignore_index) = (leaves.constant("weight"), option("ignore_index", -100.) as i64);
    let two = ["x", "target"].map(|name| leaves.optional(name));
    let [Some(x), Some(target)] = two else {
        return more::loss(leaves);
    };
    match (case.kind(), leaves.optional("weight")) {
        ("mse", Some(weight)) => return mse_weighted(&x, &target, &weight, reduction),
        ("l1", Some(weight)) => return l1_weighted(&x, &target, &weight, reduction),
        ("huber", Some(weight)) => {
            return huber_weighted(&x, &target, &weight, option("delta", 1.), reduction);
        }
        _ => {}
    }
    match case.kind() {
        "mse" => mse(&x, &target, reduction),
        "l1" => l1(&x, &target, reduction),
        "smooth_l1" => smooth_l1(&x, &target, option("beta", 1.), reduction),
        "huber" => huber(&x, &target, option("delta", 1.), reduction),
        "bce" => bce(&x, &target, &BceConfig { weight: w }, reduction),
        "bce_with_logits" => {
            let pos_weight = leaves.constant("pos_weight");
            let cfg = BceWithLogitsConfig {
                weight: w,
                pos_weight,
            };
            bce_with_logits(&x, &target, &cfg, reduction)
        }
        "nll" => nll(
            &x,
            &target,
            &NllConfig {
                weight: w,
                ignore_index,
            },
            reduction,
        ),
        "cross_entropy" | "cross_entropy_soft" => {
            let cfg = CrossEntropyConfig {
                weight: w,
                ignore_index,
                label_smoothing: option("label_smoothing", 0.),
            };
            cross_entropy_with(&x, &target, &cfg, reduction)
        }
        "ctc" => {
            let lengths = |name: &str| -> Vec<usize> {
                let lengths = case.tensor(name).unwrap().to_vec1::<i64>().unwrap();
                lengths.into_iter().map(|length| length as usize).collect()
            };
            let cfg = CtcConfig {
                blank: option("blank", 0.) as usize,
                zero_infinity: case.config()["zero_infinity"].as_bool().unwrap(),
            };
            let (frames, labels) = (lengths("in.input_lengths"), lengths("in.target_lengths"));
            ctc(
                &log_softmax(&x)?,
                &target.detach(),
                &frames,
                &labels,
                &cfg,
                reduction,
            )
        }
        _ => more::loss(leaves),
    }
}

fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?;
    x.broadcast_sub(&x.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

#[test]
fn outputs_and_gradients_agree_with_pytorch() {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "losses").unwrap();
    assert!(cases.len() >= 457);
    for case in cases.iter() {
        for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
            let name = |what: &str| format!("case {} {} {dtype:?}: {what}", case.index(), case.config());
            let leaves = Leaves::new(case, dtype);
            let out = loss(&leaves).unwrap();
            compare(&name("out.0"), &out, &case.tensor("out.0").unwrap(), bound).unwrap();
            let cot = case.tensor("cot.0").unwrap().to_dtype(dtype).unwrap();
            let gradients = (out * cot).unwrap().sum_all().unwrap().backward().unwrap();
            for (input, tensor) in &leaves.tensors {
                let expected = format!("grad.in.{input}");
                if let Some(gradient) = case.get(&expected).unwrap() {
                    compare(&name(&expected), gradients.get(tensor).unwrap(), &gradient, bound).unwrap();
                }
            }
        }
    }
}
