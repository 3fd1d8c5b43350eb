//! The error type that the layer crates share.

use candle_core::Error as CandleError;

/// The result of everything in sconce that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in sconce's core and in its layers.
///
/// It turns into [`candle_core::Error`] with `?`, so that it passes through candle's [`Module`](candle_nn::Module), and
/// [`Error::from`] takes it back out unchanged:
///
/// ```
/// use sconce_core::Error;
/// let error = Error::config("fc1 (Linear)", "in_features", 0, "at least 1");
/// let through_candle = candle_core::Error::from(error);
/// assert!(matches!(Error::from(through_candle), Error::Config { field: "in_features", .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer, loss or rule was configured with a value that it can't have.
    #[error("{layer}: {field} is {value}, expected {expected}")]
    Config {
        /// Path and type of the layer, as in `encoder.fc1 (Linear)`.
        layer: String,
        /// The option's name.
        field: &'static str,
        /// The value that came.
        value: String,
        /// What it should have been.
        expected: String,
    },
    /// A tensor came with a shape that doesn't fit.
    #[error("{layer}: {argument} has shape {got:?}, expected {expected}")]
    Shape {
        /// Path and type of the layer, or the operation's name.
        layer: String,
        /// The argument's name.
        argument: &'static str,
        /// The expected shape with axis names, as in `[batch, in_features = 4]`.
        expected: String,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// A value within a tensor is out of its range.
    #[error("{layer}: {argument}[{index}] is {value}, expected {expected}")]
    Value {
        /// Path and type of the layer, or the operation's name.
        layer: String,
        /// The argument's name.
        argument: &'static str,
        /// Position of the first offending value, counted over the flattened tensor.
        index: usize,
        /// The value.
        value: String,
        /// What it should have been.
        expected: String,
    },
    /// A tensor came with an element type that doesn't fit.
    #[error("{layer}: {argument} has dtype {got:?}, expected {expected}")]
    DType {
        /// Path and type of the layer, or the operation's name.
        layer: String,
        /// The argument's name.
        argument: &'static str,
        /// The types that would do.
        expected: String,
        /// The type that came.
        got: candle_core::DType,
    },
    /// A device's name isn't one of `cpu`, `cuda`, `cuda:N`, `metal`, `metal:N`.
    #[error("unknown device {0:?}, expected cpu, cuda, cuda:N, metal or metal:N")]
    UnknownDevice(String),
    /// A device was asked for whose backend isn't in this build.
    #[error(
        "device {device:?} needs a build with --features {feature} (of sconce or sconce-core), which this one lacks"
    )]
    DeviceNotCompiled {
        /// The device asked for.
        device: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// A device is compiled in but can't be opened.
    #[error("device {device:?} can't be opened: {reason}")]
    DeviceUnavailable {
        /// The device asked for.
        device: String,
        /// The driver's words.
        reason: String,
    },
    /// A loss has more than one element, or doesn't depend on any parameter.
    #[error("backward: {0}")]
    Backward(String),
    /// A name glob is malformed or matches nothing.
    #[error("{glob:?} {problem}")]
    Glob {
        /// The pattern.
        glob: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A store has no tensor of this name.
    #[error("no tensor is named {0:?} in this store")]
    UnknownName(String),
    /// A file's tensors don't fit a store.
    #[error("{path}: {report}")]
    Load {
        /// The file.
        path: String,
        /// What didn't fit.
        report: Box<crate::io::LoadReport>,
    },
    /// A file can't be read or written, or holds something else than it should.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// An error of candle's own.
    #[error("{}", innermost(.0))]
    Candle(CandleError),
}

impl Error {
    /// An [`Error::Config`].
    pub fn config(
        layer: impl Into<String>,
        field: &'static str,
        value: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Config {
            layer: layer.into(),
            field,
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    /// An [`Error::DType`]: a tensor whose dtype isn't that of the parameters.
    pub fn parameter_dtype(
        layer: impl Into<String>,
        argument: &'static str,
        expected: candle_core::DType,
        got: candle_core::DType,
    ) -> Self {
        Self::DType {
            layer: layer.into(),
            argument,
            expected: format!("{expected:?}, that of the parameters"),
            got,
        }
    }

    /// An [`Error::Shape`].
    pub fn shape(
        layer: impl Into<String>,
        argument: &'static str,
        expected: impl Into<String>,
        got: &[usize],
    ) -> Self {
        Self::Shape {
            layer: layer.into(),
            argument,
            expected: expected.into(),
            got: got.to_vec(),
        }
    }
}

/// How a layer calls itself in errors: its path in the parameter store and its type.
///
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device}, layer_path};
/// let vb = ParamStore::new(DType::F32, &Device::Cpu).builder();
/// assert_eq!(layer_path(&vb.pp("encoder").pp("fc1"), "Linear"), "encoder.fc1 (Linear)");
/// assert_eq!(layer_path(&vb, "Linear"), "Linear");
/// ```
pub fn layer_path(vb: &candle_nn::VarBuilder, layer: &str) -> String {
    match vb.prefix() {
        path if path.is_empty() => layer.to_string(),
        path => format!("{path} ({layer})"),
    }
}

impl From<Error> for CandleError {
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(inner) => inner,
            // `Io` is the one variant whose payload displays as itself and can be downcast again.
            other => CandleError::Io(std::io::Error::other(other)),
        }
    }
}

impl From<CandleError> for Error {
    fn from(error: CandleError) -> Self {
        match error {
            CandleError::Io(io) => match io.downcast::<Error>() {
                Ok(own) => own,
                Err(io) => Self::Candle(CandleError::Io(io)),
            },
            CandleError::WithBacktrace { inner, .. } => Self::from(*inner),
            CandleError::Context { inner, context } => match Self::from(*inner) {
                Self::Candle(inner) => Self::Candle(CandleError::Context {
                    inner: Box::new(inner),
                    context,
                }),
                own => own,
            },
            CandleError::WithPath { inner, path } => match Self::from(*inner) {
                Self::Candle(inner) => Self::Candle(CandleError::WithPath {
                    inner: Box::new(inner),
                    path,
                }),
                own => own,
            },
            other => Self::Candle(other),
        }
    }
}

/// candle's message without the backtraces that its `Display` prints when `RUST_BACKTRACE` is set.
fn innermost(error: &CandleError) -> String {
    match error {
        CandleError::WithBacktrace { inner, .. } => innermost(inner),
        CandleError::Context { inner, context } => format!("{context}: {}", innermost(inner)),
        CandleError::WithPath { inner, path } => format!("{}: {}", path.display(), innermost(inner)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Error {
        Error::shape("fc1 (Linear)", "input", "[batch, in_features = 4]", &[2, 3])
    }

    #[test]
    fn survives_every_wrapping_of_candle() {
        let wrapped: [fn(CandleError) -> CandleError; 4] = [
            |e| e,
            |e| e.bt(),
            |e| e.with_path("model.safetensors"),
            |e| e.context("while loading").bt(),
        ];
        for wrap in wrapped {
            let back = Error::from(wrap(sample().into()));
            assert!(
                matches!(
                    back,
                    Error::Shape {
                        argument: "input",
                        ..
                    }
                ),
                "{back:?}"
            );
        }
    }

    #[test]
    fn displays_in_one_line_without_backtrace() {
        let error = CandleError::Msg("out of memory".into()).context("step 3");
        let with_trace = CandleError::WithBacktrace {
            inner: Box::new(error),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        assert_eq!(Error::from(with_trace).to_string(), "step 3: out of memory");
        assert_eq!(
            sample().to_string(),
            "fc1 (Linear): input has shape [2, 3], expected [batch, in_features = 4]"
        );
    }
}
