//! Writing sequences token by token: greedy and sampled decoding, and beam search, over any step function.
//!
//! A step function gets the sequences that are being written, as [`Rows`], and gives the logits of their next tokens,
//! `[rows, vocabulary]`. It may compute from the whole sequences each time, or keep a state (a recurrent state, a key–value
//! cache) and feed the last tokens alone: [`Rows::parents`] says which row of the call before each row continues, so that
//! [`reorder`] brings the state into the rows' order. Prompts of a batch may differ in length; a row whose sequence is finished
//! isn't asked for any more.
//!
//! All run inside [`no_grad`](sconce_core::no_grad), on the host but for the step itself.
//!
//! ```
//! use sconce_nn::candle_core::{Device, Tensor};
//! use sconce_nn::generate::{BeamConfig, DecodeConfig, Rows, beam_search, greedy};
//!
//! // After 0 the likeliest token is 1, but only 2 leads to a likely end.
//! let table = Tensor::new(&[[0f32, 0.5, 0.4, 0.1], [0.3, 0.3, 0.3, 0.1], [0.1, 0., 0., 0.9], [0.; 4]], &Device::Cpu)?.log()?;
//! let step = |rows: &Rows| table.index_select(&rows.last_tokens(&Device::Cpu)?, 0);
//!
//! let cfg = DecodeConfig { eos: Some(3), ..DecodeConfig::new(2) };
//! assert_eq!(greedy(&[vec![0]], &cfg, step)?, [[1, 0]]);
//! let best = beam_search(&[vec![0]], &BeamConfig::new(2, cfg), step)?;
//! assert_eq!(best[0][0].tokens, [2, 3]);
//! assert!((best[0][0].log_prob - (0.4f64 * 0.9).ln()).abs() < 1e-6);
//! # Ok::<(), sconce_core::Error>(())
//! ```

mod beam;
mod decode;
mod logits;
mod sampling;

use candle_core::{Device, Result, Tensor};
use sconce_core::Error;

pub use beam::{BeamConfig, Hypothesis, beam_search};
pub use decode::{DecodeConfig, greedy, sample};
pub use sampling::Sampling;

/// The sequences whose next tokens a step function is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// What each row holds so far, its prompt included.
    pub sequences: &'a [Vec<u32>],
    /// Which prompt each row began with: the place to take its encoder's output from.
    pub prompts: &'a [usize],
    /// Which row of the call before each row continues; in the first call, the row itself.
    pub parents: &'a [usize],
}

impl Rows<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are none; a step function never sees that.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// The last token of each row, `[rows]`, u32.
    ///
    /// # Errors
    /// A sequence is empty, which it can be only where its prompt is.
    pub fn last_tokens(&self, device: &Device) -> Result<Tensor> {
        let last: Option<Vec<u32>> = self.sequences.iter().map(|row| row.last().copied()).collect();
        let Some(last) = last else {
            return Err(
                Error::config("Rows", "last_tokens", "none", "a prompt of at least one token").into(),
            );
        };
        Tensor::new(last, device)
    }

    /// All tokens, `[rows, longest]`, u32, with `pad` after the shorter sequences.
    ///
    /// # Errors
    /// Those of candle's allocation.
    pub fn tokens(&self, pad: u32, device: &Device) -> Result<Tensor> {
        let longest = self.sequences.iter().map(Vec::len).max().unwrap_or(0);
        let padded = self.sequences.iter().flat_map(|row| {
            let padding = std::iter::repeat_n(pad, longest - row.len());
            row.iter().copied().chain(padding)
        });
        Tensor::from_vec(padded.collect(), (self.len(), longest), device)
    }
}

/// A state whose rows stand along axis `dim`, in the order of `parents`.
///
/// # Errors
/// `dim` isn't an axis of the state, or a parent isn't one of its rows.
pub fn reorder(state: &Tensor, parents: &[usize], dim: usize) -> Result<Tensor> {
    let rows = state.dims().get(dim).copied();
    let fits = |rows: usize| parents.iter().all(|&parent| parent < rows);
    if !rows.is_some_and(fits) {
        let expected = format!("an axis {dim} that holds the rows {parents:?}");
        return Err(Error::shape("reorder", "state", expected, state.dims()).into());
    }
    let index: Vec<u32> = parents.iter().map(|&parent| parent as u32).collect();
    state.index_select(&Tensor::new(index, state.device())?, dim)
}

#[cfg(test)]
mod tests;
