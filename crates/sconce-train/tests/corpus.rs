//! Checkpoints among the fuzzers' inputs: fuzz/bodies says what is done with one, fuzz/seeds has those that were worth keeping.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../../../fuzz/bodies/replay.rs"]
mod replay;

#[path = "../../../fuzz/bodies/checkpoint.rs"]
mod checkpoint;

#[test]
fn checkpoints() {
    replay::folder("checkpoint", checkpoint::run);
}

/// Each number and each tensor of a checkpoint at its extremes, left out and of another shape.
#[test]
fn extreme_checkpoints() {
    replay::seeds("checkpoint", &checkpoint::seeds(), checkpoint::run);
}
