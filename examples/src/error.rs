//! One line on the standard error, and status 1.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// The result of a program's parts.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a program stops: one line, made from any error.
#[derive(Debug)]
pub struct Failure {
    message: String,
    /// Whether somebody asked it to stop, which is no error.
    asked: bool,
}

impl Failure {
    /// With a message of one's own.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: one_line(&message.into()),
            asked: false,
        }
    }

    /// No failure: somebody asked the program to stop, and it says so.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self {
            asked: true,
            ..Self::new(message)
        }
    }

    /// With what is wrong with a file.
    pub fn at(path: &Path, problem: impl Display) -> Self {
        Self::new(format!("{}: {problem}", path.display()))
    }

    /// The line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error> = Box::new(error);
        // candle's own message would hold a backtrace if RUST_BACKTRACE is set; sconce's error leaves it out.
        match error.downcast::<sconce::candle_core::Error>() {
            Ok(candle) => Self::new(sconce::core::Error::from(*candle).to_string()),
            Err(error) => Self::new(error.to_string()),
        }
    }
}

fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}

/// Runs a program: the status is 0, or 1 after one line that says what is wrong. One that was asked to stop has done so.
pub fn run(program: impl FnOnce() -> Result<()>) -> ExitCode {
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.asked => {
            crate::say(failure.message());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sconce::candle_core::{self, DType, Device, Tensor};

    #[test]
    fn candles_errors_lose_their_backtrace() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let error = candle_core::Error::WithBacktrace {
            inner: Box::new(x.matmul(&x).unwrap_err()),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        let failure = Failure::from(error);
        assert!(
            failure.message().starts_with("shape mismatch in matmul"),
            "{failure:?}"
        );
        assert!(!failure.message().contains(".rs:"), "{failure:?}");
        assert_eq!(Failure::new("a\n\n  b\n").message(), "a; b");
    }
}
