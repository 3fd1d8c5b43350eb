//! What metrics take, leave out and refuse.

use super::*;

#[test]
fn ignored_targets_do_not_count() {
    let numbers = [7, 200, 31, 4, 90, 15, 66, 3, 8, 121, 12];
    for (config, kind) in KINDS.iter().filter(|(_, target)| *target != "values") {
        let mut config: Value = serde_json::from_str(config).unwrap();
        let without = sample(kind, 9, &numbers);
        // What stands there may be anything.
        let (output, _) = sample(kind, 5, &[9, 1, 44, 87]);
        let output = (output * f64::NAN).unwrap();
        let mut ignore_indices = vec![-100i64];
        let settable = ["accuracy", "iou", "top_k_accuracy", "confusion_matrix"];
        if settable.contains(&config["kind"].as_str().unwrap()) {
            ignore_indices.push(255);
        }
        for ignore_index in ignore_indices {
            config["ignore_index"] = ignore_index.into();
            let (_, target) = &without;
            let ignored = target.narrow(0, 0, 5).unwrap().zeros_like().unwrap();
            let ignored = (ignored.to_dtype(DType::I64).unwrap() + ignore_index as f64).unwrap();
            let target = target.to_dtype(DType::I64).unwrap();
            let with = (
                Tensor::cat(&[&output, &without.0], 0).unwrap(),
                Tensor::cat(&[&ignored, &target], 0).unwrap(),
            );
            for size in [14, 3] {
                let figures = [
                    figures_of(&config, &Some(without.clone()), 9),
                    figures_of(&config, &Some(with.clone()), size),
                ];
                let [expected, got] = figures.map(|figures| bits(&figures));
                assert_eq!(got, expected, "{config}");
            }
        }
    }
}

#[test]
fn bad_batches_are_named() {
    let f = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
    let whole = |values: &[i64]| Tensor::new(values, &Device::Cpu).unwrap();
    let three = f(&[0., 1., 2., 3., 4., 5.]).reshape((2, 3)).unwrap();
    let nan = f(&[0., 1., 2., 3., f64::NAN, 5.]).reshape((2, 3)).unwrap();
    let labels = three.zeros_like().unwrap();
    let (accuracy, iou) = (json!({"kind": "accuracy"}), json!({"kind": "iou"}));
    let top2 = json!({"kind": "top_k_accuracy", "k": 2});
    let (f1, above) = (json!({"kind": "f1"}), json!({"kind": "f1", "threshold": 0.5}));
    let (auroc, perplexity) = (json!({"kind": "auroc"}), json!({"kind": "perplexity"}));
    let (mae, r2, matrix) = (
        json!({"kind": "mae"}),
        json!({"kind": "r2"}),
        json!({"kind": "confusion_matrix"}),
    );
    let table = [
        (
            &top2,
            &three,
            whole(&[0, 3]),
            "top-2 accuracy: target[1] is 3, expected a class below 3, or -100 to be ignored",
        ),
        (
            &top2,
            &three,
            whole(&[-99, 1]),
            "top-2 accuracy: target[0] is -99, expected a class below 3, or -100 to be ignored",
        ),
        (
            &top2,
            &nan,
            whole(&[0, 1]),
            "top-2 accuracy: output[4] is NaN, expected a number",
        ),
        (
            &accuracy,
            &three,
            whole(&[3, 0]),
            "accuracy: target[0] is 3, expected a class below 3, or -100 to be ignored",
        ),
        (
            &accuracy,
            &nan,
            whole(&[0, 1]),
            "accuracy: output[4] is NaN, expected a number",
        ),
        (
            &iou,
            &three,
            whole(&[0, 255]),
            "iou: target[1] is 255, expected a class below 3, or -100 to be ignored",
        ),
        (
            &iou,
            &nan,
            whole(&[0, 1]),
            "iou: output[4] is NaN, expected a number",
        ),
        (
            &f1,
            &nan,
            whole(&[0, 1]),
            "f1: output[4] is NaN, expected a number",
        ),
        (
            &above,
            &nan,
            labels.clone(),
            "f1: output[4] is NaN, expected a number",
        ),
        (
            &matrix,
            &nan,
            whole(&[0, 1]),
            "confusion matrix: output[4] is NaN, expected a number",
        ),
        (
            &f1,
            &three,
            whole(&[0, 1, 2]),
            "f1: target has shape [3], expected [2], one class for each output",
        ),
        (
            &f1,
            &three,
            whole(&[0, -1]),
            "f1: target[1] is -1, expected a class below 3, or -100 to be ignored",
        ),
        (
            &f1,
            &three,
            f(&[0., 1.]),
            "f1: target has dtype F64, expected one of whole numbers",
        ),
        (
            &above,
            &three,
            whole(&[0, 1]),
            "f1: target has shape [2], expected [2, 3], that of the output",
        ),
        (
            &above,
            &three,
            three.clone(),
            "f1: target[2] is 2, expected 0 or 1, or -100 to be ignored",
        ),
        (
            &auroc,
            &nan,
            labels.clone(),
            "auroc: output[4] is NaN, expected a number",
        ),
        (
            &auroc,
            &nan,
            whole(&[0, 1]),
            "auroc: output[4] is NaN, expected a number",
        ),
        (
            &auroc,
            &three,
            three.clone(),
            "auroc: target[2] is 2, expected 0 or 1, or -100 to be ignored",
        ),
        (
            &perplexity,
            &three,
            whole(&[3, 0]),
            "perplexity: target[0] is 3, expected a class below 3, or -100 to be ignored",
        ),
        (
            &mae,
            &three,
            f(&[0.]),
            "mae: target has shape [1], expected [2, 3], that of the output",
        ),
        (
            &r2,
            &three,
            f(&[0.]),
            "r2: target has shape [1], expected [2, 3], that of the output",
        ),
        (
            &matrix,
            &three,
            whole(&[5, 0]),
            "confusion matrix: target[0] is 5, expected a class below 3, or -100 to be ignored",
        ),
    ];
    for (config, output, target, expected) in table {
        let result = figures::figures(config, &|start| {
            let mut one = start();
            one.update(output, &target)?;
            Ok(one)
        });
        let error = result.unwrap_err();
        assert_eq!(error.lines().next(), Some(expected), "{config}");
    }
}

#[test]
fn batches_must_be_alike() {
    let zeros = |dims: &[usize], dtype| Tensor::zeros(dims, dtype, &Device::Cpu).unwrap();
    let table = [
        ("auroc", [&[2usize, 3][..], &[2]], [&[2, 4][..], &[2]]),
        ("auroc", [&[2, 3], &[2, 3]], [&[2, 3], &[2]]),
        ("auroc", [&[2], &[2]], [&[2, 1], &[2]]),
        ("r2", [&[2, 3], &[2, 3]], [&[2, 4], &[2, 4]]),
        ("confusion_matrix", [&[2, 3], &[2]], [&[2, 4], &[2]]),
        ("f1", [&[2, 3], &[2]], [&[2, 4], &[2]]),
    ];
    for (kind, first, second) in table {
        let show = |one: &mut Box<dyn Accumulator>, [output, target]: [&[usize]; 2]| {
            one.update(&zeros(output, DType::F32), &zeros(target, DType::I64))
        };
        let config = json!({"kind": kind});
        let result = figures::figures(&config, &|start| {
            let mut one = start();
            show(&mut one, first)?;
            let before = one.value().to_bits();
            assert!(show(&mut one, second).is_err(), "{config}");
            assert_eq!(one.value().to_bits(), before);
            Ok(one)
        });
        result.unwrap();
    }
}

/// One infinite logit is sure of its class; several, or nothing but −∞, say nothing.
#[test]
fn infinite_logits_are_ranked_where_they_have_a_softmax() {
    let inf = f64::INFINITY;
    let show = |kind: &str, rows: &[[f64; 3]; 3]| {
        let config = json!({"kind": kind});
        figures::figures(&config, &|start| {
            let mut one = start();
            let output = Tensor::new(rows, &Device::Cpu)?;
            one.update(&output, &Tensor::new(vec![0i64, 1, 2], &Device::Cpu)?)?;
            // What was taken in can be saved and read.
            let (value, state) = (one.value(), one.state()?);
            one.load_state(&state)?;
            assert_eq!(one.value(), value);
            Ok(one)
        })
    };
    for kind in ["auroc", "average_precision"] {
        let figures = show(kind, &[[inf, 0., 0.], [0., 1., -inf], [0., 0., inf]]).unwrap();
        assert_eq!(figures[0].1.to_scalar::<f64>().unwrap(), 1., "{kind}");
        for row in [[inf, inf, 0.], [-inf; 3]] {
            let error = show(kind, &[[1., 0., 0.], row, [0., 0., 1.]]).unwrap_err();
            assert!(
                error.contains("output[1] is [") && error.contains("logits that have a softmax"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_batch_of_nothing_is_no_error() {
    let output = Tensor::zeros((0, 3), DType::F64, &Device::Cpu).unwrap();
    let target = Tensor::zeros(0, DType::I64, &Device::Cpu).unwrap();
    for (config, _) in KINDS.iter().filter(|(_, target)| *target == "classes") {
        let config: Value = serde_json::from_str(config).unwrap();
        figures_of(&config, &Some((output.clone(), target.clone())), 1);
        let result = figures::figures(&config, &|start| {
            let mut one = start();
            one.update(&output, &target)?;
            Ok(one)
        });
        result.unwrap();
    }
}
