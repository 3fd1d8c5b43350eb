//! Attention one step at a time, with the keys and values of earlier steps at hand.

use super::inputs::Inputs;
use super::{AttentionMasks, MultiheadAttention};
use crate::{KeyValues, heads, mask};
use candle_core::{Result, Tensor};
use sconce_core::Error;

impl MultiheadAttention {
    /// Causal self-attention of the next positions: each sees all positions in `past`, the new ones before it, and itself.
    /// `past` grows by the new ones. The outputs are those that [`forward_t`](Self::forward_t) gives with a causal mask.
    ///
    /// # Shapes
    /// x as the query, of the new positions alone; output the same
    /// # Errors
    /// Those of `forward_t`; another batch than that of earlier steps.
    pub fn step(&self, x: &Tensor, past: &mut KeyValues) -> Result<Tensor> {
        let inputs = Inputs::new(self, x, x, x)?;
        let [q, k, v] = self.projected(&inputs)?;
        let before = past.len();
        let (k, v) = past.append(&self.path, &k, &v)?;
        let mask = match inputs.queries {
            1 => None,
            queries => Some(
                mask::causal(queries, before + queries, before, &inputs.query)?
                    .unsqueeze(0)?
                    .unsqueeze(0)?,
            ),
        };
        let (output, _) = self.attend(&q, &k, &v, mask, false)?;
        inputs.restore(&output)
    }

    /// Attention of the next positions to a memory whose keys and values are computed in the first step and then taken from
    /// `past`; the memory must stay the same.
    ///
    /// # Shapes
    /// x as the query, memory as the key, output as the query
    /// # Errors
    /// Those of `forward_t`; another batch or memory length than that of the first step.
    pub fn step_to_memory(
        &self,
        x: &Tensor,
        memory: &Tensor,
        key_padding_mask: Option<&Tensor>,
        past: &mut KeyValues,
    ) -> Result<Tensor> {
        let inputs = Inputs::new(self, x, memory, memory)?;
        let masks = AttentionMasks {
            key_padding_mask,
            ..AttentionMasks::default()
        };
        let mask = self.mask(&inputs, &masks)?;
        let q = heads::split(&self.project(0, &inputs.query)?, self.cfg.num_heads)?;
        let (k, v) = match past.get() {
            None => {
                let k = heads::split(&self.project(1, &inputs.key)?, self.cfg.num_heads)?;
                let v = heads::split(&self.project(2, &inputs.value)?, self.cfg.num_heads)?;
                past.append(&self.path, &k, &v)?
            }
            Some((k, _)) if (k.dim(0)?, k.dim(2)?) != (inputs.batch, inputs.keys) => {
                let expected = format!(
                    "batch = {} and {} keys, as the first step had",
                    k.dim(0)?,
                    k.dim(2)?
                );
                return Err(Error::shape(&self.path, "memory", expected, memory.dims()).into());
            }
            Some(pair) => pair,
        };
        let (output, _) = self.attend(&q, &k, &v, mask, false)?;
        inputs.restore(&output)
    }
}
