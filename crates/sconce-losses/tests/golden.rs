//! Losses and their gradients against PyTorch.

use candle_core::{DType, Result, Tensor, Var};
use sconce_losses::{CrossEntropyConfig, Reduction, cross_entropy_with, mse};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

fn loss(case: Case<'_>, x: &Tensor) -> Result<Tensor> {
    let option = |name: &str| case.config().get(name).and_then(|value| value.as_f64());
    let reduction = match case.config().get("reduction").and_then(|value| value.as_str()) {
        Some("none") => Reduction::None,
        Some("sum") => Reduction::Sum,
        _ => Reduction::Mean,
    };
    let target = case.tensor("in.target")?;
    match case.kind() {
        "mse" => mse(x, &target.to_dtype(x.dtype())?, reduction),
        "cross_entropy" => {
            let cfg = CrossEntropyConfig {
                weight: case.get("in.weight")?,
                ignore_index: option("ignore_index").unwrap_or(-100.) as i64,
                label_smoothing: option("label_smoothing").unwrap_or(0.),
            };
            cross_entropy_with(x, &target, &cfg, reduction)
        }
        kind => candle_core::bail!("unknown kind {kind}"),
    }
}

#[test]
fn outputs_and_gradients_agree_with_pytorch() {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "losses").unwrap();
    assert!(cases.len() > 20);
    for case in cases.iter() {
        for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
            let get = |name: &str| case.tensor(name).unwrap().to_dtype(dtype).unwrap();
            let name = |what: &str| format!("case {} {} {dtype:?}: {what}", case.index(), case.config());
            let x = Var::from_tensor(&get("in.x")).unwrap();
            let out = loss(case, &x).unwrap();
            compare(&name("out.0"), &out, &case.tensor("out.0").unwrap(), bound).unwrap();
            let gradients = (out * get("cot.0"))
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap();
            let gradient = gradients.get(&x).unwrap();
            compare(
                &name("grad.in.x"),
                gradient,
                &case.tensor("grad.in.x").unwrap(),
                bound,
            )
            .unwrap();
        }
    }
}
