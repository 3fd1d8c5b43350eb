//! The Python that has PyTorch.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What can be wrong with it.
#[derive(Debug, thiserror::Error)]
enum PythonError {
    #[error("cannot start {python}: {source}; set SCONCE_PYTHON to a Python that has torch")]
    Missing { python: String, source: std::io::Error },
    #[error(
        "{python} has no torch: {python} -m pip install -r xtask/golden/requirements.txt, or set SCONCE_PYTHON to a Python \
         that has it"
    )]
    NoTorch { python: String },
}

/// A Python whose `import torch` works.
pub(super) struct Python(String);

/// `$SCONCE_PYTHON`, else `python3`.
pub(super) fn find() -> crate::Result<Python> {
    let python = std::env::var("SCONCE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    check(python)
}

fn check(python: String) -> crate::Result<Python> {
    match Command::new(&python).args(["-c", "import torch"]).output() {
        Err(source) => Err(PythonError::Missing { python, source }.into()),
        Ok(output) if !output.status.success() => Err(PythonError::NoTorch { python }.into()),
        Ok(_) => Ok(Python(python)),
    }
}

impl Python {
    /// One of the scripts in `xtask/bench`.
    pub(super) fn script(&self, name: &str) -> Command {
        let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(name);
        let mut command = Command::new(&self.0);
        // Without its bytecode, which would lie among the sources.
        command.arg(path).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_a_line() {
        let error = check("no-such-python".to_owned()).err().unwrap().to_string();
        assert!(error.starts_with("cannot start no-such-python: "), "{error}");
        // A program that fails whatever it is given stands for a Python without torch.
        #[cfg(unix)]
        {
            let error = check("false".to_owned()).err().unwrap().to_string();
            assert!(
                error.starts_with("false has no torch: false -m pip install"),
                "{error}"
            );
        }
    }
}
