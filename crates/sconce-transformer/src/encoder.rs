//! A stack of encoder layers.

use crate::{EncoderMasks, TransformerEncoderLayer, TransformerEncoderLayerConfig};
use candle_core::{Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use sconce_core::Init;
use sconce_nn::{LayerNorm, LayerNormConfig};

/// Options of [`TransformerEncoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerEncoderConfig {
    /// Options of every layer.
    pub layer: TransformerEncoderLayerConfig,
    /// How many layers there are.
    pub num_layers: usize,
    /// The normalisation after the last layer; none if `None`, as by PyTorch's default.
    pub norm: Option<LayerNormConfig>,
}

impl TransformerEncoderConfig {
    /// Without a final normalisation.
    pub fn new(layer: TransformerEncoderLayerConfig, num_layers: usize) -> Self {
        Self {
            layer,
            num_layers,
            norm: None,
        }
    }
}

/// Encoder layers one after the other, and a final normalisation if there is one.
///
/// As in PyTorch, which clones one layer, all layers start with the same values. [`Transformer`](crate::Transformer) draws
/// each layer's own.
///
/// # Shapes
/// input and output as the layer's
/// # Parameters
/// `layers.{i}.*`: those of [`TransformerEncoderLayer`]; `norm.weight`, `norm.bias`, if there is a `norm`
/// # Errors
/// Those of the layer and of the normalisation.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerEncoder`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::*;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = TransformerEncoderConfig::new(TransformerEncoderLayerConfig::new(8, 2), 3);
/// let encoder = TransformerEncoder::new(&cfg, store.builder().pp("encoder"))?;
/// let x = Tensor::ones((5, 2, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(encoder.forward_t(&x, &EncoderMasks::default(), false)?.dims(), [5, 2, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransformerEncoder {
    layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    /// The stack whose parameters stand at `vb`.
    pub fn new(cfg: &TransformerEncoderConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let parameters = [
            cfg.layer.attention_parameters("self_attn"),
            cfg.layer.linear_parameters(),
        ]
        .concat();
        let layers = alike(&vb, cfg.num_layers, &parameters, |vb| {
            TransformerEncoderLayer::new(&cfg.layer, vb)
        })?;
        Self::of(layers, cfg.norm.as_ref(), &vb)
    }

    /// The same with layers that start each for itself.
    pub(crate) fn with_init(
        cfg: &TransformerEncoderConfig,
        init: Init,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let layers = (0..cfg.num_layers)
            .map(|i| TransformerEncoderLayer::with_init(&cfg.layer, Some(init), vb.pp("layers").pp(i)))
            .collect::<sconce_core::Result<_>>()?;
        Self::of(layers, cfg.norm.as_ref(), &vb)
    }

    fn of(
        layers: Vec<TransformerEncoderLayer>,
        norm: Option<&LayerNormConfig>,
        vb: &VarBuilder,
    ) -> sconce_core::Result<Self> {
        let norm = norm.map(|cfg| LayerNorm::new(cfg, vb.pp("norm"))).transpose()?;
        Ok(Self { layers, norm })
    }

    /// The encoded sequence.
    ///
    /// # Errors
    /// See the type's own.
    pub fn forward_t(&self, x: &Tensor, masks: &EncoderMasks<'_>, train: bool) -> Result<Tensor> {
        let mut layers = self.layers.iter();
        let y = layers.try_fold(x.clone(), |x, layer| layer.forward_t(&x, masks, train))?;
        match &self.norm {
            Some(norm) => norm.forward(&y),
            None => Ok(y),
        }
    }
}

/// Layers at `layers.0`, `layers.1`, …, of which all that are new start with the values of the first: PyTorch's deep copies.
/// `parameters` are those that are drawn.
pub(crate) fn alike<L>(
    vb: &VarBuilder,
    count: usize,
    parameters: &[(String, Vec<usize>)],
    build: impl Fn(VarBuilder) -> sconce_core::Result<L>,
) -> sconce_core::Result<Vec<L>> {
    let at = |i: usize| vb.pp("layers").pp(i);
    let mut layers = Vec::with_capacity(count);
    for i in 0..count {
        let is_new = |(name, _): &&(String, Vec<usize>)| !at(i).contains_tensor(name);
        let new: Vec<_> = parameters.iter().filter(is_new).collect();
        layers.push(build(at(i))?);
        for (name, shape) in if i == 0 { Vec::new() } else { new } {
            let copy = at(i).get(shape.as_slice(), name)?;
            if copy.is_variable() {
                // A variable made of a variable is that variable.
                Var::from_tensor(&copy)?.set(&at(0).get(shape.as_slice(), name)?.detach())?;
            }
        }
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_nn::VarMap;
    use sconce_core::{ParamStore, Parameters};

    fn same_values(store: &impl Parameters, first: &str, second: &str) -> bool {
        let tensors = store.named_parameters();
        let of = |prefix: &str| -> Vec<(String, Vec<f64>)> {
            let within = tensors
                .iter()
                .filter_map(|(name, var)| Some((name.strip_prefix(prefix)?, var)));
            within
                .map(|(name, var)| (name.to_owned(), var.flatten_all().unwrap().to_vec1().unwrap()))
                .collect()
        };
        assert!(!of(first).is_empty());
        of(first) == of(second)
    }

    #[test]
    fn new_layers_start_alike_and_loaded_ones_stay() {
        let layer = TransformerEncoderLayerConfig {
            dim_feedforward: 6,
            ..TransformerEncoderLayerConfig::new(4, 2)
        };
        let cfg = TransformerEncoderConfig::new(layer, 3);
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        TransformerEncoder::new(&cfg, store.builder()).unwrap();
        assert!(same_values(&store, "layers.0.", "layers.2."));
        let linear = "layers.1.linear1.weight";
        let value = store.get(linear).unwrap().ones_like().unwrap();
        store.set(linear, &value).unwrap();
        TransformerEncoder::new(&cfg, store.builder()).unwrap();
        assert!(!same_values(&store, "layers.0.", "layers.1."));

        let map = VarMap::new();
        TransformerEncoder::new(&cfg, VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu)).unwrap();
        assert!(same_values(&map, "layers.0.", "layers.2."));

        let each = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let init = Init::XavierUniform { gain: 1. };
        TransformerEncoder::with_init(&cfg, init, each.builder()).unwrap();
        assert!(!same_values(&each, "layers.0.", "layers.1."));
    }
}
