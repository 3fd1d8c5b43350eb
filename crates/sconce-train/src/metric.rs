//! Metrics: figures over a whole data set.
//!
//! One file a metric. What several share stands in `inputs` (a batch's values), `class_counts` (precision, recall, F1),
//! `ranking` (AUROC, average precision), `differences` (MAE, MSE, RMSE) and `state` (what a checkpoint keeps).

mod accuracy;
mod auroc;
mod average_precision;
mod bleu;
mod class_counts;
mod confusion_matrix;
mod differences;
mod f1;
mod inputs;
mod mean_iou;
mod perplexity;
mod precision;
mod r2;
mod ranking;
mod recall;
mod state;
mod top_k_accuracy;

pub use accuracy::Accuracy;
pub use auroc::Auroc;
pub use average_precision::AveragePrecision;
pub use bleu::{Bleu, BleuConfig, BleuSmoothing, BleuTokenizer, CorpusBleu, bleu, tokenize_13a};
pub use class_counts::{Average, ClassScoreConfig, Decision};
pub use confusion_matrix::{ConfusionMatrix, ConfusionMatrixConfig};
pub use differences::{Mae, Mse, Rmse};
pub use f1::F1;
pub(crate) use inputs::whole_numbers;
pub use mean_iou::MeanIou;
pub use perplexity::Perplexity;
pub use precision::Precision;
pub use r2::R2;
pub use ranking::RankingConfig;
pub use recall::Recall;
pub use top_k_accuracy::TopKAccuracy;

use candle_core::{Result, Tensor};

/// A figure that a model is judged by.
///
/// It is computed over the whole set: each evaluation starts one [`Accumulator`] and shows it every batch.
pub trait Metric {
    /// Its name in reports and in [`Scores`](crate::Scores).
    fn name(&self) -> &str;

    /// An accumulator that has seen nothing.
    fn start(&self) -> Box<dyn Accumulator>;
}

/// A metric's state during one evaluation.
///
/// # Example
/// An evaluation that stops after the first batch, and goes on from what was saved:
/// ```
/// use sconce_train::{Accuracy, Metric, candle_core::{Device, Tensor}};
/// let batch = |class: u32| Ok::<_, candle_core::Error>((
///     Tensor::new(&[[0f32, 1.]], &Device::Cpu)?,
///     Tensor::new(&[class], &Device::Cpu)?,
/// ));
/// let mut first = Accuracy::default().start();
/// let (output, target) = batch(1)?;
/// first.update(&output, &target)?;
/// let saved = first.state()?;
///
/// let mut second = Accuracy::default().start();
/// second.load_state(&saved)?;
/// let (output, target) = batch(0)?;
/// second.update(&output, &target)?;
/// assert_eq!(second.value(), 0.5);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub trait Accumulator {
    /// Takes in a batch: what the model gave and what it should have been.
    ///
    /// # Errors
    /// Shapes, types or values that the metric isn't defined for; then nothing was taken in.
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()>;

    /// The figure over all that was seen; NaN if that is nothing.
    fn value(&self) -> f64;

    /// Further figures, each with its name, such as those of single classes; they stand after the metric's own in
    /// [`Scores`](crate::Scores).
    fn details(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// All that was seen, as named tensors on the CPU. Each name begins with the metric's.
    ///
    /// # Errors
    /// Those of candle when it makes tensors.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Goes on, to the bit, from where [`state`](Accumulator::state) was taken; what was seen before is forgotten.
    ///
    /// # Errors
    /// The state of another metric, or tensors that can't be its own; then nothing is changed.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()>;
}
