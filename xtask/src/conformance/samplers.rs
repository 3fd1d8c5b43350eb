//! Samplers, splits and padding.

// The crate's own test reads the same configurations.
#[path = "../../../crates/sconce-data/tests/aids/loading.rs"]
mod loading;

use sconce::data;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let input = |k: usize| match setting.tensor(&format!("in.{k}")) {
        Ok(tensor) => Ok(tensor),
        Err(Stop::Failed(message) | Stop::Unsupported(message)) => Err(message),
    };
    let mut results = Results::default();
    results.add(
        "out",
        &loading::result(setting.config(), input, 0).map_err(Stop::Unsupported)?,
    );
    Ok(results)
}
