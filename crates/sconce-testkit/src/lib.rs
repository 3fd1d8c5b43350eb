//! Checks for candle code: gradients against finite differences, golden files, properties.
//!
//! This crate depends on candle and on nothing else of sconce, so it checks any code that is written on candle. It answers
//! three questions about a differentiable function.
//!
//! **Is its gradient right, and is all of it there?** [`gradcheck`] compares what `backward` gives with central differences
//! in f64, element by element, for every input and every parameter. candle drops a gradient without a word when an operation
//! has none; here a missing gradient is a failure that names the input, and so is one that is zero everywhere, because such
//! a check shows nothing.
//!
//! ```
//! use candle_core::{DType, Tensor};
//! use sconce_testkit::{check_gradients, Random};
//!
//! let mut random = Random::new(1);
//! let x = random.normal((3, 5), DType::F64)?;
//! let w = random.normal((5, 2), DType::F64)?;
//!
//! // Right: a product and a tanh.
//! let report = check_gradients(&[("x", &x), ("w", &w)], |t: &[Tensor]| t[0].matmul(&t[1])?.tanh())?;
//! assert_eq!(report.inputs.len(), 2);
//!
//! // Wrong: w is cut out of the graph, and the message says so.
//! let cut = check_gradients(&[("x", &x), ("w", &w)], |t: &[Tensor]| t[0].matmul(&t[1].detach()));
//! assert!(cut.unwrap_err().to_string().contains("`w` got no gradient"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Does it agree with the reference?** [`golden`] reads sets of cases that PyTorch computed (`<family>.json` with the
//! configurations, `<family>.safetensors` with inputs, parameters, outputs and gradients) and compares tensors by their
//! relative error, ‖a − b‖ ≤ rtol·‖b‖ + atol, with NaN and infinities in the same places.
//!
//! ```no_run
//! use sconce_testkit::golden::{compare, Bound, Cases};
//!
//! for case in Cases::open("golden", "act")?.iter().filter(|case| case.kind() == "tanh") {
//!     let y = case.tensor("in.x")?.tanh()?;
//!     compare("out.0", &y, &case.tensor("out.0")?, Bound::F64)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Does it obey its laws?** [`property`] holds what property tests need whatever their framework: seeded random tensors
//! and shapes, the same values in other memory layouts, equality to the last bit, independence of the batch's other
//! samples, of their order and of the number of threads.
//!
//! Functions named `check_…` return an error that can be read; those named `assert_…` panic with it, at the caller's line,
//! for use in tests.

pub mod golden;
pub mod gradcheck;
mod layout;
pub mod property;
mod random;

pub use gradcheck::{
    GradCheck, assert_gradients, assert_parameter_gradients, check_gradients, check_parameters,
};
pub use layout::Layout;
pub use random::Random;
