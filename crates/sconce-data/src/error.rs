//! What can go wrong with data.

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with data.
///
/// It turns into [`candle_core::Error`] with `?` and keeps its message there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file can't be read, or holds something else than it should.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A data set's folder, or a file in it, isn't there.
    #[error(
        "{path} is missing: run `cargo xtask data {set}`, or set SCONCE_DATA to the folder that holds {set}/"
    )]
    Missing {
        /// What was looked for.
        path: String,
        /// The data set's name.
        set: &'static str,
    },
    /// Features and targets don't belong together.
    #[error("there are {features} {feature_name} but {targets} {target_name}: each needs exactly one")]
    Count {
        /// How many features there are.
        features: usize,
        /// What they are.
        feature_name: String,
        /// How many targets there are.
        targets: usize,
        /// What they are.
        target_name: String,
    },
    /// A label is outside of its range.
    #[error("{path}: label {index} is {value}, expected 0 to {last}")]
    Label {
        /// The file.
        path: String,
        /// The label's position.
        index: usize,
        /// Its value.
        value: u32,
        /// The largest label.
        last: u32,
    },
    /// An option has a value that it can't have.
    #[error("{name} is {value}, expected {expected}")]
    Config {
        /// The option.
        name: &'static str,
        /// The value that came.
        value: String,
        /// What it should have been.
        expected: String,
    },
    /// A sample was asked for that the set doesn't have.
    #[error("sample {index} of a set of {len}")]
    Index {
        /// The sample asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A sample can't be loaded.
    #[error("sample {index}: {cause}")]
    Sample {
        /// Its index in the loader's set.
        index: usize,
        /// What went wrong.
        cause: Box<Self>,
    },
    /// A batch can't be made, though each of its samples can be loaded.
    #[error("batch {batch} of epoch {epoch}, of samples {samples}: {cause}")]
    Batch {
        /// The batch, from 0.
        batch: usize,
        /// The epoch, from 0.
        epoch: u64,
        /// The first of its samples.
        samples: String,
        /// What went wrong.
        cause: Box<Self>,
    },
    /// A data set, or a function of samples, panicked.
    #[error("panicked: {0}")]
    Panic(String),
    /// A tokenizer can't do what it was asked for.
    #[error("tokenizer: {problem}")]
    Text {
        /// What is wrong.
        problem: String,
    },
    /// An error of candle, or of sconce's core.
    #[error(transparent)]
    Core(Box<sconce_core::Error>),
}

impl Error {
    pub(crate) fn file(path: &str, problem: impl Into<String>) -> Self {
        Self::File {
            path: path.to_string(),
            problem: problem.into(),
        }
    }

    pub(crate) fn config(name: &'static str, value: impl ToString, expected: impl Into<String>) -> Self {
        Self::Config {
            name,
            value: value.to_string(),
            expected: expected.into(),
        }
    }
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Core(core) => (*core).into(),
            other => Self::Io(std::io::Error::other(other)),
        }
    }
}

impl From<sconce_core::Error> for Error {
    fn from(error: sconce_core::Error) -> Self {
        match error {
            sconce_core::Error::Candle(candle_core::Error::Io(io)) => match io.downcast::<Self>() {
                Ok(own) => own,
                Err(io) => Self::Core(Box::new(candle_core::Error::Io(io).into())),
            },
            core => Self::Core(Box::new(core)),
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        sconce_core::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_candle() {
        let error = Error::Index { index: 3, len: 2 };
        let candle = candle_core::Error::from(error).bt();
        assert!(matches!(Error::from(candle), Error::Index { index: 3, len: 2 }));
        let core = Error::from(candle_core::Error::Msg("no".into()).bt());
        assert_eq!(core.to_string(), "no");
    }
}
