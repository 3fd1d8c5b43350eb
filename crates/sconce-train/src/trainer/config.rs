//! The options of a run.

use crate::CheckpointConfig;
use crate::report::Progress;
use sconce_data::{BatchSampler, Dataset};
use std::sync::Arc;
use std::time::Duration;

/// Options of [`Trainer::fit`](super::Trainer::fit).
#[derive(Clone)]
pub struct FitConfig<'a> {
    /// How often to go through the training set.
    pub epochs: usize,
    /// Samples in a batch; the last one of an epoch may be smaller.
    pub batch_size: usize,
    /// The seed of the order of the training set; in its own order if `None`.
    pub shuffle: Option<u64>,
    /// Whether a last batch of fewer samples is left out of an epoch: batch norm, say, can't train on one sample.
    pub drop_last: bool,
    /// What makes the batches in place of the three options above, such as [`Bucketed`](sconce_data::Bucketed); they still hold for
    /// evaluation.
    pub sampler: Option<Arc<dyn BatchSampler>>,
    /// Threads that load batches ahead; the training thread loads them itself if there are none. The batches are the same.
    pub workers: usize,
    /// Batches whose gradients make one step of the optimiser, for batches that don't fit the memory at once. The last step of an
    /// epoch has fewer where the batches don't come out even.
    pub accumulate: usize,
    /// Steps of the optimiser after which an epoch ends, its records, validation and checkpoint among it, wherever the data is: the
    /// next one goes on there. Once through the training set if `None`.
    pub steps_per_epoch: Option<usize>,
    /// How gradients are bounded before each step.
    pub clip: Option<Clip>,
    /// What to evaluate on after an epoch.
    pub validation: Validation<'a>,
    /// From one validation to the next, in epochs; the last epoch has one in any case.
    pub validate_every: usize,
    /// Whether the metrics are computed over the training batches too, from what the model gave before each step. They are NaN
    /// where a [training loss](super::Trainer::with_training_loss) asks the model itself, and its output isn't seen.
    pub train_metrics: bool,
    /// After this time the run ends with the step that is under way, as a signal would end it. A resumed run has all of it again.
    pub time_limit: Option<Duration>,
    /// What to show meanwhile.
    pub progress: Progress,
    /// What to do about parameters that get no gradient in the first step.
    pub missing_gradients: MissingGradients,
    /// Where to write checkpoints, and whether to go on from one.
    pub checkpoints: Option<CheckpointConfig>,
}

impl FitConfig<'_> {
    /// Shuffled by the seed 0, every sample in every epoch, a step a batch, without validation; a missing gradient is an error.
    pub fn new(epochs: usize, batch_size: usize) -> Self {
        Self {
            epochs,
            batch_size,
            shuffle: Some(0),
            drop_last: false,
            sampler: None,
            workers: 0,
            accumulate: 1,
            steps_per_epoch: None,
            clip: None,
            validation: Validation::None,
            validate_every: 1,
            train_metrics: false,
            time_limit: None,
            progress: Progress::Auto,
            missing_gradients: MissingGradients::Refuse,
            checkpoints: None,
        }
    }

    /// An error that names the first option that is out of range.
    pub(super) fn check(&self) -> sconce_core::Result<()> {
        let counts = [
            ("accumulate", self.accumulate),
            ("steps_per_epoch", self.steps_per_epoch.unwrap_or(1)),
            ("validate_every", self.validate_every),
        ];
        for (field, value) in counts {
            if value == 0 {
                return Err(sconce_core::Error::config(
                    "FitConfig",
                    field,
                    value,
                    "at least 1",
                ));
            }
        }
        if let Some(Clip::Norm(bound) | Clip::Value(bound)) = self.clip
            && !(bound.is_finite() && bound > 0.)
        {
            let expected = "a finite number above 0";
            return Err(sconce_core::Error::config("FitConfig", "clip", bound, expected));
        }
        Ok(())
    }
}

/// How gradients are bounded before a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// All of them together are scaled down to this Euclidean norm if theirs is greater:
    /// [`clip_grad_norm`](sconce_optim::clip_grad_norm).
    Norm(f64),
    /// Each element is cut off at this magnitude: [`clip_grad_value`](sconce_optim::clip_grad_value).
    Value(f64),
}

/// What [`Trainer::fit`](super::Trainer::fit) evaluates on.
#[derive(Clone, Copy)]
pub enum Validation<'a> {
    /// Nothing.
    None,
    /// This last fraction of the training set, which isn't trained on, as in Keras.
    Last(f64),
    /// Another set.
    Set(&'a dyn Dataset),
}

/// What [`Trainer::fit`](super::Trainer::fit) does about parameters that get no gradient in the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingGradients {
    /// Stop with an error that names them.
    Refuse,
    /// Name them in a line and go on, for models that don't use all their parameters every time.
    Warn,
}

/// Where in a run a step is: what a learning-rate schedule depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The optimiser's step, from 0, counted over the whole run.
    pub step: usize,
    /// Steps in the whole run.
    pub steps: usize,
}
