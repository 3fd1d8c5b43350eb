//! The masks of a multi-head attention, checked and made one.

use super::inputs::Inputs;
use super::{AttentionMasks, MultiheadAttention};
use crate::mask::{self, One};
use candle_core::{Result, Tensor};
use sconce_core::Error;

impl MultiheadAttention {
    /// Both masks as one that is added to the scores `[batch, heads, queries, keys]`.
    pub(super) fn mask(&self, inputs: &Inputs, masks: &AttentionMasks<'_>) -> Result<Option<Tensor>> {
        let like = &inputs.query;
        let padding = match masks.key_padding_mask {
            None => None,
            Some(mask) => Some(self.padding(inputs, mask, like)?),
        };
        let between = match masks.attn_mask {
            Some(mask) => Some(self.between(inputs, mask, like)?),
            None if masks.is_causal => Some(
                mask::causal(inputs.queries, inputs.keys, 0, like)?
                    .unsqueeze(0)?
                    .unsqueeze(0)?,
            ),
            None => None,
        };
        mask::both(between, padding)
    }

    fn padding(&self, inputs: &Inputs, mask: &Tensor, like: &Tensor) -> Result<Tensor> {
        let (batch, keys) = (inputs.batch, inputs.keys);
        let fits = match (mask.dims(), inputs.is_batched) {
            (&[b, n], true) => (b, n) == (batch, keys),
            (&[n], false) => n == keys,
            _ => false,
        };
        if !fits {
            let expected = match inputs.is_batched {
                true => format!("[batch = {batch}, keys = {keys}]"),
                false => format!("[keys = {keys}]"),
            };
            return Err(Error::shape(&self.path, "key_padding_mask", expected, mask.dims()).into());
        }
        mask::additive(&self.path, "key_padding_mask", mask, One::MasksOut, like)?
            .reshape((batch, 1, 1, keys))
    }

    fn between(&self, inputs: &Inputs, mask: &Tensor, like: &Tensor) -> Result<Tensor> {
        let (batch, heads) = (inputs.batch, self.cfg.num_heads);
        let (queries, keys) = (inputs.queries, inputs.keys);
        let dims = match *mask.dims() {
            [l, s] if (l, s) == (queries, keys) => (1, 1, l, s),
            [n, l, s] if (n, l, s) == (batch * heads, queries, keys) => (batch, heads, l, s),
            ref dims => {
                let expected = format!(
                    "[queries = {queries}, keys = {keys}] or [batch · num_heads = {}, queries = {queries}, keys = {keys}]",
                    batch * heads
                );
                return Err(Error::shape(&self.path, "attn_mask", expected, dims).into());
            }
        };
        mask::additive(&self.path, "attn_mask", mask, One::MasksOut, like)?.reshape(dims)
    }
}
