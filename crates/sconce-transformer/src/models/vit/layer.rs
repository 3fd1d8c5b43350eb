//! One layer of ViT's encoder.

use super::VitConfig;
use crate::models::parts::{SelfAttention, SelfAttentionConfig, linear, norm};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::layer_path;
use sconce_nn::{Activation, Dropout, LayerNorm, Linear};

#[derive(Debug, Clone)]
pub(super) struct VitLayer {
    attention: SelfAttention,
    attention_output: Linear,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    before: LayerNorm,
    after: LayerNorm,
    dropout: Dropout,
}

impl VitLayer {
    pub(super) fn new(cfg: &VitConfig, dropout: &Dropout, vb: VarBuilder) -> sconce_core::Result<Self> {
        let (width, wide, std) = (cfg.hidden_size, cfg.intermediate_size, cfg.initializer_range);
        let inner = vb.pp("attention").pp("attention");
        let attention = SelfAttentionConfig {
            path: layer_path(&inner, "VitSelfAttention"),
            width,
            heads: cfg.num_attention_heads,
            bias: cfg.qkv_bias,
            dropout: cfg.attention_probs_dropout_prob,
            std,
        };
        let dense = |vb: VarBuilder, inputs, outputs| linear(vb.pp("dense"), inputs, outputs, true, std);
        Ok(Self {
            attention: SelfAttention::new(&attention, &inner)?,
            attention_output: dense(vb.pp("attention").pp("output"), width, width)?,
            intermediate: dense(vb.pp("intermediate"), width, wide)?,
            activation: cfg.hidden_act,
            output: dense(vb.pp("output"), wide, width)?,
            before: norm(vb.pp("layernorm_before"), width, cfg.layer_norm_eps)?,
            after: norm(vb.pp("layernorm_after"), width, cfg.layer_norm_eps)?,
            dropout: dropout.clone(),
        })
    }

    pub(super) fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let attended = self.attention.forward_t(&self.before.forward(x)?, None, train)?;
        let attended = self.attention_output.forward(&attended)?;
        let x = (x + self.dropout.forward_t(&attended, train)?)?;
        let wide = self
            .activation
            .forward(&self.intermediate.forward(&self.after.forward(&x)?)?)?;
        &x + self.dropout.forward_t(&self.output.forward(&wide)?, train)?
    }
}
