//! What graph layers do whatever the graph.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod laws;
mod random;

use candle_core::{DType, Device, Tensor};
use sconce_core::ParamStore;

fn store(seed: u64) -> ParamStore {
    ParamStore::new(DType::F64, &Device::Cpu).seeded(seed)
}

fn edges(sources: Vec<i64>, targets: Vec<i64>) -> Tensor {
    let count = sources.len();
    Tensor::from_vec([sources, targets].concat(), (2, count), &Device::Cpu).unwrap()
}
