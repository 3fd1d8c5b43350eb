//! What the example programs share: how they fail, print and read pictures.

pub mod dates;
pub mod digits;
mod draws;
mod error;
mod kept;
pub mod layout;
pub mod picture;
pub mod plot;
mod saving;
pub mod sentences;
pub mod shapes;

pub use draws::{Draws, seed_for};
pub use error::{Failure, Result, run};
pub use kept::{Album, Keeper};
pub use saving::{Run, Saving, whole};

use sconce::optim::schedule::WarmUpCosine;
use sconce::train::Position;
use std::fmt::Display;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Flags that every program has.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Decides everything random: initial values, order of the samples
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub seed: u64,
    /// Where to compute: cpu, cuda, cuda:N, metal (other than cpu: build with that feature)
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// A run of seconds on embedded data, which fails if it doesn't reach the loss that it states
    #[arg(long)]
    pub smoke: bool,
}

/// Prints a line. A reader that went away, such as `head`, is no reason to lose a run; a full disk ends the program.
pub fn say(line: impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}")
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(std::io::stderr(), "error: the output can't be written: {error}");
        std::process::exit(1);
    }
}

/// Prints one of the figures that a program ends with.
pub fn figure(name: &str, value: f64) {
    say(format_args!("{name}: {value:.4}"));
}

/// Ends a smoke run that didn't reach what it must.
///
/// # Errors
/// The value isn't at least the bound.
pub fn expect_at_least(name: &str, value: f64, bound: f64) -> Result<()> {
    say(format_args!("smoke run: {name} must be at least {bound}"));
    if value >= bound {
        return Ok(());
    }
    let message = format!("{name} is {value:.4}, at least {bound} was expected");
    Err(Failure::new(message))
}

/// Ends a smoke run that isn't better than what it is compared with.
///
/// # Errors
/// The value isn't above the other's.
pub fn expect_above(name: &str, value: f64, other: &str, others: f64) -> Result<()> {
    say(format_args!("smoke run: {name} must be above that {other}"));
    if value > others {
        return Ok(());
    }
    let message = format!("{name} is {value:.4}, above {others:.4} {other} was expected");
    Err(Failure::new(message))
}

/// Ends a smoke run that didn't get below what it must.
///
/// # Errors
/// The value isn't below the bound.
pub fn expect_below(name: &str, value: f64, bound: f64) -> Result<()> {
    // Four digits of what was measured, all of what was chosen.
    let bound_said = format!("{bound:.4}");
    let bound_said = bound_said.trim_end_matches('0');
    say(format_args!("smoke run: {name} must be below {bound_said}"));
    if value < bound {
        return Ok(());
    }
    let message = format!("{name} is {value:.4}, below {bound_said} was expected");
    Err(Failure::new(message))
}

/// The most of anything that a flag asks for: more would take years, or more memory than there is.
pub const MOST: usize = 1_000_000;
/// The most layers that a flag asks for.
pub const MOST_LAYERS: usize = 1000;

/// Makes sure that a flag's value is of use before anything is done with it.
///
/// # Errors
/// It isn't in the range.
pub fn in_range(flag: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let message = format!("{flag} is {value}, expected {} to {}", range.start(), range.end());
    Err(Failure::new(message))
}

/// A schedule of the learning rate: the product of a rise from 0 to `lr` over the first tenth of the run and a cosine's fall
/// from `lr` to 0 over all of it. The highest is 0.976 times `lr`.
pub fn warm_up_then_cosine(lr: f64) -> impl Fn(&Position) -> f64 {
    move |at| WarmUpCosine::new(at.steps as u64).lr(lr, at.step as u64)
}

/// Where a picture of this name goes: into the folder, if one was asked for, which is made where there is none.
///
/// # Errors
/// The folder can't be made, or the file can't be written there.
pub fn in_folder(folder: Option<&Path>, name: &str) -> Result<Option<PathBuf>> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    std::fs::create_dir_all(folder).map_err(|error| Failure::at(folder, error))?;
    let path = folder.join(name);
    check_writable(&path)?;
    Ok(Some(path))
}

/// Makes sure that a file can be put there, before hours are spent on what goes into it.
///
/// # Errors
/// There is no such folder, the path is one, or nothing may be written there.
pub fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if path.is_dir() {
        return Err(Failure::at(path, "is a folder, expected a file to write"));
    }
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failure::at(path, "there is no such folder to write to"));
    }
    let existed = path.exists();
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| Failure::at(path, format!("can't be written: {error}")))?;
    if !existed {
        // What a link leads to, and not the link.
        let made = path.canonicalize();
        made.and_then(std::fs::remove_file)
            .map_err(|error| Failure::at(path, error))?;
    }
    Ok(())
}

/// A public data set's folder, whether it is there or not.
///
/// # Errors
/// The system names no place for data.
pub fn data_folder(name: &str) -> Result<PathBuf> {
    let folder = sconce::data::data_dir().ok_or_else(|| {
        Failure::new("no folder for data: neither SCONCE_DATA nor the user's cache folder is known")
    })?;
    Ok(folder.join(name))
}
