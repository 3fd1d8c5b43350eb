//! Transforms of images.

// The crate's own test reads the same configurations.
#[path = "../../../crates/sconce-data/tests/aids/transforms.rs"]
mod aid;

use sconce::data;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let input = |name: &str| match setting.tensor(&format!("in.{name}")) {
        Ok(tensor) => Ok(tensor),
        Err(Stop::Failed(message) | Stop::Unsupported(message)) => Err(message),
    };
    let mut results = Results::default();
    let outputs = aid::results(setting.config(), input).map_err(Stop::Unsupported)?;
    for (k, output) in outputs.iter().enumerate() {
        results.add(format!("out.{k}"), output);
    }
    Ok(results)
}
