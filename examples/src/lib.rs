//! What the example programs share: how they fail, print and read pictures.

mod error;
pub mod picture;
pub mod plot;

pub use error::{Failure, Result, run};

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

/// Flags that every program has.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Decides everything random: initial values, order of the samples
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: cpu, cuda, cuda:N, metal (other than cpu: build with that feature)
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// A run of seconds on embedded data, which fails if it doesn't reach the loss that it states
    #[arg(long)]
    pub smoke: bool,
}

/// Prints a line. Unlike `println!` it survives a reader that went away, such as `head`.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints one of the figures that a program ends with.
pub fn figure(name: &str, value: f64) {
    say(format_args!("{name}: {value:.4}"));
}

/// Makes sure that a file can be put there, before hours are spent on what goes into it.
///
/// # Errors
/// There is no such folder, or the path is one.
pub fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if path.is_dir() {
        return Err(Failure::at(path, "is a folder, expected a file to write"));
    }
    match folder {
        Some(folder) if !folder.is_dir() => Err(Failure::at(path, "there is no such folder to write to")),
        _ => Ok(()),
    }
}
