//! Numeric loops on plain slices.
#![deny(unsafe_op_in_unsafe_fn)]
#![allow(unsafe_code, reason = "the one crate of the workspace that has any")]
#![allow(clippy::indexing_slicing, reason = "kernels index; slices check what the arithmetic can't show")]

pub mod math;
pub mod philox;
pub mod rows;
pub mod matrix;
pub mod parallel;
pub mod product;
pub mod simd;
