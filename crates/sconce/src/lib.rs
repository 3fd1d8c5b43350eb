//! The training stack that [candle](candle_core) lacks: losses, optimisers, layers, data and a training loop.
//!
//! Each part is a crate of its own and a feature here, all of them on by default. To pick: `default-features = false` and
//! the features by name.
//!
//! | module | what is in it |
//! |---|---|
//! | [`core`] | parameters, gradients, initialisers, randomness, devices, model files |
//! | [`nn`] | layers that all families share, activations, normalisation |
//! | [`losses`] | of classes, numbers, distributions, distances, regions; CTC; penalties |
//! | [`optim`] | SGD, Adam and all the rules of PyTorch; groups, schedules, clipping, averages |
//! | [`cnn`] | convolution, pooling, resampling; LeNet, ResNet, U-Net |
//! | [`rnn`] | RNN, LSTM, GRU, packed sequences |
//! | [`transformer`] | attention, encoder, decoder; BERT, ViT, GPT |
//! | [`gnn`] | graphs, message passing, graph convolutions, heterogeneous graphs |
//! | [`data`] | data sets, samplers, loaders, readers, transforms, text, the embedded digits |
//! | [`train`] | fit, evaluate, predict; metrics, checkpoints, logs, plots |
//!
//! Within [`data`], `csv`, `image` and `text` are features too: `data::Table`, `data::ImageFolder`, `data::text`; and within
//! [`train`], `plot`: `train::plot`, `train::RunReport`.
//!
//! The features `cuda`, `cudnn`, `metal`, `accelerate` and `mkl` are candle's. [`candle_core`] and [`candle_nn`] are
//! re-exported, so that a program has one version of each.
//!
//! # A digit reader
//! ```
//! # #[cfg(all(feature = "nn", feature = "losses", feature = "optim", feature = "data", feature = "train"))] {
//! use sconce::candle_core::{DType, Device, Tensor};
//! use sconce::core::ParamStore;
//! use sconce::data::{Dataset, TensorDataset, digits};
//! use sconce::losses::{Reduction, cross_entropy};
//! use sconce::nn::{Mlp, MlpConfig};
//! use sconce::optim::{Adam, AdamConfig};
//! use sconce::train::{Accuracy, FitConfig, Trainer};
//!
//! let digits = digits()?;
//! let pixels = (digits.images.flatten_from(1)? / 16.)?;
//! let (train, test) = TensorDataset::new(&pixels, &digits.labels)?.split_random(0.2, 0)?;
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let net = Mlp::new(&MlpConfig::new(64, [32], 10), store.builder())?;
//! let adam = Adam::new(&AdamConfig { lr: 0.01, ..AdamConfig::default() }, &store)?;
//! let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);
//! let mut trainer = Trainer::new(net, &store, Box::new(adam), loss).with_metric(Accuracy::default());
//! trainer.fit(&train, &FitConfig::new(5, 32))?;
//! assert!(trainer.evaluate(&test, 256)?.metric("accuracy").unwrap() > 0.9);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A loop of one's own
//! Nothing needs the trainer. [`core::backward`] gives gradients by name and says which parameters got none;
//! `optim::Optimize::step` takes them.
//!
//! # Speed
//! Build with `--release`, and give binaries another allocator than the system's (mimalloc, say): a step allocates large
//! tensors, which the system's hands back to the kernel each time.

pub use sconce_core as core;
pub use sconce_core::{candle_core, candle_nn};

#[cfg(feature = "cnn")]
pub use sconce_cnn as cnn;
#[cfg(feature = "data")]
pub use sconce_data as data;
#[cfg(feature = "gnn")]
pub use sconce_gnn as gnn;
#[cfg(feature = "losses")]
pub use sconce_losses as losses;
#[cfg(feature = "nn")]
pub use sconce_nn as nn;
#[cfg(feature = "optim")]
pub use sconce_optim as optim;
#[cfg(feature = "rnn")]
pub use sconce_rnn as rnn;
#[cfg(feature = "train")]
pub use sconce_train as train;
#[cfg(feature = "transformer")]
pub use sconce_transformer as transformer;

/// The README's program runs too.
#[cfg(all(
    doctest,
    feature = "nn",
    feature = "losses",
    feature = "optim",
    feature = "data"
))]
#[doc = include_str!("../../../README.md")]
mod readme {}

/// And those of the guide's chapters.
#[cfg(all(
    doctest,
    feature = "nn",
    feature = "losses",
    feature = "optim",
    feature = "data",
    feature = "train"
))]
mod guide {
    #[cfg(feature = "cnn")]
    #[doc = include_str!("../../../docs/guide/cnn.md")]
    mod cnn {}
    #[doc = include_str!("../../../docs/guide/data.md")]
    mod data {}
    #[doc = include_str!("../../../docs/guide/descent.md")]
    mod descent {}
    #[cfg(feature = "transformer")]
    #[doc = include_str!("../../../docs/guide/fine-tuning.md")]
    mod fine_tuning {}
    #[cfg(feature = "gnn")]
    #[doc = include_str!("../../../docs/guide/gnn.md")]
    mod gnn {}
    #[doc = include_str!("../../../docs/guide/graph.md")]
    mod graph {}
    #[doc = include_str!("../../../docs/guide/loading.md")]
    mod loading {}
    #[doc = include_str!("../../../docs/guide/losses.md")]
    mod losses {}
    #[doc = include_str!("../../../docs/guide/network.md")]
    mod network {}
    #[doc = include_str!("../../../docs/guide/regularisation.md")]
    mod regularisation {}
    #[cfg(feature = "rnn")]
    #[doc = include_str!("../../../docs/guide/rnn.md")]
    mod rnn {}
    #[doc = include_str!("../../../docs/guide/saving.md")]
    mod saving {}
    #[doc = include_str!("../../../docs/guide/training.md")]
    mod training {}
    #[cfg(feature = "transformer")]
    #[doc = include_str!("../../../docs/guide/transformer.md")]
    mod transformer {}
}
