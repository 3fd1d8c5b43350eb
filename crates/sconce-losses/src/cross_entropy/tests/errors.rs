//! What is refused, and in what words.

use super::*;

#[test]
fn bad_arguments() {
    let device = &Device::Cpu;
    let x = Tensor::zeros((2, 3), DType::F32, device).unwrap();
    let classes = |values: &[i64]| Tensor::new(values, device).unwrap();
    let weights = |values: &[f64]| Some(Tensor::new(values, device).unwrap());
    let default = CrossEntropyConfig::default;
    let table = [
        (
            &x,
            classes(&[0, 3]),
            default(),
            "cross_entropy: targets[1] is 3, expected a class, at least 0 and below 3, or ignore_index = -100",
        ),
        (
            &x,
            classes(&[-1, 0]),
            default(),
            "cross_entropy: targets[0] is -1, expected a class, at least 0 and below 3, or ignore_index = -100",
        ),
        (
            &x,
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected [batch] = [2]",
        ),
        (
            &x.reshape((1, 2, 3)).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected [batch, *positions] = [1, 3]",
        ),
        (
            &x.get(0).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: targets has shape [1], expected no axis = []",
        ),
        (
            &x.get(0).unwrap().get(0).unwrap(),
            classes(&[0]),
            default(),
            "cross_entropy: logits has shape [], expected [batch, classes, *positions] or [classes], at least one class",
        ),
        (
            &x.narrow(1, 0, 0).unwrap(),
            classes(&[0, 0]),
            default(),
            "cross_entropy: logits has shape [2, 0], expected [batch, classes, *positions] or [classes], at least one class",
        ),
        (
            &classes(&[1]),
            classes(&[0]),
            default(),
            "cross_entropy: logits has dtype I64, expected a floating-point type",
        ),
        (
            &x,
            classes(&[0, 1]).to_dtype(DType::I32).unwrap(),
            default(),
            "cross_entropy: targets has dtype I32, expected u8, u32 or i64",
        ),
        (
            &x,
            x.get(0).unwrap().narrow(0, 0, 2).unwrap(),
            default(),
            "cross_entropy: targets has shape [2], expected [2, 3], the logits', for probabilities (class numbers are u8, u32 or i64)",
        ),
        (
            &x,
            x.to_dtype(DType::F64).unwrap(),
            default(),
            "cross_entropy: targets has dtype F64, expected F32, the input's",
        ),
        (
            &x,
            x.clone(),
            CrossEntropyConfig {
                ignore_index: 1,
                ..default()
            },
            "cross_entropy: ignore_index is 1, expected negative, since targets that are probabilities are no class to ignore",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: Some(Var::ones(3, DType::F64, device).unwrap().into_inner()),
                ..default()
            },
            "cross_entropy: weight is tracked, expected a constant: the loss has no gradient for it, so detach it",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: weights(&[1., 1.]),
                ..default()
            },
            "cross_entropy: weight has shape [2], expected [classes = 3]",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                weight: weights(&[1., 1., -2.]),
                ..default()
            },
            "cross_entropy: weight[2] is -2, expected a finite number, at least 0",
        ),
        (
            &x,
            classes(&[0, 1]),
            CrossEntropyConfig {
                label_smoothing: 1.5,
                ..default()
            },
            "cross_entropy: label_smoothing is 1.5, expected between 0 and 1",
        ),
    ];
    for (logits, targets, cfg, message) in table {
        let error = cross_entropy_with(logits, &targets, &cfg, Reduction::Mean).unwrap_err();
        assert_eq!(Error::from(error).to_string(), message);
    }
}
