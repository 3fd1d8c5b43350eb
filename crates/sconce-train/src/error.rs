//! What can stop a run.

use std::path::Path;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The loss became infinite or NaN.
    #[error(
        "the loss{} is {loss} in epoch {epoch}, step {step}{}: lower the learning rate, or look for the cause in the data",
        turn.map_or_else(String::new, |turn| format!(" of turn {turn}")),
        if names.is_empty() { String::new() } else { format!("; so are values of {}", names.join(", ")) }
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within the epoch, from 1.
        step: usize,
        /// Whose loss it is, if it isn't the trainer's own.
        turn: Option<&'static str>,
        /// The parameters that hold such values before the step, where they were looked at: on the CPU.
        names: Vec<String>,
    },
    /// Gradients became infinite or NaN.
    #[error(
        "not finite in epoch {epoch}, step {step}{} are the gradients of {}: lower the learning rate, clip them, or look for the \
         cause in the loss",
        turn.map_or_else(String::new, |turn| format!(" of turn {turn}")), names.join(", ")
    )]
    GradientNotFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within the epoch, from 1.
        step: usize,
        /// Whose gradients they are, if they aren't the trainer's own.
        turn: Option<&'static str>,
        /// Each parameter, with the first such value and its place.
        names: Vec<String>,
    },
    /// Parameters became infinite or NaN by a step whose gradients were finite. They are looked at when a checkpoint is due and at
    /// the end of each epoch.
    #[error(
        "not finite in epoch {epoch} after step {step} are values of {}{}: lower the learning rate, or freeze \
         what is meant to be so",
        names.join(", "), turn.map_or_else(String::new, |turn| format!(", turn {turn}'s"))
    )]
    ParameterNotFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// The last batch within the epoch, from 1.
        step: usize,
        /// Whose parameters they are, if they aren't the trainer's own.
        turn: Option<&'static str>,
        /// Their names.
        names: Vec<String>,
    },
    /// What stopped a turn.
    #[error("turn {turn}: {error}")]
    Turn {
        /// The turn.
        turn: &'static str,
        /// What stopped it.
        error: Box<Error>,
    },
    /// Parameters got no gradient in the first step: the loss doesn't depend on them, or their gradients are lost on the way.
    #[error("these parameters get no gradient and would not be trained: {}; if that is meant, freeze them or let `missing_gradients` warn", names.join(", "))]
    MissingGradients {
        /// Their names.
        names: Vec<String>,
    },
    /// A callback watches a figure that the run doesn't have.
    #[error("there is no {what} to watch: give `fit` a validation set, and the trainer the metric")]
    Watched {
        /// The figure.
        what: String,
    },
    /// A checkpoint can't be written or read, or isn't this run's.
    #[error("checkpoint {path}: {problem}")]
    Checkpoint {
        /// The file, or the folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A chart or a page can't be drawn.
    #[error("{chart}: {problem}")]
    Chart {
        /// Of what.
        chart: String,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to train on, to evaluate or to predict.
    #[error("the {set} set is empty")]
    Empty {
        /// Which set.
        set: &'static str,
    },
    /// An error of a data set.
    #[error(transparent)]
    Data(#[from] sconce_data::Error),
    /// An error of candle, or of a layer, a loss or an optimiser.
    #[error(transparent)]
    Core(Box<sconce_core::Error>),
}

impl Error {
    /// The same of a turn, or of the trainer's own.
    pub(crate) fn of_turn(mut self, name: Option<&'static str>) -> Self {
        let Some(name) = name else { return self };
        match &mut self {
            Self::NotFinite { turn, .. }
            | Self::GradientNotFinite { turn, .. }
            | Self::ParameterNotFinite { turn, .. } => {
                *turn = Some(name);
                self
            }
            _ => Self::Turn {
                turn: name,
                error: Box::new(self),
            },
        }
    }

    pub(crate) fn checkpoint(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Checkpoint {
            path: path.display().to_string(),
            problem: problem.to_string(),
        }
    }
}

#[cfg(feature = "plot")]
impl Error {
    pub(crate) fn chart(chart: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Chart {
            chart: chart.into(),
            problem: problem.to_string(),
        }
    }
}

impl From<sconce_core::Error> for Error {
    fn from(error: sconce_core::Error) -> Self {
        match sconce_data::Error::from(error) {
            sconce_data::Error::Core(core) => Self::Core(core),
            data => Self::Data(data),
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        sconce_core::Error::from(error).into()
    }
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Data(data) => data.into(),
            Error::Core(core) => (*core).into(),
            other => Self::Io(std::io::Error::other(other)),
        }
    }
}
