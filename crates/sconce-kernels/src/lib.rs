//! The numeric loops that sconce's crates share: matrix products, vector maths, reductions, row-wise statistics, random
//! numbers. Slices in, slices out; nothing here knows a tensor, a gradient or a layer.
//!
//! ```
//! use sconce_kernels::matrix::MatRef;
//! use sconce_kernels::product::{Activate, Columns, Packed, Tanh, product_vec};
//! use sconce_kernels::rows;
//!
//! // A layer with a tanh, tanh(x·Wᵀ + b), and a softmax over its outputs; W is stored [out, in], as PyTorch does.
//! let (batch, inputs, outputs) = (2, 3, 4);
//! let (x, w, b) = ([0.5f32; 6], [0.1f32; 12], [0., 1., 2., 3.]);
//! let w = Packed::new(MatRef::new(&w, outputs, inputs).t());
//! let y = product_vec(MatRef::new(&x, batch, inputs), &w, &Activate::<_, Tanh>::new(Columns(&b)));
//! let p = rows::softmax(&y, outputs);
//! assert!((p[..4].iter().sum::<f32>() - 1.).abs() < 1e-6 && p[3] > p[0]);
//! ```
//!
//! # What is here
//!
//! - [`simd`]: vectors, and kernels that are written once and run with AVX-512, AVX2, NEON or portable code, whichever the
//!   processor has. `SCONCE_SIMD=portable` (or `avx2`, …) forces one.
//! - [`product`]: C = A·B for `f32` and `f64`, from a [`matrix`] of any strides, with a bias, an activation or one's own
//!   function applied while the tile is at hand.
//! - [`math`]: exp, ln, tanh, sigmoid, erf, softplus with stated bounds on their errors.
//! - [`parallel`]: fixed chunks, handed out to threads; reductions and scans in a fixed order.
//! - [`rows`]: softmax, layer norm, means and variances.
//! - [`philox`]: random numbers that depend on a key and a counter alone.
//!
//! # What holds everywhere
//!
//! - **The number of threads doesn't show.** One thread or sixty-four, the bits are the same. They may differ between
//!   instruction sets (fused multiply-adds round once), except for random numbers.
//! - **Small work stays on the calling thread**, and the calling thread works too: nothing here waits for a thread to wake.
//! - **Misuse panics with a message**: slices whose lengths disagree are a mistake of the calling code. Callers check what
//!   comes from their users.
//! - **All `unsafe` code of the workspace is in this crate**, and none of it in its interface. Each block says why it is
//!   sound; the tests run under every instruction set that the machine has, and under AddressSanitizer.
#![deny(unsafe_op_in_unsafe_fn)]
#![allow(unsafe_code, reason = "the one crate of the workspace that has any")]
#![allow(
    clippy::indexing_slicing,
    reason = "kernels index; slices check what the arithmetic can't show"
)]

pub mod math;
pub mod matrix;
pub mod parallel;
pub mod philox;
pub mod product;
pub mod rows;
pub mod simd;
