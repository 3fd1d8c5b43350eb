//! A golden case's figures from its configuration.

use super::train::candle_core::{self, Device, Tensor};
use super::train::{
    Accumulator, Accuracy, Auroc, Average, AveragePrecision, BleuConfig, BleuSmoothing, BleuTokenizer,
    ClassScoreConfig, ConfusionMatrix, ConfusionMatrixConfig, CorpusBleu, Decision, F1, Mae, MeanIou, Metric,
    Mse, Perplexity, Precision, R2, RankingConfig, Recall, Rmse, TopKAccuracy, tokenize_13a,
};
use serde_json::Value;

/// Shows an accumulator of a case's kind the case's data.
pub(crate) type Feed<'a> =
    dyn Fn(&dyn Fn() -> Box<dyn Accumulator>) -> candle_core::Result<Box<dyn Accumulator>> + 'a;

/// Figures by the names that they have in the case; what has none is told by name.
pub(crate) fn figures(config: &Value, feed: &Feed<'_>) -> Result<Vec<(String, Tensor)>, String> {
    let keys = config
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str());
    if let Some(key) = keys.into_iter().find(|key| !KEYS.contains(key)) {
        return Err(format!("option {key}"));
    }
    match kind(config) {
        "tokenize_13a" => tokens(config),
        "bleu" => texts(config),
        "confusion_matrix" => confusion(config, feed),
        "precision" | "recall" | "f1" => class_scores(config, feed),
        _ => {
            let metric = metric(config, Average::Macro)?;
            let accumulator = feed(&|| metric.start()).map_err(text)?;
            let mut figures = vec![("out.value".to_owned(), scalar(accumulator.value())?)];
            figures.extend(per_class(&*accumulator)?);
            Ok(figures)
        }
    }
}

const KEYS: [&str; 15] = [
    "kind",
    "k",
    "threshold",
    "per_class",
    "ignore_index",
    "logits",
    "hypotheses",
    "references",
    "texts",
    "tokens",
    "lowercase",
    "tokenizer",
    "smoothing",
    "smooth_value",
    "effective_order",
];

fn metric(config: &Value, average: Average) -> Result<Box<dyn Metric>, String> {
    let scores = ClassScoreConfig {
        decision: decision(config),
        average,
        per_class: true,
        ..ClassScoreConfig::default()
    };
    let ranking = RankingConfig {
        logits: config["logits"].as_bool().unwrap_or(true),
        per_class: config["per_class"].as_bool().unwrap_or(false),
        ..RankingConfig::default()
    };
    let ignore_index = config["ignore_index"].as_i64().unwrap_or(-100);
    Ok(match kind(config) {
        "accuracy" => Box::new(Accuracy { ignore_index }),
        "iou" => Box::new(MeanIou { ignore_index }),
        "top_k_accuracy" => {
            let k = config["k"].as_u64().ok_or("no k")?;
            let metric = TopKAccuracy::new(k as usize).map_err(text)?;
            Box::new(metric.with_ignore_index(ignore_index))
        }
        "precision" => Box::new(Precision::new(&scores)),
        "recall" => Box::new(Recall::new(&scores)),
        "f1" => Box::new(F1::new(&scores)),
        "auroc" => Box::new(Auroc::new(&ranking)),
        "average_precision" => Box::new(AveragePrecision::new(&ranking)),
        "mae" => Box::new(Mae),
        "mse" => Box::new(Mse),
        "rmse" => Box::new(Rmse),
        "r2" => Box::new(R2),
        "perplexity" => Box::new(Perplexity::default()),
        other => return Err(other.to_owned()),
    })
}

fn class_scores(config: &Value, feed: &Feed<'_>) -> Result<Vec<(String, Tensor)>, String> {
    let averages = [
        ("out.macro", Average::Macro),
        ("out.micro", Average::Micro),
        ("out.weighted", Average::Weighted),
    ];
    let mut figures = Vec::new();
    for (name, average) in averages {
        let metric = metric(config, average)?;
        let accumulator = feed(&|| metric.start()).map_err(text)?;
        figures.push((name.to_owned(), scalar(accumulator.value())?));
        figures.extend(per_class(&*accumulator)?);
    }
    Ok(figures)
}

fn confusion(config: &Value, feed: &Feed<'_>) -> Result<Vec<(String, Tensor)>, String> {
    let defaults = ConfusionMatrixConfig::default();
    let cfg = ConfusionMatrixConfig {
        decision: decision(config),
        ignore_index: config["ignore_index"].as_i64().unwrap_or(defaults.ignore_index),
    };
    let accumulator = feed(&|| Box::new(ConfusionMatrix::new(&cfg))).map_err(text)?;
    let mut matrix = ConfusionMatrix::new(&cfg);
    matrix
        .load_state(&accumulator.state().map_err(text)?)
        .map_err(text)?;
    Ok(vec![
        ("out.value".to_owned(), scalar(accumulator.value())?),
        ("out.matrix".to_owned(), matrix.counts().map_err(text)?),
        ("out.shares".to_owned(), matrix.shares().map_err(text)?),
    ])
}

fn decision(config: &Value) -> Decision {
    match config["threshold"].as_f64() {
        Some(threshold) => Decision::Above(threshold),
        None => Decision::Largest,
    }
}

fn per_class(accumulator: &dyn Accumulator) -> Result<Option<(String, Tensor)>, String> {
    let figures: Vec<f64> = accumulator
        .details()
        .into_iter()
        .map(|(_, figure)| figure)
        .collect();
    if figures.is_empty() {
        return Ok(None);
    }
    let figures = Tensor::new(figures, &Device::Cpu).map_err(text)?;
    Ok(Some(("out.per_class".to_owned(), figures)))
}

fn texts(config: &Value) -> Result<Vec<(String, Tensor)>, String> {
    let defaults = BleuConfig::default();
    let value = || config["smooth_value"].as_f64().ok_or("no smooth_value");
    let cfg = BleuConfig {
        tokenizer: match config["tokenizer"].as_str() {
            Some("none") => BleuTokenizer::None,
            Some(other) => return Err(format!("tokenizer {other}")),
            None => defaults.tokenizer,
        },
        lowercase: config["lowercase"].as_bool().unwrap_or(false),
        smoothing: match config["smoothing"].as_str() {
            Some("none") => BleuSmoothing::None,
            Some("floor") => BleuSmoothing::Floor(value()?),
            Some("add-k") => BleuSmoothing::AddK(value()?),
            Some(other) => return Err(format!("smoothing {other}")),
            None => defaults.smoothing,
        },
        effective_order: config["effective_order"].as_bool().unwrap_or(false),
    };
    let mut corpus = CorpusBleu::new(&cfg).map_err(text)?;
    let references = list(&config["references"]);
    for (hypothesis, references) in strings(&config["hypotheses"]).into_iter().zip(references) {
        corpus.update(hypothesis, &strings(references)).map_err(text)?;
    }
    let bleu = corpus.bleu();
    let factors = [&bleu.precisions[..], &[bleu.brevity_penalty]].concat();
    let lengths = [bleu.hypothesis_length, bleu.reference_length];
    let counts = [&lengths[..], &bleu.matches, &bleu.totals].concat();
    let counts: Vec<i64> = counts.into_iter().map(|count| count as i64).collect();
    Ok(vec![
        ("out.value".to_owned(), scalar(bleu.score)?),
        (
            "out.factors".to_owned(),
            Tensor::new(factors, &Device::Cpu).map_err(text)?,
        ),
        (
            "out.counts".to_owned(),
            Tensor::new(counts, &Device::Cpu).map_err(text)?,
        ),
    ])
}

/// No figure, but the tokens must be those of the case.
fn tokens(config: &Value) -> Result<Vec<(String, Tensor)>, String> {
    let expected = strings(&config["tokens"]);
    for (text, expected) in strings(&config["texts"]).into_iter().zip(expected) {
        let tokens = tokenize_13a(text);
        if tokens != expected {
            return Err(format!("{text:?}: {tokens:?} instead of {expected:?}"));
        }
    }
    Ok(Vec::new())
}

fn kind(config: &Value) -> &str {
    config["kind"].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

fn scalar(value: f64) -> Result<Tensor, String> {
    Tensor::new(value, &Device::Cpu).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
