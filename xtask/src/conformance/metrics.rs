//! Metrics: figures of outputs and targets, and of texts.

// The crate's own test reads the same configurations.
#[path = "../../../crates/sconce-train/tests/aids/figures.rs"]
mod figures;

use sconce::train;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let data = match (
        setting.optional_tensor("in.output")?,
        setting.optional_tensor("in.target")?,
    ) {
        (Some(output), Some(target)) => Some((output, target)),
        _ => None,
    };
    let feed = |start: &dyn Fn() -> Box<dyn train::Accumulator>| {
        let mut accumulator = start();
        if let Some((output, target)) = &data {
            accumulator.update(output, target)?;
        }
        Ok(accumulator)
    };
    let mut results = Results::default();
    for (name, figure) in figures::figures(setting.config(), &feed).map_err(Stop::Unsupported)? {
        results.add(name, &figure);
    }
    Ok(results)
}
