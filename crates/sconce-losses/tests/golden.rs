//! Losses and their gradients against PyTorch.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{D, DType, Result, Tensor, Var};
use sconce_losses::{
    BceConfig, BceWithLogitsConfig, CrossEntropyConfig, CtcConfig, NllConfig, Reduction, bce,
    bce_with_logits, cross_entropy_with, ctc, huber, l1, mse, nll, smooth_l1,
};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

fn loss(case: Case<'_>, x: &Tensor, target: &Tensor) -> Result<Tensor> {
    let option = |name: &str, default: f64| case.config().get(name).map_or(default, |v| v.as_f64().unwrap());
    let weight = |name: &str| match case.get(name).unwrap() {
        Some(weight) => weight.to_dtype(x.dtype()).map(Some),
        None => Ok(None),
    };
    let reduction = match case.config()["reduction"].as_str() {
        Some("none") => Reduction::None,
        Some("sum") => Reduction::Sum,
        _ => Reduction::Mean,
    };
    let (w, ignore_index) = (weight("in.weight")?, option("ignore_index", -100.) as i64);
    match case.kind() {
        "mse" => mse(x, target, reduction),
        "l1" => l1(x, target, reduction),
        "smooth_l1" => smooth_l1(x, target, option("beta", 1.), reduction),
        "huber" => huber(x, target, option("delta", 1.), reduction),
        "bce" => bce(x, target, &BceConfig { weight: w }, reduction),
        "bce_with_logits" => {
            let pos_weight = weight("in.pos_weight")?;
            let cfg = BceWithLogitsConfig {
                weight: w,
                pos_weight,
            };
            bce_with_logits(x, target, &cfg, reduction)
        }
        "nll" => nll(
            x,
            target,
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
            cross_entropy_with(x, target, &cfg, reduction)
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
            ctc(&log_softmax(x)?, target, &frames, &labels, &cfg, reduction)
        }
        kind => candle_core::bail!("unknown kind {kind}"),
    }
}

fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?;
    x.broadcast_sub(&x.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

#[test]
fn outputs_and_gradients_agree_with_pytorch() {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "losses").unwrap();
    assert!(cases.len() >= 180);
    for case in cases.iter() {
        for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
            let get = |name: &str| case.tensor(name).unwrap().to_dtype(dtype).unwrap();
            let name = |what: &str| format!("case {} {} {dtype:?}: {what}", case.index(), case.config());
            let x = Var::from_tensor(&get("in.x")).unwrap();
            let target = case.tensor("in.target").unwrap();
            let target = match target.dtype().is_float() {
                true => Var::from_tensor(&target.to_dtype(dtype).unwrap())
                    .unwrap()
                    .into_inner(),
                false => target,
            };
            let out = loss(case, &x, &target).unwrap();
            compare(&name("out.0"), &out, &case.tensor("out.0").unwrap(), bound).unwrap();
            let gradients = (out * get("cot.0"))
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap();
            for (input, tensor) in [("x", x.as_tensor()), ("target", &target)] {
                let expected = format!("grad.in.{input}");
                if let Some(gradient) = case.get(&expected).unwrap() {
                    compare(&name(&expected), gradients.get(tensor).unwrap(), &gradient, bound).unwrap();
                }
            }
        }
    }
}
