//! A training loop for [candle](candle_core): [`Trainer`] with `fit`, `evaluate` and `predict`.
//!
//! It knows no family of layers: a model is any [`ModuleT`](candle_core::ModuleT) or closure, a loss is a closure, and the
//! parameters are those of a [`ParamStore`](sconce_core::ParamStore) or of candle's `VarMap`.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, Module, Tensor};
//! use sconce_core::{Init, ParamStore, param};
//! use sconce_data::TensorDataset;
//! use sconce_optim::{Adam, AdamConfig};
//! use sconce_train::{FitConfig, Trainer, Validation};
//!
//! // y = 3x, from a hundred points.
//! let x = (Tensor::arange(0f32, 100., &Device::Cpu)?.reshape((100, 1))? / 100.)?;
//! let data = TensorDataset::new(&x, &(&x * 3.)?)?;
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
//! let adam = Adam::new(&AdamConfig { lr: 0.1, ..AdamConfig::default() }, &store)?;
//! let model = |x: &Tensor| x.matmul(&w.tensor());
//! let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
//! let mut trainer = Trainer::new(model, &store, Box::new(adam), loss);
//! let cfg = FitConfig { validation: Validation::Last(0.2), ..FitConfig::new(20, 10) };
//! let history = trainer.fit(&data, &cfg)?;
//! assert!(history.epochs.last().unwrap().train_loss < 1e-3);
//! assert!(trainer.evaluate(&data, 50)?.loss < 1e-3);
//! # Ok::<(), sconce_train::Error>(())
//! ```
//!
//! # What it watches
//! - At the first step, every parameter that gets no gradient is named, and the run stops unless told otherwise.
//! - A loss or a gradient that isn't finite stops the run and names the epoch, the step and the parameters.
//! - A debug build says so: it may be ten times slower.

mod callback;
mod checkpoint;
mod class_weights;
mod early_stopping;
mod error;
mod history;
mod metric;
#[cfg(feature = "plot")]
pub mod plot;
mod report;
#[cfg(feature = "plot")]
mod run_report;
mod signals;
mod summary;
mod tensorboard;
mod trainer;

pub use callback::Callback;
pub use checkpoint::{CheckpointConfig, load_model};
pub use class_weights::balanced_class_weights;
pub use early_stopping::{EarlyStopping, EarlyStoppingConfig, Watched};
pub use error::{Error, Result};
pub use history::{End, EpochRecord, History, Scores};
pub use metric::{
    Accumulator, Accuracy, Auroc, Average, AveragePrecision, Bleu, BleuConfig, BleuSmoothing, BleuTokenizer,
    ClassScoreConfig, ConfusionMatrix, ConfusionMatrixConfig, CorpusBleu, Decision, F1, Mae, MeanIou, Metric,
    Mse, Perplexity, Precision, R2, RankingConfig, Recall, Rmse, TopKAccuracy, bleu, tokenize_13a,
};
pub use report::Progress;
#[cfg(feature = "plot")]
pub use run_report::{RunReport, Sample};
pub use sconce_core::candle_core;
pub use summary::{LayerSummary, Summary, TensorKind, TensorSummary, summary};
pub use tensorboard::{EventFile, TensorBoard};
pub use trainer::{
    BatchCheck, Clip, Every, FitConfig, MissingGradients, Position, RateSearch, RateSearchConfig, Trainer,
    TrainingStep, Turn, Validation,
};
