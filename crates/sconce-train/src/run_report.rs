//! One page about a run.

mod environment;
mod page;
mod sample;
#[cfg(test)]
mod tests;

use crate::plot::Chart;
use crate::{FitConfig, History, Result, Scores, Summary, Validation, Watched};
use candle_core::{Device, DeviceLocation};
pub use sample::Sample;
use sconce_core::io::write_atomically;
use std::fmt::Display;
use std::path::Path;

/// A page about a run, for a browser: learning curves, scores, charts, samples, settings, the model and what it ran on.
///
/// It is one HTML file that needs no other and no network, and asks for none. Texts are shown as they are given, markup among
/// them. It is light or dark as the reader's system is. It says when it was written and how the program was built.
///
/// # Example
/// ```
/// use candle_nn::{VarBuilder, VarMap, linear, loss::cross_entropy};
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_data::{Dataset, TensorDataset, digits};
/// use sconce_optim::{Adam, AdamConfig};
/// use sconce_train::{Accumulator, Accuracy, ConfusionMatrix, FitConfig, RunReport, Sample, Trainer, Validation, plot};
/// let digits = digits()?;
/// let pixels = (&digits.images / 16.)?;
/// let data = TensorDataset::new(&pixels.flatten_from(1)?, &digits.labels)?;
/// let store = VarMap::new();
/// let net = linear(64, 10, VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu))?;
/// let adam = Adam::new(&AdamConfig { lr: 0.01, ..AdamConfig::default() }, &store)?;
/// let mut trainer = Trainer::new(net, &store, Box::new(adam), cross_entropy).with_metric(Accuracy::default());
/// let cfg = FitConfig { validation: Validation::Last(0.2), ..FitConfig::new(3, 32) };
/// let history = trainer.fit(&data, &cfg)?;
///
/// let logits = trainer.predict(data.features(), 500)?;
/// let mut matrix = ConfusionMatrix::default();
/// matrix.update(&logits, &digits.labels)?;
/// let predicted = logits.argmax(1)?.to_vec1::<u32>()?;
/// let actual = digits.labels.to_vec1::<u32>()?;
/// let sample = |i: usize| Sample::picture(&pixels.get(i)?, predicted[i], actual[i]);
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("report.html");
/// RunReport::new("Handwritten digits, a linear layer")
///     .with_fit_config(&cfg)
///     .with_setting("learning rate", 0.01)
///     .with_history(&history)
///     .with_chart(plot::confusion_matrix(&matrix, &[] as &[&str])?)
///     .with_samples((0..12).map(sample).collect::<sconce_train::Result<Vec<_>>>()?)
///     .with_device(&Device::Cpu)
///     .save(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("Handwritten digits"));
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunReport {
    title: String,
    settings: Vec<(String, String)>,
    history: Option<History>,
    best_by: Option<Watched>,
    scores: Vec<(String, f64)>,
    charts: Vec<Chart>,
    samples: Vec<Sample>,
    summary: Option<String>,
    device: Option<String>,
}

impl RunReport {
    /// A page of this title and nothing else yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            settings: Vec::new(),
            history: None,
            best_by: None,
            scores: Vec::new(),
            charts: Vec::new(),
            samples: Vec::new(),
            summary: None,
            device: None,
        }
    }

    /// Adds a line to the settings.
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Adds the options of a run to the settings.
    pub fn with_fit_config(self, cfg: &FitConfig<'_>) -> Self {
        let some = |value: Option<String>| value.unwrap_or_else(|| "none".to_string());
        let validation = match cfg.validation {
            Validation::None => "none".to_string(),
            Validation::Last(part) => format!("the last {part} of the training set"),
            Validation::Set(set) => format!("a set of {}", set.len()),
        };
        self.with_setting("epochs", cfg.epochs)
            .with_setting("batch size", cfg.batch_size)
            .with_setting(
                "seed of the order",
                some(cfg.shuffle.map(|seed| seed.to_string())),
            )
            .with_setting("batches a step", cfg.accumulate)
            .with_setting(
                "steps an epoch",
                some(cfg.steps_per_epoch.map(|steps| steps.to_string())),
            )
            .with_setting("clipping", some(cfg.clip.map(|clip| format!("{clip:?}"))))
            .with_setting("validation", validation)
    }

    /// Shows the curves and figures of this history.
    pub fn with_history(mut self, history: &History) -> Self {
        self.history = Some(history.clone());
        self
    }

    /// The figure that the best epoch is the best by; else it is the loss on the validation set, or without one that of training.
    pub fn with_best_by(mut self, watched: Watched) -> Self {
        self.best_by = Some(watched);
        self
    }

    /// Adds the scores on a set of this name, as `test`.
    pub fn with_scores(self, set: impl Display, scores: &Scores) -> Self {
        let metrics = scores.metrics.iter();
        metrics.fold(
            self.with_score(format!("{set} loss"), scores.loss),
            |page, (name, value)| page.with_score(format!("{set} {name}"), *value),
        )
    }

    /// Adds a score that no metric of the trainer's gives, as `exact match`.
    pub fn with_score(mut self, name: impl Into<String>, value: f64) -> Self {
        self.scores.push((name.into(), value));
        self
    }

    /// Adds a chart, as a [confusion matrix](crate::plot::confusion_matrix).
    pub fn with_chart(mut self, chart: Chart) -> Self {
        self.charts.push(chart);
        self
    }

    /// Adds samples with what the model makes of them.
    pub fn with_samples(mut self, samples: impl IntoIterator<Item = Sample>) -> Self {
        self.samples.extend(samples);
        self
    }

    /// Shows the model's layers.
    pub fn with_summary(mut self, summary: &Summary) -> Self {
        self.summary = Some(summary.to_string());
        self
    }

    /// Says which device computed.
    pub fn with_device(mut self, device: &Device) -> Self {
        self.device = Some(match device.location() {
            DeviceLocation::Cpu => "cpu".to_string(),
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        });
        self
    }

    /// The page.
    ///
    /// # Errors
    /// A chart can't be drawn, or no epoch has the figure of [`with_best_by`](Self::with_best_by).
    pub fn to_html(&self) -> Result<String> {
        page::html(self)
    }

    /// Writes the page to a file, whole or not at all.
    ///
    /// # Errors
    /// The folder is missing or can't be written to; those of [`to_html`](Self::to_html).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomically(path, self.to_html()?.as_bytes())?)
    }
}
