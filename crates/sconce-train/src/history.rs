//! What a run has to tell afterwards.

mod columns;
mod csv;
mod json;

pub(crate) use columns::Figure;
#[cfg(all(test, feature = "plot"))]
pub(crate) use columns::tests;
use json::{named, number};
use serde::{Deserialize, Serialize};

/// A model's figures on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The mean loss of a sample.
    #[serde(with = "number")]
    pub loss: f64,
    /// Each metric's name and its value over the whole set.
    #[serde(default, with = "named")]
    pub metrics: Vec<(String, f64)>,
}

impl Scores {
    /// The value of the metric of this name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| *value)
    }
}

/// What came of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The mean loss of a sample while training, each computed before its step.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Each metric's name and its value over the training batches, where
    /// [`train_metrics`](crate::FitConfig::train_metrics) asks for them.
    #[serde(default, with = "named")]
    pub train_metrics: Vec<(String, f64)>,
    /// The name of each further turn and the mean of its loss.
    #[serde(default, with = "named")]
    pub turns: Vec<(String, f64)>,
    /// The figures on the validation set after the epoch, if there is one and it was due.
    #[serde(default)]
    pub validation: Option<Scores>,
    /// The learning rate of the last step.
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// How long the epoch took, with its validation; of a run that was stopped meanwhile, without the time it lay still.
    #[serde(with = "number")]
    pub seconds: f64,
}

/// What came of each epoch of a run.
///
/// It is written as [CSV](Self::to_csv), for tables and notebooks, and as [JSON lines](Self::to_json_lines), from which it is
/// read back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// One record an epoch, in their order; also of those before the run was last resumed.
    pub epochs: Vec<EpochRecord>,
    /// Why there are no more.
    pub end: End,
}

/// Why a run came to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// All epochs are done.
    #[default]
    Completed,
    /// A callback wanted no more.
    Stopped,
    /// A signal came; the run can be resumed from its last checkpoint.
    Interrupted,
    /// [`time_limit`](crate::FitConfig::time_limit) was reached; the run can be resumed as if a signal had come.
    TimeLimit,
}
