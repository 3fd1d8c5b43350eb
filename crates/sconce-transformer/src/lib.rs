//! Attention layers and transformers for candle.
//!
//! Layers have PyTorch's options, defaults, parameter names and initial values; models have those of Hugging Face, so that
//! checkpoints load by name. Every gradient is checked against finite differences and against the reference's.
//!
//! - [`scaled_dot_product_attention`], [`MultiheadAttention`]
//! - [`TransformerEncoderLayer`], [`TransformerEncoder`], [`TransformerDecoderLayer`], [`TransformerDecoder`], [`Transformer`]
//! - [`PositionalEncoding`] with [`sinusoidal_positions`], [`generate_square_subsequent_mask`]
//! - [`KvCache`] and [`generate`]: greedy and sampled decoding that computes each position once
//! - [`models`]: BERT, ViT, GPT
//!
//! # Masks
//! A mask is a tensor of `u8` (boolean) or of the layer's own type (added to the scores; it may be trained). What a boolean
//! *true* says is the reference's, and differs: in [`MultiheadAttention`] and everything built on it, true is **masked
//! out**; in [`scaled_dot_product_attention`], true is **kept**; in [`models`] an `attention_mask` of 1 is **kept**.
//!
//! A query all of whose keys are masked out attends to nothing: its weights, and so its output before the last projection,
//! are 0, and nothing flows back. PyTorch gives 0 there too in `scaled_dot_product_attention`, but NaN where
//! `MultiheadAttention` returns its weights, as a softmax over nothing is NaN; one such row then spoils every gradient.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, Tensor};
//! use sconce_core::{ParamStore, backward};
//! use sconce_transformer::{EncoderMasks, TransformerEncoderLayer, TransformerEncoderLayerConfig};
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let cfg = TransformerEncoderLayerConfig { batch_first: true, ..TransformerEncoderLayerConfig::new(8, 2) };
//! let layer = TransformerEncoderLayer::new(&cfg, store.builder())?;
//! let x = Tensor::ones((2, 5, 8), DType::F32, &Device::Cpu)?;
//! let masks = EncoderMasks { is_causal: true, ..EncoderMasks::default() };
//! let y = layer.forward_t(&x, &masks, true)?;
//! assert_eq!(y.dims(), [2, 5, 8]);
//! assert!(backward(&y.sqr()?.sum_all()?, &store)?.missing().is_empty());
//! # Ok::<(), sconce_core::Error>(())
//! ```

pub use sconce_core::{candle_core, candle_nn};

mod attention;
mod cache;
mod check;
mod decoder;
mod decoder_layer;
mod encoder;
mod encoder_layer;
mod feed_forward;
mod generate;
mod heads;
mod mask;
pub mod models;
mod multihead_attention;
mod positions;
mod sampling;
mod transformer;

pub use attention::{AttentionOptions, scaled_dot_product_attention};
pub use cache::{KeyValues, KvCache, LayerCache};
pub use decoder::{TransformerDecoder, TransformerDecoderConfig};
pub use decoder_layer::{DecoderMasks, TransformerDecoderLayer, TransformerDecoderLayerConfig};
pub use encoder::{TransformerEncoder, TransformerEncoderConfig};
pub use encoder_layer::{EncoderMasks, TransformerEncoderLayer, TransformerEncoderLayerConfig};
pub use generate::{GenerateConfig, generate};
pub use mask::generate_square_subsequent_mask;
pub use multihead_attention::{AttentionMasks, MultiheadAttention, MultiheadAttentionConfig};
pub use positions::{PositionalEncoding, PositionalEncodingConfig, sinusoidal_positions};
pub use sampling::{Sampling, next_tokens};
pub use transformer::{Transformer, TransformerConfig, TransformerMasks};
