//! The ground floor of sconce, the training stack for [candle](candle_core): what every layer, loss and rule stands on.
//!
//! # Parameters
//! A [`ParamStore`] holds parameters and buffers in order, seeded, and hands out candle's
//! [`VarBuilder`](candle_nn::VarBuilder)s. Layers ask for theirs with [`param`] and [`buffer`], and read them through
//! [`Param::tensor`], which honours [`no_grad`] and freezing. candle's `VarMap` and model files work as well.
//!
//! # Gradients
//! [`backward`] runs candle's backward pass and gives gradients by name; a parameter that got none is named too. A
//! [`Function`] is an operation with a backward written by hand, for any number of inputs and outputs.
//!
//! # The rest
//! [`Generator`]: random numbers whose state is two integers. [`Init`]: initial values by PyTorch's formulas. [`io`]: model
//! files, whole or not at all. [`mod@graph`]: the computation graph as a picture. [`parse_device`]: devices by name.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, Tensor};
//! use sconce_core::{Init, ParamStore, backward, io, no_grad, param};
//!
//! // A line through four points by gradient descent.
//! let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(0);
//! let w = param(&store.builder(), (1, 2), "w", &Init::Uniform { lo: -1., hi: 1. })?;
//! let x = Tensor::new(&[[0f64, 1.], [1., 1.], [2., 1.], [3., 1.]], &Device::Cpu)?;
//! let y = Tensor::new(&[[1f64], [3.], [5.], [7.]], &Device::Cpu)?;
//! for _ in 0..500 {
//!     let loss = (x.matmul(&w.tensor().t()?)? - &y)?.sqr()?.mean_all()?;
//!     let gradients = backward(&loss, &store)?;
//!     let step = (gradients.get("w").unwrap() * 0.1)?;
//!     store.set("w", &(w.value() - step)?)?;
//! }
//! let fit = no_grad(|| w.tensor()).to_vec2::<f64>()?;
//! assert!((fit[0][0] - 2.).abs() < 1e-3 && (fit[0][1] - 1.).abs() < 1e-3);
//! # Ok::<(), sconce_core::Error>(())
//! ```

pub use candle_core;
pub use candle_nn;

mod cast;
pub mod cpu;
mod device;
mod error;
pub mod function;
mod grad;
pub mod graph;
mod half;
mod init;
pub mod io;
mod params;
mod random;
mod statistics;

pub use cast::cast;
pub use device::{best_device, parse_device};
pub use error::{Error, Result, layer_path};
pub use function::{Backward, Function, Output, apply, apply1};
pub use grad::{Gradients, backward, is_grad_enabled, no_grad};
pub use half::widened;
pub use init::{Fan, Init, Nonlinearity};
pub use params::{Buffer, NameGlob, Param, ParamStore, Parameters, Selection, buffer, is_buffer, param};
pub use random::{Generator, default_generator, manual_seed};
pub use statistics::{cumulative_statistics, is_cumulative};
