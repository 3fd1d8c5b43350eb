//! `cargo xtask golden`: regenerates the golden files with PyTorch.
//!
//! The Python side stands in `xtask/golden`, one file a family, with its pinned `requirements.txt`. Each set goes to the
//! crate that it tests, `crates/<crate>/tests/golden`, in the format that `cargo xtask conformance` reads. Every case draws
//! from a generator of its own, so that a new case changes no other.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of `cargo xtask golden`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Families to regenerate, by the names of their files in xtask/golden; all if none is named
    families: Vec<String>,
}

/// What can go wrong beside the generator's own messages, which stand on stderr.
#[derive(Debug, thiserror::Error)]
enum GoldenError {
    #[error("cannot start {python}: {source}; set SCONCE_PYTHON to a Python that has torch")]
    NoPython { python: String, source: std::io::Error },
    #[error(
        "{python} lacks the generator's packages in their versions: {python} -m pip install -r {requirements}"
    )]
    NoTorch { python: String, requirements: String },
    #[error("the generator failed: {0}")]
    Failed(std::process::ExitStatus),
}

/// Fails unless every line `name==version` of a file is installed just so.
const HAS_PACKAGES: &str = "\
import sys
from importlib.metadata import version
pairs = [line.strip().split('==') for line in open(sys.argv[1]) if '==' in line]
sys.exit(any(version(name).split('+')[0] != wanted for name, wanted in pairs))
";

pub(crate) fn run(args: Args) -> crate::Result<()> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = xtask.join("golden");
    let crates: PathBuf = xtask.parent().unwrap_or(xtask).join("crates");
    let python = std::env::var("SCONCE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let no_python = |source| GoldenError::NoPython {
        python: python.clone(),
        source,
    };
    // Without its bytecode, which would lie among the sources.
    let start = || {
        let mut command = Command::new(&python);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    // Another version would write other golden files, and nobody would see why.
    let requirements = scripts.join("requirements.txt");
    let has_packages = start()
        .args(["-c", HAS_PACKAGES])
        .arg(&requirements)
        .output()
        .map_err(no_python)?;
    if !has_packages.status.success() {
        let requirements = requirements.display().to_string();
        return Err(GoldenError::NoTorch { python, requirements }.into());
    }
    let script = scripts.join("generate.py");
    let status = start()
        .arg(script)
        .arg(crates)
        .args(&args.families)
        .status()
        .map_err(no_python)?;
    if status.success() {
        Ok(())
    } else {
        Err(GoldenError::Failed(status).into())
    }
}
