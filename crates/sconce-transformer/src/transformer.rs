//! The whole transformer: encoder and decoder.

use crate::{
    DecoderMasks, EncoderMasks, TransformerDecoder, TransformerDecoderConfig, TransformerEncoder,
    TransformerEncoderConfig, TransformerEncoderLayerConfig,
};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::Init;

/// Options of [`Transformer`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerConfig {
    /// Number of encoder layers.
    pub num_encoder_layers: usize,
    /// Number of decoder layers.
    pub num_decoder_layers: usize,
    /// Options of every layer of both.
    pub layer: TransformerEncoderLayerConfig,
}

impl TransformerConfig {
    /// Six layers each.
    pub fn new(layer: TransformerEncoderLayerConfig) -> Self {
        Self {
            num_encoder_layers: 6,
            num_decoder_layers: 6,
            layer,
        }
    }
}

impl Default for TransformerConfig {
    /// PyTorch's: 512 wide, 8 heads.
    fn default() -> Self {
        Self::new(TransformerEncoderLayerConfig::new(512, 8))
    }
}

/// Masks of a [`Transformer`]; [`AttentionMasks`](crate::AttentionMasks) tells their shapes, types and meaning.
#[derive(Debug, Clone, Default)]
pub struct TransformerMasks<'a> {
    /// Which position of the source each one doesn't see.
    pub src_mask: Option<&'a Tensor>,
    /// Which position of the target each one doesn't see.
    pub tgt_mask: Option<&'a Tensor>,
    /// Which position of the encoded source each position of the target doesn't see.
    pub memory_mask: Option<&'a Tensor>,
    /// Positions of the source that none sees, within the source.
    pub src_key_padding_mask: Option<&'a Tensor>,
    /// Positions of the target that none sees.
    pub tgt_key_padding_mask: Option<&'a Tensor>,
    /// Positions of the encoded source that no position of the target sees; as a rule `src_key_padding_mask` again.
    pub memory_key_padding_mask: Option<&'a Tensor>,
    /// Whether each position of the source sees only itself and those before it; acts where `src_mask` is `None`.
    pub src_is_causal: bool,
    /// The same of the target; acts where `tgt_mask` is `None`.
    pub tgt_is_causal: bool,
    /// The same of the encoded source, seen from the target; acts where `memory_mask` is `None`.
    pub memory_is_causal: bool,
}

/// An encoder, whose output the decoder attends to; both end in a normalisation. Embeddings, positions and the layer that
/// gives words are not part of it.
///
/// # Shapes
/// source `[source length, batch, d_model]`, target `[target length, batch, d_model]`, or batch first if `batch_first`, or both
/// without batch; output as the target
/// # Parameters
/// `encoder.*`: those of [`TransformerEncoder`] with `norm`; `decoder.*`: those of [`TransformerDecoder`] with `norm`. Every
/// matrix starts Xavier-uniform.
/// # Errors
/// Those of encoder and decoder.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.Transformer`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::*;
/// let layer = TransformerEncoderLayerConfig { dim_feedforward: 16, ..TransformerEncoderLayerConfig::new(8, 2) };
/// let cfg = TransformerConfig { num_encoder_layers: 1, num_decoder_layers: 2, layer };
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let transformer = Transformer::new(&cfg, store.builder())?;
/// let src = Tensor::ones((6, 3, 8), DType::F32, &Device::Cpu)?;
/// let tgt = Tensor::ones((4, 3, 8), DType::F32, &Device::Cpu)?;
/// let masks = TransformerMasks { tgt_is_causal: true, ..TransformerMasks::default() };
/// assert_eq!(transformer.forward_t(&src, &tgt, &masks, true)?.dims(), [4, 3, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Transformer {
    encoder: TransformerEncoder,
    decoder: TransformerDecoder,
}

impl Transformer {
    /// The network whose parameters stand at `vb`.
    pub fn new(cfg: &TransformerConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let init = Init::XavierUniform { gain: 1. };
        let encoder = TransformerEncoderConfig {
            layer: cfg.layer.clone(),
            num_layers: cfg.num_encoder_layers,
            norm: Some(cfg.layer.norm()),
        };
        let decoder = TransformerDecoderConfig {
            layer: cfg.layer.clone(),
            num_layers: cfg.num_decoder_layers,
            norm: Some(cfg.layer.norm()),
        };
        Ok(Self {
            encoder: TransformerEncoder::with_init(&encoder, init, vb.pp("encoder"))?,
            decoder: TransformerDecoder::with_init(&decoder, init, vb.pp("decoder"))?,
        })
    }

    /// The decoded target.
    ///
    /// # Errors
    /// See the network's own.
    pub fn forward_t(
        &self,
        src: &Tensor,
        tgt: &Tensor,
        masks: &TransformerMasks<'_>,
        train: bool,
    ) -> Result<Tensor> {
        let of_source = EncoderMasks {
            src_mask: masks.src_mask,
            src_key_padding_mask: masks.src_key_padding_mask,
            is_causal: masks.src_is_causal,
        };
        let of_target = DecoderMasks {
            tgt_mask: masks.tgt_mask,
            memory_mask: masks.memory_mask,
            tgt_key_padding_mask: masks.tgt_key_padding_mask,
            memory_key_padding_mask: masks.memory_key_padding_mask,
            tgt_is_causal: masks.tgt_is_causal,
            memory_is_causal: masks.memory_is_causal,
        };
        let memory = self.encoder.forward_t(src, &of_source, train)?;
        self.decoder.forward_t(tgt, &memory, &of_target, train)
    }

    /// The encoder alone: its output is the memory of every decoding step.
    pub fn encoder(&self) -> &TransformerEncoder {
        &self.encoder
    }

    /// The decoder alone.
    pub fn decoder(&self) -> &TransformerDecoder {
        &self.decoder
    }
}
