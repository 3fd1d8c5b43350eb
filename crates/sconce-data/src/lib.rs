//! Data for [candle](candle_core): data sets, seeded loaders, and readers of public formats.
//!
//! A [`Dataset`] gives samples by index, each of features and a target; [`TensorDataset`] holds them in memory. Sets are cut
//! by [`subset`](Dataset::subset), [`split_last`](Dataset::split_last), [`split_random`](Dataset::split_random) and
//! [`split_stratified`](Dataset::split_stratified), and made of others by [`map`](Dataset::map),
//! [`augment`](Dataset::augment), [`concat`](Dataset::concat) and [`cache`](Dataset::cache). A [`Loader`] turns one into
//! batches, in an order that depends on a seed and the epoch's number alone, on the calling thread or on
//! [`Workers`]. Samplers pick other orders: [`Weighted`], [`Bucketed`], [`Distributed`]. Sequences of different lengths are
//! [`Padded`].
//!
//! ```
//! use sconce_data::{Dataset, Loader, LoaderConfig, TensorDataset, digits};
//!
//! let digits = digits()?;
//! let all = TensorDataset::new(&digits.images, &digits.labels)?;
//! let (train, test) = all.split_random(0.2, 0)?;
//! assert_eq!((train.len(), test.len()), (1437, 360));
//!
//! let loader = Loader::new(&train, &LoaderConfig { shuffle: Some(7), ..LoaderConfig::new(32) })?;
//! for epoch in 0..2 {
//!     for batch in loader.epoch(epoch) {
//!         let (images, labels) = batch?;
//!         assert_eq!(images.dims()[1..], [1, 8, 8]);
//!         assert_eq!(images.dim(0)?, labels.dim(0)?);
//!     }
//! }
//! # Ok::<(), sconce_data::Error>(())
//! ```
//!
//! # Where files lie
//! [`data_dir`] is the folder that `cargo xtask data` fills. [`Mnist::load`] reads MNIST from there; [`idx::read`] reads any
//! file in its format. [`FashionMnist::load`] and [`Cifar10::load`] read pictures of things, [`Names::load`] surnames by
//! language, [`Multi30k::load`] sentences in two languages, [`Planetoid::load`] citation graphs, [`LosLoop::load`] traffic.
//! The [`digits()`] need no file: they are part of this crate.
//!
//! Files of one's own: a [`Table`] reads CSV, [`ImageFolder`] PNG and JPEG images by class, [`npy`] NumPy's arrays,
//! [`TensorDataset::from_safetensors`] named tensors, [`read_lines`] and [`read_line_pairs`] text, which a
//! [`text::Tokenizer`] turns into numbers. CSV, images and tokenizers are features (`csv`, `image`, `text`), all on by
//! default. [`transforms`] change images.

mod bytes;
mod cifar;
mod dataset;
mod digits;
mod dispatch;
mod error;
mod folder;
pub mod idx;
#[cfg(feature = "image")]
mod image_file;
#[cfg(feature = "image")]
mod image_folder;
mod lines;
mod loader;
mod los_loop;
mod mnist;
mod multi30k;
mod named;
mod names;
pub mod npy;
mod pickle;
mod planetoid;
pub mod samplers;
#[cfg(feature = "csv")]
mod table;
mod tensors;
#[cfg(feature = "text")]
pub mod text;
pub mod transforms;

pub use cifar::Cifar10;
pub use dataset::{Cache, Concat, Dataset, PaddedBatches, Sample, Subset, map};
pub use digits::{Digits, digits};
pub use error::{Error, Result};
pub use folder::data_dir;
#[cfg(feature = "image")]
pub use image_file::{Color, ImageConfig, read_image};
#[cfg(feature = "image")]
pub use image_folder::ImageFolder;
pub use lines::{read_line_pairs, read_lines};
pub use loader::{Collate, Epoch, Loader, LoaderConfig, PadBoth, PadFeatures, Padded, Stack, Workers};
pub use los_loop::LosLoop;
pub use mnist::{FashionMnist, Mnist};
pub use multi30k::Multi30k;
pub use names::Names;
pub use planetoid::Planetoid;
pub use samplers::{
    BatchSampler, BatchSize, Batches, Bucketed, BucketedConfig, Distributed, Sampler, Sequential, Shuffled,
    Weighted, WeightedConfig,
};
pub use sconce_core::candle_core;
#[cfg(feature = "csv")]
pub use table::{Column, Table, TableConfig};
pub use tensors::TensorDataset;
