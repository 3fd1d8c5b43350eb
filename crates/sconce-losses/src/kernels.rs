//! The losses' numeric loops.

mod cross_entropy;
mod mse;

pub(crate) use cross_entropy::{Blend, Softmax, cross_entropy, cross_entropy_gradient};
pub(crate) use mse::{scaled_differences, squared_differences, sum_of_squared_differences};
