//! Metrics against scikit-learn and sacreBLEU, and what holds of all of them: the order of the samples and the cut into batches
//! don't matter, and a saved accumulator goes on to the bit.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../aids/figures.rs"]
mod figures;
mod inputs;

use candle_core::{DType, Device, Result, Tensor};
use proptest::prelude::*;
use sconce_testkit::golden::{Bound, Case, Cases, compare};
use sconce_train as train;
use serde_json::{Value, json};
use std::collections::HashMap;
use train::{Accumulator, Metric};

fn cases() -> Cases {
    Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "metrics").unwrap()
}

/// A case's data; none of texts.
fn data(case: Case<'_>) -> Option<(Tensor, Tensor)> {
    Some((case.get("in.output").unwrap()?, case.get("in.target").unwrap()?))
}

/// One accumulator that is shown batches of this size.
fn in_batches(
    start: &dyn Fn() -> Box<dyn Accumulator>,
    (output, target): &(Tensor, Tensor),
    size: usize,
) -> Result<Box<dyn Accumulator>> {
    let mut accumulator = start();
    let samples = output.dim(0)?;
    for first in (0..samples).step_by(size) {
        let rows = size.min(samples - first);
        accumulator.update(&output.narrow(0, first, rows)?, &target.narrow(0, first, rows)?)?;
    }
    Ok(accumulator)
}

fn figures_of(config: &Value, data: &Option<(Tensor, Tensor)>, size: usize) -> Vec<(String, Tensor)> {
    figures::figures(config, &|start| in_batches(start, data.as_ref().unwrap(), size)).unwrap()
}

#[test]
fn figures_are_those_of_scikit_learn_and_sacrebleu() {
    let cases = cases();
    for case in cases.iter() {
        let data = data(case);
        for size in [1000, 1, 4] {
            let figures: HashMap<_, _> = figures_of(case.config(), &data, size).into_iter().collect();
            for (name, expected) in case.tensors("out.").unwrap() {
                let name = format!("out.{name}");
                let result = compare(&name, &figures[&name], &expected, Bound::F64);
                result.unwrap_or_else(|e| panic!("case {} {}: {e}", case.index(), case.config()));
            }
        }
    }
    assert!(cases.len() > 100);
}

/// Where a figure is made of counts, rounding the outputs changes none of the golden sets'.
#[test]
fn outputs_may_have_any_precision() {
    for case in cases().iter() {
        let Some((output, target)) = data(case) else {
            continue;
        };
        let figures: HashMap<_, _> = match case.kind() {
            "precision" | "recall" | "f1" | "confusion_matrix" | "top_k_accuracy" => {
                let output = output.to_dtype(DType::F32).unwrap();
                figures_of(case.config(), &Some((output, target)), 1000)
            }
            _ => continue,
        }
        .into_iter()
        .collect();
        for (name, expected) in case.tensors("out.").unwrap() {
            let name = format!("out.{name}");
            let result = compare(&name, &figures[&name], &expected, Bound::F64);
            result.unwrap_or_else(|e| panic!("case {} {}: {e}", case.index(), case.config()));
        }
    }
}

/// Every metric of tensors, with what kind of target it takes.
const KINDS: [(&str, &str); 13] = [
    (r#"{"kind": "accuracy"}"#, "classes"),
    (r#"{"kind": "iou"}"#, "classes"),
    (r#"{"kind": "top_k_accuracy", "k": 2}"#, "classes"),
    (r#"{"kind": "precision", "threshold": 0.5}"#, "labels"),
    (r#"{"kind": "recall"}"#, "classes"),
    (r#"{"kind": "f1"}"#, "classes"),
    (r#"{"kind": "confusion_matrix"}"#, "classes"),
    (r#"{"kind": "auroc", "per_class": true}"#, "classes"),
    (r#"{"kind": "auroc", "per_class": true}"#, "labels"),
    (r#"{"kind": "average_precision"}"#, "labels"),
    (r#"{"kind": "perplexity"}"#, "classes"),
    (r#"{"kind": "rmse"}"#, "values"),
    (r#"{"kind": "r2"}"#, "values"),
];

/// Random data with ties for a metric.
fn sample(target: &str, samples: usize, numbers: &[u8]) -> (Tensor, Tensor) {
    let mut numbers = numbers.iter().copied().cycle();
    let mut next = |below: u8| numbers.next().unwrap() % below;
    let output: Vec<f64> = (0..samples * 3).map(|_| f64::from(next(12)) / 4. - 1.).collect();
    let output = Tensor::from_vec(output, (samples, 3), &Device::Cpu).unwrap();
    let target = match target {
        "classes" => {
            let classes: Vec<i64> = (0..samples).map(|_| i64::from(next(3))).collect();
            Tensor::new(classes, &Device::Cpu).unwrap()
        }
        "labels" => {
            let labels: Vec<u8> = (0..samples * 3).map(|_| next(2)).collect();
            Tensor::from_vec(labels, (samples, 3), &Device::Cpu).unwrap()
        }
        _ => {
            let values: Vec<f64> = (0..samples * 3).map(|_| f64::from(next(200)).sqrt()).collect();
            Tensor::from_vec(values, (samples, 3), &Device::Cpu).unwrap()
        }
    };
    (output, target)
}

fn bits(figures: &[(String, Tensor)]) -> Vec<(String, Vec<u64>)> {
    let values = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let bits = |x: &Tensor| values(x).unwrap().into_iter().map(f64::to_bits).collect();
    figures.iter().map(|(name, x)| (name.clone(), bits(x))).collect()
}

/// Whether a figure is made of whole numbers alone, or of a sorted list, so that not a bit may change.
fn is_exact(kind: &str) -> bool {
    !["perplexity", "rmse", "r2"].contains(&kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn order_and_batches_do_not_matter(
        samples in 2..40usize,
        size in 1..9usize,
        numbers in prop::collection::vec(0u8..=255, 200),
        shift in 0..40u32,
    ) {
        for (config, target) in KINDS {
            let config: Value = serde_json::from_str(config).unwrap();
            let data = sample(target, samples, &numbers);
            // Backwards, from somewhere within.
            let order: Vec<u32> = (0..samples as u32).rev().map(|i| (i + shift) % samples as u32).collect();
            let order = Tensor::new(order, &Device::Cpu).unwrap();
            let other = (data.0.index_select(&order, 0).unwrap(), data.1.index_select(&order, 0).unwrap());
            let whole = figures_of(&config, &Some(data), samples);
            let cut = figures_of(&config, &Some(other), size);
            if is_exact(config["kind"].as_str().unwrap()) {
                prop_assert_eq!(bits(&whole), bits(&cut), "{}", &config);
            } else {
                for ((name, whole), (_, cut)) in whole.iter().zip(&cut) {
                    compare(name, cut, whole, Bound::F64).map_err(|e| TestCaseError::fail(format!("{config}: {e}")))?;
                }
            }
        }
    }

    #[test]
    fn a_saved_accumulator_goes_on_to_the_bit(
        samples in 2..30usize,
        at in 0..30usize,
        numbers in prop::collection::vec(0u8..=255, 200),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        for (config, target) in KINDS {
            let config: Value = serde_json::from_str(config).unwrap();
            let (output, target) = sample(target, samples, &numbers);
            let at = at % (samples + 1);
            let straight = figures::figures(&config, &|start| {
                let mut one = start();
                for (first, rows) in [(0, at), (at, samples - at)] {
                    if rows > 0 {
                        one.update(&output.narrow(0, first, rows)?, &target.narrow(0, first, rows)?)?;
                    }
                }
                Ok(one)
            });
            let resumed = figures::figures(&config, &|start| {
                let mut one = start();
                if at > 0 {
                    one.update(&output.narrow(0, 0, at)?, &target.narrow(0, 0, at)?)?;
                }
                candle_core::safetensors::save(&one.state()?.into_iter().collect(), &path)?;
                // What it has seen before is forgotten.
                let mut other = start();
                other.update(&output, &target)?;
                let saved: Vec<_> = candle_core::safetensors::load(&path, &Device::Cpu)?.into_iter().collect();
                other.load_state(&saved)?;
                if at < samples {
                    other.update(&output.narrow(0, at, samples - at)?, &target.narrow(0, at, samples - at)?)?;
                }
                Ok(other)
            });
            prop_assert_eq!(bits(&straight.unwrap()), bits(&resumed.unwrap()), "{}", &config);
        }
    }
}

#[test]
fn another_metrics_state_is_named_and_changes_nothing() {
    for (i, (config, target)) in KINDS.iter().enumerate() {
        let config: Value = serde_json::from_str(config).unwrap();
        let (output, target) = sample(target, 5, &[7, 200, 31, 4, 90, 15, 66, 3, 8]);
        let before = figures::figures(&config, &|start| {
            let mut one = start();
            one.update(&output, &target)?;
            Ok(one)
        });
        let after = figures::figures(&config, &|start| {
            let mut one = start();
            one.update(&output, &target)?;
            let own = one.state()?;
            for (j, (other, target)) in KINDS.iter().enumerate() {
                let other: Value = serde_json::from_str(other).unwrap();
                if other["kind"] == config["kind"] {
                    continue;
                }
                let (output, target) = sample(target, 3, &[1, 2, 3, 4, 5]);
                let mut state = Vec::new();
                // Its accumulator is only to be had within.
                figures::figures(&other, &|start| {
                    let mut other = start();
                    other.update(&output, &target)?;
                    let error = one_state_refused(&own, start, &other.state()?);
                    assert!(error.is_none(), "{i} {j}: {error:?}");
                    Ok(other)
                })
                .unwrap();
                state.push(("other.counts".to_owned(), Tensor::new(&[1i64, 2], &Device::Cpu)?));
                let error = one.load_state(&state).unwrap_err().to_string();
                assert!(error.contains("other.counts"), "{error}");
            }
            // Its own names with tensors of another type or shape.
            for (name, tensor) in [
                ("dtype", Tensor::zeros((3, 3), DType::F32, &Device::Cpu)?),
                ("shape", Tensor::zeros((3, 5, 2), own[0].1.dtype(), &Device::Cpu)?),
            ] {
                let mut wrong = own.clone();
                wrong[0].1 = tensor;
                assert!(one.load_state(&wrong).is_err(), "{config} {name}");
            }
            assert!(one.load_state(&own[1..]).is_err());
            Ok(one)
        });
        assert_eq!(bits(&before.unwrap()), bits(&after.unwrap()), "{config}");
    }
}

/// What is wrong with how a metric takes the state of another: nothing if it refuses it by name.
fn one_state_refused(
    own: &[(String, Tensor)],
    other: &dyn Fn() -> Box<dyn Accumulator>,
    others: &[(String, Tensor)],
) -> Option<String> {
    match other().load_state(own) {
        Ok(()) => Some("taken".to_owned()),
        Err(error) => {
            let text = error.to_string();
            let named = text.contains(&own[0].0) && text.contains(&others[0].0);
            (!named).then_some(text)
        }
    }
}

#[test]
fn nothing_seen_is_nan() {
    for (config, target) in KINDS {
        let config: Value = serde_json::from_str(config).unwrap();
        let figures = figures::figures(&config, &|start| Ok(start())).unwrap();
        let none = figures_of(&config, &Some(sample(target, 0, &[1])), 1);
        let mut ignored = Vec::new();
        if target != "values" {
            let (output, target) = sample(target, 4, &[1, 2, 3]);
            let target = (target.zeros_like().unwrap().to_dtype(DType::I64).unwrap() - 100.).unwrap();
            ignored = figures_of(&config, &Some((output, target)), 4);
            ignored.retain(|(name, _)| name != "out.per_class");
        }
        for figures in [figures, none, ignored] {
            for (name, value) in figures
                .iter()
                .filter(|(name, _)| name != "out.matrix" && name != "out.shares")
            {
                let value = value.to_scalar::<f64>().unwrap();
                assert!(value.is_nan(), "{config} {name}: {value}");
            }
        }
    }
}

#[test]
fn an_evaluation_reports_single_classes_too() {
    use sconce_core::ParamStore;
    use sconce_data::TensorDataset;
    use sconce_optim::{Sgd, SgdConfig};
    use train::{Accuracy, ClassScoreConfig, F1, Trainer};
    let output = Tensor::new(&[[1f64, 0.], [1., 0.], [0., 1.]], &Device::Cpu).unwrap();
    let data = TensorDataset::new(&output, &Tensor::new(&[0u32, 1, 1], &Device::Cpu).unwrap()).unwrap();
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    sconce_core::param(&store.builder(), 1, "w", &sconce_core::Init::Const(0.)).unwrap();
    let sgd = Sgd::new(&SgdConfig::default(), &store).unwrap();
    let loss = |output: &Tensor, _: &Tensor| output.mean_all();
    let cfg = ClassScoreConfig {
        per_class: true,
        ..ClassScoreConfig::default()
    };
    let trainer = Trainer::new(|x: &Tensor| Ok(x.clone()), &store, Box::new(sgd), loss)
        .with_metric(F1::new(&cfg))
        .with_metric(Accuracy::default());
    let scores = trainer.evaluate(&data, 2).unwrap();
    let names: Vec<_> = scores.metrics.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["f1", "f1 of class 0", "f1 of class 1", "accuracy"]);
    assert_eq!(scores.metric("f1 of class 1"), Some(2. / 3.));
    assert_eq!(scores.metric("accuracy"), Some(2. / 3.));
}

#[test]
fn names_say_the_options() {
    use train::{Average, ClassScoreConfig, F1, Precision, Recall, TopKAccuracy};
    let cfg = |average| ClassScoreConfig {
        average,
        per_class: true,
        ..ClassScoreConfig::default()
    };
    assert_eq!(F1::default().name(), "f1");
    assert_eq!(Precision::new(&cfg(Average::Micro)).name(), "micro precision");
    assert_eq!(Recall::new(&cfg(Average::Weighted)).name(), "weighted recall");
    assert_eq!(TopKAccuracy::new(5).unwrap().name(), "top-5 accuracy");
    let error = TopKAccuracy::new(0).unwrap_err().to_string();
    assert_eq!(error, "top-k accuracy: k is 0, expected at least 1");
}
