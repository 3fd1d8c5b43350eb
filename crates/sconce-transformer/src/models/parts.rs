//! What the models have in common.

use crate::{attention, check, heads};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::Init;
use sconce_nn::{Dropout, LayerNorm, LayerNormConfig, Linear, LinearConfig};

/// Biases start at 0, weights from a normal distribution.
pub(super) fn normal(std: f64) -> Init {
    Init::Normal { mean: 0., std }
}

pub(super) fn linear(
    vb: VarBuilder,
    inputs: usize,
    outputs: usize,
    bias: bool,
    std: f64,
) -> sconce_core::Result<Linear> {
    let cfg = LinearConfig {
        bias,
        weight_init: Some(normal(std)),
        bias_init: Some(Init::Const(0.)),
        ..LinearConfig::new(inputs, outputs)
    };
    Linear::new(&cfg, vb)
}

pub(super) fn norm(vb: VarBuilder, width: usize, eps: f64) -> sconce_core::Result<LayerNorm> {
    let cfg = LayerNormConfig {
        eps,
        ..LayerNormConfig::new([width])
    };
    LayerNorm::new(&cfg, vb)
}

/// The same builder whose tensors are looked up under other names.
pub(super) fn renamed<'a>(
    vb: &VarBuilder<'a>,
    rename: impl Fn(&str) -> String + Sync + Send + 'static,
) -> VarBuilder<'a> {
    let root = vb.root().rename_f(rename);
    match vb.prefix() {
        prefix if prefix.is_empty() => root,
        prefix => root.pp(prefix),
    }
}

/// Where a base model stands: at `vb` if its tensor `known` is there already, else below `prefix` if `has_head` or if it is there.
pub(super) fn base<'a>(vb: &VarBuilder<'a>, prefix: &str, known: &str, has_head: bool) -> VarBuilder<'a> {
    let below = vb.pp(prefix);
    let is_below = below.contains_tensor(known);
    if is_below || (has_head && !vb.contains_tensor(known)) {
        below
    } else {
        vb.clone()
    }
}

/// Attention of a sequence to itself, with a projection each for queries, keys and values and none for the output.
#[derive(Debug, Clone)]
pub(super) struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    heads: usize,
    head_width: usize,
    dropout: Dropout,
}

/// Options of [`SelfAttention`].
pub(super) struct SelfAttentionConfig {
    pub(super) path: String,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) bias: bool,
    pub(super) dropout: f64,
    pub(super) std: f64,
}

impl SelfAttention {
    /// The projections stand at `query`, `key` and `value` below `vb`.
    pub(super) fn new(cfg: &SelfAttentionConfig, vb: &VarBuilder) -> sconce_core::Result<Self> {
        let (width, heads) = (cfg.width, cfg.heads);
        check::heads(&cfg.path, ("hidden_size", width), ("num_attention_heads", heads))?;
        let projection = |name| linear(vb.pp(name), width, width, cfg.bias, cfg.std);
        Ok(Self {
            query: projection("query")?,
            key: projection("key")?,
            value: projection("value")?,
            heads,
            head_width: width / heads,
            dropout: check::dropout(&cfg.path, "attention_probs_dropout_prob", cfg.dropout)?,
        })
    }

    /// x `[batch, length, width]`; the mask is added to the scores `[batch, heads, length, length]`.
    pub(super) fn forward_t(&self, x: &Tensor, mask: Option<&Tensor>, train: bool) -> Result<Tensor> {
        let part = |projection: &Linear| heads::split(&projection.forward(x)?, self.heads);
        let (q, k, v) = (part(&self.query)?, part(&self.key)?, part(&self.value)?);
        let scale = attention::default_scale(self.head_width);
        let (y, _) = attention::attend(&q, &k, &v, mask, scale, &self.dropout, train)?;
        heads::join(&y)
    }
}
