//! The readers on the fuzzers' inputs: fuzz/bodies says what is done with one, fuzz/seeds has those that were worth keeping.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../../../fuzz/bodies/replay.rs"]
mod replay;

#[cfg(feature = "csv")]
#[path = "../../../fuzz/bodies/csv.rs"]
mod csv;
#[path = "../../../fuzz/bodies/idx.rs"]
mod idx;
#[path = "../../../fuzz/bodies/npz.rs"]
mod npz;
#[path = "../../../fuzz/bodies/planetoid.rs"]
mod planetoid;

#[test]
fn idx_files() {
    replay::folder("idx", idx::run);
}

#[cfg(feature = "csv")]
#[test]
fn csv_files() {
    replay::folder("csv", csv::run);
}

#[test]
fn npz_files() {
    replay::folder("npz", npz::run);
}

#[test]
fn planetoid_files() {
    replay::folder("planetoid", planetoid::run);
}

#[test]
fn made_planetoid_files() {
    replay::seeds("planetoid", &planetoid::seeds(), planetoid::run);
}
