//! One layer of a transformer's decoder.

use crate::feed_forward::FeedForward;
use crate::{AttentionMasks, LayerCache, MultiheadAttention, TransformerEncoderLayerConfig, check};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, layer_path};
use sconce_nn::{Dropout, LayerNorm};

/// Options of [`TransformerDecoderLayer`]: those of the encoder's.
pub type TransformerDecoderLayerConfig = TransformerEncoderLayerConfig;

/// Masks of a decoder or of one of its layers; [`AttentionMasks`] tells their shapes, types and meaning.
#[derive(Debug, Clone, Default)]
pub struct DecoderMasks<'a> {
    /// Which position of the target each one doesn't see.
    pub tgt_mask: Option<&'a Tensor>,
    /// Which position of the memory each position of the target doesn't see.
    pub memory_mask: Option<&'a Tensor>,
    /// Positions of the target that none sees.
    pub tgt_key_padding_mask: Option<&'a Tensor>,
    /// Positions of the memory that none sees.
    pub memory_key_padding_mask: Option<&'a Tensor>,
    /// Whether each position of the target sees only itself and those before it; acts where `tgt_mask` is `None`.
    pub tgt_is_causal: bool,
    /// The same of the memory; acts where `memory_mask` is `None`.
    pub memory_is_causal: bool,
}

/// Self-attention, attention to a memory, and two linear layers, each added to its input and normalised: x ← norm1(x +
/// self-attention(x)), x ← norm2(x + attention(x, memory)), y = norm3(x + linear2(activation(linear1(x)))); with `norm_first`
/// each normalisation acts on what goes into the attention or linear layer instead. Dropout as in the encoder's.
///
/// # Shapes
/// target `[length, batch, d_model]`, memory `[memory length, batch, d_model]`, or batch first if `batch_first`, or both
/// without batch; output as the target
/// # Parameters
/// `self_attn.*`, `multihead_attn.*`: those of [`MultiheadAttention`]; `linear1.weight`: `[dim_feedforward, d_model]`;
/// `linear2.weight`: `[d_model, dim_feedforward]`; `norm1.weight`, `norm2.weight`, `norm3.weight`: `[d_model]`; and their `bias`,
/// if `bias`
/// # Errors
/// `new`: a size is 0, `d_model` isn't a multiple of `nhead`, `dropout` isn't a probability, ε is negative. `forward_t`: inputs
/// or masks that don't fit.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerDecoderLayer`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::{DecoderMasks, TransformerDecoderLayer, TransformerDecoderLayerConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = TransformerDecoderLayer::new(&TransformerDecoderLayerConfig::new(8, 2), store.builder())?;
/// let tgt = Tensor::ones((4, 3, 8), DType::F32, &Device::Cpu)?;
/// let memory = Tensor::ones((6, 3, 8), DType::F32, &Device::Cpu)?;
/// let masks = DecoderMasks { tgt_is_causal: true, ..DecoderMasks::default() };
/// assert_eq!(layer.forward_t(&tgt, &memory, &masks, false)?.dims(), [4, 3, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransformerDecoderLayer {
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout: Dropout,
    norm_first: bool,
}

impl TransformerDecoderLayer {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &TransformerDecoderLayerConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        Self::with_init(cfg, None, vb)
    }

    /// The same whose weights of linear layers start otherwise.
    pub(crate) fn with_init(
        cfg: &TransformerDecoderLayerConfig,
        init: Option<Init>,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let dropout = check::dropout(
            &layer_path(&vb, "TransformerDecoderLayer"),
            "dropout",
            cfg.dropout,
        )?;
        let attention = |name| MultiheadAttention::with_out_init(&cfg.attention(), init, vb.pp(name));
        let norm = |name| LayerNorm::new(&cfg.norm(), vb.pp(name));
        Ok(Self {
            self_attn: attention("self_attn")?,
            multihead_attn: attention("multihead_attn")?,
            feed_forward: FeedForward::new(&cfg.feed_forward(init), dropout.clone(), &vb)?,
            norm1: norm("norm1")?,
            norm2: norm("norm2")?,
            norm3: norm("norm3")?,
            dropout,
            norm_first: cfg.norm_first,
        })
    }

    /// The decoded sequence.
    ///
    /// # Errors
    /// See the layer's own.
    pub fn forward_t(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        masks: &DecoderMasks<'_>,
        train: bool,
    ) -> Result<Tensor> {
        Ok(self.attend(tgt, memory, masks, train, false)?.0)
    }

    /// The decoded sequence, and each head's attention to the memory if it is wanted.
    pub(crate) fn attend(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        masks: &DecoderMasks<'_>,
        train: bool,
        need_weights: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let to_target = AttentionMasks {
            attn_mask: masks.tgt_mask,
            key_padding_mask: masks.tgt_key_padding_mask,
            is_causal: masks.tgt_is_causal,
            need_weights: false,
            average_attn_weights: false,
        };
        let to_memory = AttentionMasks {
            attn_mask: masks.memory_mask,
            key_padding_mask: masks.memory_key_padding_mask,
            is_causal: masks.memory_is_causal,
            need_weights,
            ..to_target.clone()
        };
        let mut weights = None;
        let y = self.run(
            tgt,
            |x| Ok(self.self_attn.forward_t(x, x, x, &to_target, train)?.0),
            |x| {
                let attention = &self.multihead_attn;
                let (y, seen) = attention.forward_t(x, memory, memory, &to_memory, train)?;
                weights = seen;
                Ok(y)
            },
            train,
        )?;
        Ok((y, weights))
    }

    /// The next positions in evaluation, causally, after those that the cache has: what
    /// [`forward_t`](Self::forward_t) gives for them within the whole sequence.
    ///
    /// # Errors
    /// Those of `forward_t`; another batch or memory length than that of earlier steps.
    pub fn step(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        memory_key_padding_mask: Option<&Tensor>,
        cache: &mut LayerCache,
    ) -> Result<Tensor> {
        let LayerCache {
            own,
            memory: of_memory,
        } = cache;
        self.run(
            tgt,
            |x| self.self_attn.step(x, own),
            |x| {
                self.multihead_attn
                    .step_to_memory(x, memory, memory_key_padding_mask, of_memory)
            },
            false,
        )
    }

    fn run(
        &self,
        x: &Tensor,
        attend: impl FnOnce(&Tensor) -> Result<Tensor>,
        attend_to_memory: impl FnOnce(&Tensor) -> Result<Tensor>,
        train: bool,
    ) -> Result<Tensor> {
        let dropped = |y: Result<Tensor>| self.dropout.forward_t(&y?, train);
        let feed = |x: &Tensor| self.feed_forward.forward_t(x, train);
        if self.norm_first {
            let x = (x + dropped(attend(&self.norm1.forward(x)?))?)?;
            let x = (&x + dropped(attend_to_memory(&self.norm2.forward(&x)?))?)?;
            &x + dropped(feed(&self.norm3.forward(&x)?))?
        } else {
            let x = self.norm1.forward(&(x + dropped(attend(x))?)?)?;
            let x = self.norm2.forward(&(&x + dropped(attend_to_memory(&x))?)?)?;
            self.norm3.forward(&(&x + dropped(feed(&x))?)?)
        }
    }
}
