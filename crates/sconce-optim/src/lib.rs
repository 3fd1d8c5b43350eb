//! Optimisers for candle: [`Sgd`]; [`Adagrad`], [`Adadelta`] and [`RmsProp`]; [`Adam`], with AdamW's decay too, [`Adamax`],
//! [`NAdam`], [`RAdam`] and [`Lion`]; [`Rprop`] and [`Asgd`]; [`Adafactor`] and [`Muon`] for matrices; [`Lbfgs`], which
//! evaluates the loss itself; [`ProximalL1`] on top of any but the last.
//!
//! An optimiser is made for the parameters of a [`ParamStore`](sconce_core::ParamStore) or of candle's
//! [`VarMap`](sconce_core::candle_nn::VarMap), and changes them in place by the gradients that [`backward`](sconce_core::backward) gave.
//! Names, defaults and the order of operations are PyTorch's, so trajectories agree with it.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device};
//! use sconce_core::{Init, ParamStore, backward, param};
//! use sconce_optim::{Adam, AdamConfig, Optimize};
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu);
//! let w = param(&store.builder(), 3, "w", &Init::Const(1.))?;
//! let mut adam = Adam::new(&AdamConfig { lr: 0.1, ..AdamConfig::default() }, &store)?;
//! for _ in 0..100 {
//!     let loss = (w.tensor() - 2.)?.sqr()?.sum_all()?;
//!     adam.step(&backward(&loss, &store)?)?;
//! }
//! assert!((w.value().to_vec1::<f32>()?[0] - 2.).abs() < 0.05);
//! # Ok::<(), sconce_core::Error>(())
//! ```
//!
//! # Groups
//! `with_group("*.bias", &cfg)` gives the parameters whose name matches options of their own.
//! [`Parameters::only`](sconce_core::Parameters::only) and [`except`](sconce_core::Parameters::except) divide a store between
//! two rules.
//!
//! # Around the step
//! [`schedule`]: learning rates over a run. [`clip_grad_norm`] and [`clip_grad_value`] shorten gradients,
//! [`GradientAccumulator`] adds up those of micro-batches, [`Ema`] and [`Swa`] average the parameters, and
//! [`check_gradients`] and [`gradient_statistics`] look at what there is.
//!
//! # State
//! A rule owns its state, such as Adam's moments: it is made at a parameter's first gradient, in the parameter's element
//! type, and listed by `state` under PyTorch's names. A parameter without a gradient is skipped and has none.
//!
//! # Speed
//! On the CPU, in `f32` and `f64`, parameter, gradient and state are read and written once, in parallel; small tensors
//! share a parallel region. The result has the same bits for any number of threads. Elsewhere the rule runs as candle
//! operations, for `f16` and `bf16` on an `f32` twin of the parameter. [`Adafactor`] and [`Muon`], whose step of an element
//! depends on the whole tensor, take several passes, and [`Muon`] keeps working memory of two of the largest matrices.

mod accumulate;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
mod average;
mod batch_norm;
mod clip;
mod ema;
mod engine;
mod held;
mod inspect;
#[allow(
    clippy::indexing_slicing,
    reason = "numeric loops over slices of equal length"
)]
mod kernels;
mod lbfgs;
mod lion;
mod minimize;
mod muon;
mod nadam;
mod optimize;
mod proximal;
mod radam;
mod rms_prop;
mod rprop;
pub mod schedule;
mod sgd;
mod share;
mod swa;

pub use accumulate::GradientAccumulator;
pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adafactor::{Adafactor, AdafactorConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamax::{Adamax, AdamaxConfig};
pub use asgd::{Asgd, AsgdConfig};
pub use batch_norm::update_bn;
pub use clip::{ClipGradNormConfig, clip_grad_norm, clip_grad_value, grad_norm};
pub use ema::{Ema, EmaConfig};
pub use inspect::{GradientCheck, GradientStatistics, NotFinite, check_gradients, gradient_statistics};
pub use lbfgs::{Lbfgs, LbfgsConfig, LineSearch};
pub use lion::{Lion, LionConfig};
pub use minimize::Minimize;
pub use muon::{Muon, MuonAdjust, MuonConfig};
pub use nadam::{NAdam, NAdamConfig};
pub use optimize::Optimize;
pub use proximal::ProximalL1;
pub use radam::{RAdam, RAdamConfig};
pub use rms_prop::{RmsProp, RmsPropConfig};
pub use rprop::{Rprop, RpropConfig};
pub use sgd::{Sgd, SgdConfig};
pub use swa::{Swa, SwaConfig};
