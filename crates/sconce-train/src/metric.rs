//! Metrics: figures over a whole data set.

mod accuracy;
mod mean_iou;

pub use accuracy::Accuracy;
pub use mean_iou::MeanIou;

use candle_core::{Result, Tensor};

/// A figure that a model is judged by.
///
/// It is computed over the whole set: each evaluation starts one [`Accumulator`] and shows it every batch.
pub trait Metric {
    /// Its name in reports and in [`Scores`](crate::Scores).
    fn name(&self) -> &'static str;

    /// An accumulator that has seen nothing.
    fn start(&self) -> Box<dyn Accumulator>;
}

/// A metric's state during one evaluation.
pub trait Accumulator {
    /// Takes in a batch: what the model gave and what it should have been.
    ///
    /// # Errors
    /// Shapes or types that the metric isn't defined for.
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()>;

    /// The figure over all that was seen; NaN if that is nothing.
    fn value(&self) -> f64;
}
