//! Recurrent layers for candle, with PyTorch's options, parameter names, layouts and initial values.
//!
//! - [`Rnn`], [`Lstm`], [`Gru`]: one layer or a stack, in one direction or both, over whole sequences
//! - [`RnnCell`], [`LstmCell`], [`GruCell`]: one step at a time
//! - [`PackedSequence`]: sequences of different lengths in one batch, by [`pack_padded_sequence`], [`pack_sequence`] and back
//!   by [`pad_packed_sequence`]; the three layers take it wherever they take a tensor
//!
//! On the CPU, in f32 and f64, a layer's direction is two nodes of the graph however long the sequence: one product for the
//! inputs of all steps, and one function that walks through time both ways. Elsewhere it is a composite of candle operations,
//! some ten a step: candle's backward pass is recursive, so there a sequence of many hundred steps needs a large stack.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, Tensor};
//! use sconce_core::{ParamStore, backward};
//! use sconce_rnn::{Lstm, LstmConfig, pack_padded_sequence, pad_packed_sequence};
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let cfg = LstmConfig { batch_first: true, bidirectional: true, ..LstmConfig::new(5, 6) };
//! let lstm = Lstm::new(&cfg, store.builder().pp("encoder"))?;
//!
//! // Three sequences of 2, 4 and 3 steps.
//! let x = Tensor::ones((3, 4, 5), DType::F32, &Device::Cpu)?;
//! let packed = pack_padded_sequence(&x, &[2, 4, 3], true, false)?;
//! let (packed, (h, _)) = lstm.forward_t(&packed, None, true)?;
//! let (y, lengths) = pad_packed_sequence(&packed, true, 0., None)?;
//! assert_eq!((y.dims(), lengths.as_slice(), h.dims()), (&[3, 4, 12][..], &[2, 4, 3][..], &[2, 3, 6][..]));
//!
//! let gradients = backward(&y.sqr()?.mean_all()?, &store)?;
//! assert!(gradients.missing().is_empty() && gradients.get("encoder.weight_hh_l0_reverse").is_some());
//! # Ok::<(), sconce_core::Error>(())
//! ```

pub use sconce_core::{candle_core, candle_nn};

mod cell;
mod direction;
mod gru;
mod gru_cell;
#[allow(
    clippy::indexing_slicing,
    reason = "loops whose bounds are checked once, where they start"
)]
mod kernels;
mod lstm;
mod lstm_cell;
mod packed_sequence;
mod recurrence;
mod rnn;
mod rnn_cell;
mod sequence;
mod single_step;
mod stack;
mod steps;

pub use gru::{Gru, GruConfig};
pub use gru_cell::{GruCell, GruCellConfig};
pub use lstm::{Lstm, LstmConfig};
pub use lstm_cell::{LstmCell, LstmCellConfig};
pub use packed_sequence::{PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence};
pub use rnn::{Rnn, RnnConfig, RnnNonlinearity};
pub use rnn_cell::{RnnCell, RnnCellConfig};
pub use sequence::Sequence;
