//! One layer of a transformer's encoder.

use crate::feed_forward::{FeedForward, FeedForwardConfig};
use crate::{AttentionMasks, MultiheadAttention, MultiheadAttentionConfig, check};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, layer_path};
use sconce_nn::{Activation, Dropout, LayerNorm, LayerNormConfig};

/// Options of [`TransformerEncoderLayer`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerEncoderLayerConfig {
    /// Width of the model.
    pub d_model: usize,
    /// Number of attention heads.
    pub nhead: usize,
    /// Width between the two linear layers.
    pub dim_feedforward: usize,
    /// Probability of every dropout: of attention weights, of the wide layer, and of what is added to the residual.
    pub dropout: f64,
    /// Between the two linear layers.
    pub activation: Activation,
    /// Added to the variance in normalisations.
    pub layer_norm_eps: f64,
    /// Whether inputs are `[batch, length, d_model]` instead of `[length, batch, d_model]`.
    pub batch_first: bool,
    /// Whether normalisation comes before attention and linear layers instead of after the sum.
    pub norm_first: bool,
    /// Whether projections, linear layers and normalisations add a learned vector.
    pub bias: bool,
}

impl TransformerEncoderLayerConfig {
    /// 2048 wide in between, dropout 0.1, ReLU, length first, normalisation last.
    pub fn new(d_model: usize, nhead: usize) -> Self {
        Self {
            d_model,
            nhead,
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: Activation::Relu,
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
            bias: true,
        }
    }

    pub(crate) fn attention(&self) -> MultiheadAttentionConfig {
        MultiheadAttentionConfig {
            dropout: self.dropout,
            bias: self.bias,
            batch_first: self.batch_first,
            ..MultiheadAttentionConfig::new(self.d_model, self.nhead)
        }
    }

    pub(crate) fn norm(&self) -> LayerNormConfig {
        LayerNormConfig {
            eps: self.layer_norm_eps,
            bias: self.bias,
            ..LayerNormConfig::new([self.d_model])
        }
    }

    pub(crate) fn feed_forward(&self, weight_init: Option<Init>) -> FeedForwardConfig {
        FeedForwardConfig {
            d_model: self.d_model,
            dim_feedforward: self.dim_feedforward,
            activation: self.activation,
            bias: self.bias,
            weight_init,
        }
    }

    /// Names and shapes of the parameters of attention `name`.
    pub(crate) fn attention_parameters(&self, name: &str) -> Vec<(String, Vec<usize>)> {
        let d = self.d_model;
        let mut list = vec![
            (format!("{name}.in_proj_weight"), vec![3 * d, d]),
            (format!("{name}.out_proj.weight"), vec![d, d]),
        ];
        if self.bias {
            list.push((format!("{name}.in_proj_bias"), vec![3 * d]));
            list.push((format!("{name}.out_proj.bias"), vec![d]));
        }
        list
    }

    /// Names and shapes of the parameters of the linear layers.
    pub(crate) fn linear_parameters(&self) -> Vec<(String, Vec<usize>)> {
        let (d, wide) = (self.d_model, self.dim_feedforward);
        let mut list = vec![
            ("linear1.weight".to_owned(), vec![wide, d]),
            ("linear2.weight".to_owned(), vec![d, wide]),
        ];
        if self.bias {
            list.push(("linear1.bias".to_owned(), vec![wide]));
            list.push(("linear2.bias".to_owned(), vec![d]));
        }
        list
    }
}

/// Masks of an encoder or of one of its layers; [`AttentionMasks`] tells their shapes, types and meaning.
#[derive(Debug, Clone, Default)]
pub struct EncoderMasks<'a> {
    /// Which position each position doesn't see.
    pub src_mask: Option<&'a Tensor>,
    /// Positions that none sees.
    pub src_key_padding_mask: Option<&'a Tensor>,
    /// Whether each position sees only itself and those before it; acts where `src_mask` is `None`.
    pub is_causal: bool,
}

impl EncoderMasks<'_> {
    pub(crate) fn attention(&self) -> AttentionMasks<'_> {
        AttentionMasks {
            attn_mask: self.src_mask,
            key_padding_mask: self.src_key_padding_mask,
            is_causal: self.is_causal,
            need_weights: false,
            average_attn_weights: true,
        }
    }
}

/// Self-attention and two linear layers, each added to its input and normalised:
/// x ← norm1(x + attention(x)), y = norm2(x + linear2(activation(linear1(x)))); with `norm_first`
/// x ← x + attention(norm1(x)), y = x + linear2(activation(linear1(norm2(x)))). Dropout acts on the weights, after the
/// activation and before each sum.
///
/// # Shapes
/// input `[length, batch, d_model]`, or `[batch, length, d_model]` if `batch_first`, or `[length, d_model]`; output the same
/// # Parameters
/// `self_attn.*`: those of [`MultiheadAttention`]; `linear1.weight`: `[dim_feedforward, d_model]`; `linear2.weight`:
/// `[d_model, dim_feedforward]`; `norm1.weight`, `norm2.weight`: `[d_model]`; and their `bias`, if `bias`
/// # Errors
/// `new`: a size is 0, `d_model` isn't a multiple of `nhead`, `dropout` isn't a probability, ε is negative. `forward_t`: inputs
/// or masks that don't fit.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerEncoderLayer`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::{EncoderMasks, TransformerEncoderLayer, TransformerEncoderLayerConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = TransformerEncoderLayer::new(&TransformerEncoderLayerConfig::new(8, 2), store.builder())?;
/// let x = Tensor::ones((5, 3, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward_t(&x, &EncoderMasks::default(), false)?.dims(), [5, 3, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransformerEncoderLayer {
    self_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout: Dropout,
    norm_first: bool,
}

impl TransformerEncoderLayer {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &TransformerEncoderLayerConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        Self::with_init(cfg, None, vb)
    }

    /// The same whose weights of linear layers start otherwise.
    pub(crate) fn with_init(
        cfg: &TransformerEncoderLayerConfig,
        init: Option<Init>,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let dropout = check::dropout(
            &layer_path(&vb, "TransformerEncoderLayer"),
            "dropout",
            cfg.dropout,
        )?;
        Ok(Self {
            self_attn: MultiheadAttention::with_out_init(&cfg.attention(), init, vb.pp("self_attn"))?,
            feed_forward: FeedForward::new(&cfg.feed_forward(init), dropout.clone(), &vb)?,
            norm1: LayerNorm::new(&cfg.norm(), vb.pp("norm1"))?,
            norm2: LayerNorm::new(&cfg.norm(), vb.pp("norm2"))?,
            dropout,
            norm_first: cfg.norm_first,
        })
    }

    /// The encoded sequence.
    ///
    /// # Errors
    /// See the layer's own.
    pub fn forward_t(&self, x: &Tensor, masks: &EncoderMasks<'_>, train: bool) -> Result<Tensor> {
        let masks = masks.attention();
        let attend = |x: &Tensor| {
            let (y, _) = self.self_attn.forward_t(x, x, x, &masks, train)?;
            self.dropout.forward_t(&y, train)
        };
        let feed = |x: &Tensor| {
            self.dropout
                .forward_t(&self.feed_forward.forward_t(x, train)?, train)
        };
        if self.norm_first {
            let x = (x + attend(&self.norm1.forward(x)?)?)?;
            &x + feed(&self.norm2.forward(&x)?)?
        } else {
            let x = self.norm1.forward(&(x + attend(x)?)?)?;
            self.norm2.forward(&(&x + feed(&x)?)?)
        }
    }
}
