//! Losses for candle: [`cross_entropy()`] and [`mse()`].
//!
//! A loss is a function of predictions and targets with a [`Reduction`] as its last argument. Names, defaults and semantics
//! are those of `torch.nn.functional`. On the CPU, in `f32` and `f64`, each is one node of the graph with a backward of its
//! own; elsewhere it is composed of candle operations.
//!
//! ```
//! use sconce_core::candle_core::{Device, Tensor, Var};
//! use sconce_losses::{Reduction, cross_entropy};
//!
//! let logits = Var::new(&[[2f32, 0., 0.], [0., 3., 0.]], &Device::Cpu)?;
//! let classes = Tensor::new(&[0u32, 1], &Device::Cpu)?;
//! let loss = cross_entropy(&logits, &classes, Reduction::Mean)?;
//! assert!(loss.to_scalar::<f32>()? < 0.2);
//! let gradient = loss.backward()?.remove(&logits).unwrap();
//! assert_eq!(gradient.dims(), [2, 3]);
//! # Ok::<(), sconce_core::candle_core::Error>(())
//! ```

mod cross_entropy;
#[allow(
    clippy::indexing_slicing,
    reason = "numeric loops over slices of checked length"
)]
mod kernels;
mod mse;
mod reduction;

pub use cross_entropy::{CrossEntropyConfig, cross_entropy, cross_entropy_with};
pub use mse::mse;
pub use reduction::Reduction;
