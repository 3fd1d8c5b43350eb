//! One layer of BERT's encoder.

use super::BertConfig;
use crate::models::parts::{SelfAttention, SelfAttentionConfig, linear, norm};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::layer_path;
use sconce_nn::{Activation, Dropout, LayerNorm, Linear};

#[derive(Debug, Clone)]
pub(super) struct BertLayer {
    attention: SelfAttention,
    attention_output: Output,
    intermediate: Linear,
    activation: Activation,
    output: Output,
}

impl BertLayer {
    pub(super) fn new(cfg: &BertConfig, dropout: &Dropout, vb: VarBuilder) -> sconce_core::Result<Self> {
        let (width, wide) = (cfg.hidden_size, cfg.intermediate_size);
        let attention = SelfAttentionConfig {
            path: layer_path(&vb.pp("attention").pp("self"), "BertSelfAttention"),
            width,
            heads: cfg.num_attention_heads,
            bias: true,
            dropout: cfg.attention_probs_dropout_prob,
            std: cfg.initializer_range,
        };
        let output = |inputs, vb| Output::new(cfg, inputs, dropout.clone(), vb);
        let dense = vb.pp("intermediate").pp("dense");
        Ok(Self {
            attention: SelfAttention::new(&attention, &vb.pp("attention").pp("self"))?,
            attention_output: output(width, vb.pp("attention").pp("output"))?,
            intermediate: linear(dense, width, wide, true, cfg.initializer_range)?,
            activation: cfg.hidden_act,
            output: output(wide, vb.pp("output"))?,
        })
    }

    pub(super) fn forward_t(&self, x: &Tensor, mask: Option<&Tensor>, train: bool) -> Result<Tensor> {
        let attended = self.attention.forward_t(x, mask, train)?;
        let x = self.attention_output.forward_t(&attended, x, train)?;
        let wide = self.activation.forward(&self.intermediate.forward(&x)?)?;
        self.output.forward_t(&wide, &x, train)
    }
}

/// LayerNorm(dropout(dense(y)) + x).
#[derive(Debug, Clone)]
struct Output {
    dense: Linear,
    norm: LayerNorm,
    dropout: Dropout,
}

impl Output {
    fn new(cfg: &BertConfig, inputs: usize, dropout: Dropout, vb: VarBuilder) -> sconce_core::Result<Self> {
        let width = cfg.hidden_size;
        Ok(Self {
            dense: linear(vb.pp("dense"), inputs, width, true, cfg.initializer_range)?,
            norm: norm(vb.pp("LayerNorm"), width, cfg.layer_norm_eps)?,
            dropout,
        })
    }

    fn forward_t(&self, y: &Tensor, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.dropout.forward_t(&self.dense.forward(y)?, train)?;
        self.norm.forward(&(y + x)?)
    }
}
