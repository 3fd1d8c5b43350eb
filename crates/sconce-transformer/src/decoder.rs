//! A stack of decoder layers.

use crate::encoder::alike;
use crate::{DecoderMasks, KvCache, TransformerDecoderLayer, TransformerDecoderLayerConfig};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, layer_path};
use sconce_nn::{LayerNorm, LayerNormConfig};

/// Options of [`TransformerDecoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerDecoderConfig {
    /// Options of every layer.
    pub layer: TransformerDecoderLayerConfig,
    /// How many layers there are.
    pub num_layers: usize,
    /// The normalisation after the last layer; none if `None`, as by PyTorch's default.
    pub norm: Option<LayerNormConfig>,
}

impl TransformerDecoderConfig {
    /// Without a final normalisation.
    pub fn new(layer: TransformerDecoderLayerConfig, num_layers: usize) -> Self {
        Self {
            layer,
            num_layers,
            norm: None,
        }
    }
}

/// Decoder layers one after the other, and a final normalisation if there is one.
///
/// As in PyTorch, which clones one layer, all layers start with the same values. [`Transformer`](crate::Transformer) draws
/// each layer's own.
///
/// # Shapes
/// target, memory and output as the layer's
/// # Parameters
/// `layers.{i}.*`: those of [`TransformerDecoderLayer`]; `norm.weight`, `norm.bias`, if there is a `norm`
/// # Errors
/// Those of the layer and of the normalisation; a cache of another number of layers.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerDecoder`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::*;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = TransformerDecoderConfig::new(TransformerDecoderLayerConfig::new(8, 2), 3);
/// let decoder = TransformerDecoder::new(&cfg, store.builder().pp("decoder"))?;
/// let memory = Tensor::ones((6, 2, 8), DType::F32, &Device::Cpu)?;
/// let mut cache = decoder.cache();
/// for position in 0..4 {
///     let tgt = Tensor::full(position as f32, (1, 2, 8), &Device::Cpu)?;
///     assert_eq!(decoder.step(&tgt, &memory, None, &mut cache)?.dims(), [1, 2, 8]);
/// }
/// assert_eq!(cache.len(), 4);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransformerDecoder {
    layers: Vec<TransformerDecoderLayer>,
    norm: Option<LayerNorm>,
    path: String,
}

impl TransformerDecoder {
    /// The stack whose parameters stand at `vb`.
    pub fn new(cfg: &TransformerDecoderConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let parameters = [
            cfg.layer.attention_parameters("self_attn"),
            cfg.layer.attention_parameters("multihead_attn"),
            cfg.layer.linear_parameters(),
        ]
        .concat();
        let layers = alike(&vb, cfg.num_layers, &parameters, |vb| {
            TransformerDecoderLayer::new(&cfg.layer, vb)
        })?;
        Self::of(layers, cfg.norm.as_ref(), &vb)
    }

    /// The same with layers that start each for itself.
    pub(crate) fn with_init(
        cfg: &TransformerDecoderConfig,
        init: Init,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let layers = (0..cfg.num_layers)
            .map(|i| TransformerDecoderLayer::with_init(&cfg.layer, Some(init), vb.pp("layers").pp(i)))
            .collect::<sconce_core::Result<_>>()?;
        Self::of(layers, cfg.norm.as_ref(), &vb)
    }

    fn of(
        layers: Vec<TransformerDecoderLayer>,
        norm: Option<&LayerNormConfig>,
        vb: &VarBuilder,
    ) -> sconce_core::Result<Self> {
        let norm = norm.map(|cfg| LayerNorm::new(cfg, vb.pp("norm"))).transpose()?;
        let path = layer_path(vb, "TransformerDecoder");
        Ok(Self { layers, norm, path })
    }

    /// The decoded sequence.
    ///
    /// # Errors
    /// See the type's own.
    pub fn forward_t(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        masks: &DecoderMasks<'_>,
        train: bool,
    ) -> Result<Tensor> {
        let mut layers = self.layers.iter();
        let decode = |x: Tensor, layer: &TransformerDecoderLayer| layer.forward_t(&x, memory, masks, train);
        self.normed(layers.try_fold(tgt.clone(), decode)?)
    }

    /// Where each position of the target looks in the memory, in evaluation: the weights of every layer's heads, first layer
    /// first, each `[batch, heads, target length, memory length]`.
    ///
    /// # Errors
    /// Those of [`forward_t`](Self::forward_t).
    pub fn attention_to_memory(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        masks: &DecoderMasks<'_>,
    ) -> Result<Vec<Tensor>> {
        let mut x = tgt.clone();
        let mut all = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let (y, weights) = layer.attend(&x, memory, masks, false, true)?;
            all.extend(weights);
            x = y;
        }
        Ok(all)
    }

    /// An empty cache for [`step`](Self::step).
    pub fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    /// The next positions in evaluation, causally, after those that the cache has: what
    /// [`forward_t`](Self::forward_t) gives for them within the whole sequence, at the cost of these alone.
    ///
    /// # Errors
    /// See the type's own; another batch or memory length than that of earlier steps.
    pub fn step(
        &self,
        tgt: &Tensor,
        memory: &Tensor,
        memory_key_padding_mask: Option<&Tensor>,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let caches = cache.for_layers(&self.path, self.layers.len())?;
        let mut x = tgt.clone();
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.step(&x, memory, memory_key_padding_mask, cache)?;
        }
        self.normed(x)
    }

    fn normed(&self, y: Tensor) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => norm.forward(&y),
            None => Ok(y),
        }
    }
}
