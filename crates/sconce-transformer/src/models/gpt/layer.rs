//! One layer of GPT.

use super::GptConfig;
use crate::models::parts::{norm, normal};
use crate::{KeyValues, attention, check, heads, mask};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, Param, layer_path, param};
use sconce_nn::{Activation, Dropout, LayerNorm};

#[derive(Debug, Clone)]
pub(super) struct GptLayer {
    ln_1: LayerNorm,
    c_attn: Turned,
    attn_proj: Turned,
    ln_2: LayerNorm,
    c_fc: Turned,
    mlp_proj: Turned,
    activation: Activation,
    heads: usize,
    attn_dropout: Dropout,
    resid_dropout: Dropout,
    path: String,
}

impl GptLayer {
    pub(super) fn new(cfg: &GptConfig, model: &str, vb: VarBuilder) -> sconce_core::Result<Self> {
        let (width, std) = (cfg.n_embd, cfg.initializer_range);
        let inner = cfg.n_inner.unwrap_or(4 * width);
        let last = std / (2. * cfg.n_layer as f64).sqrt();
        let (attn, mlp) = (vb.pp("attn"), vb.pp("mlp"));
        Ok(Self {
            ln_1: norm(vb.pp("ln_1"), width, cfg.layer_norm_epsilon)?,
            c_attn: Turned::new(width, 3 * width, std, attn.pp("c_attn"))?,
            attn_proj: Turned::new(width, width, last, attn.pp("c_proj"))?,
            ln_2: norm(vb.pp("ln_2"), width, cfg.layer_norm_epsilon)?,
            c_fc: Turned::new(width, inner, std, mlp.pp("c_fc"))?,
            mlp_proj: Turned::new(inner, width, last, mlp.pp("c_proj"))?,
            activation: cfg.activation_function,
            heads: cfg.n_head,
            attn_dropout: check::dropout(model, "attn_pdrop", cfg.attn_pdrop)?,
            resid_dropout: check::dropout(model, "resid_pdrop", cfg.resid_pdrop)?,
            path: layer_path(&attn, "GptAttention"),
        })
    }

    pub(super) fn forward_t(&self, x: &Tensor, past: Option<&mut KeyValues>, train: bool) -> Result<Tensor> {
        let attended = self.attend(&self.ln_1.forward(x)?, past, train)?;
        let x = (x + self.resid_dropout.forward_t(&attended, train)?)?;
        let wide = self
            .activation
            .forward(&self.c_fc.forward(&self.ln_2.forward(&x)?)?)?;
        &x + self
            .resid_dropout
            .forward_t(&self.mlp_proj.forward(&wide)?, train)?
    }

    fn attend(&self, x: &Tensor, past: Option<&mut KeyValues>, train: bool) -> Result<Tensor> {
        let (_, length, width) = x.dims3()?;
        let all = self.c_attn.forward(x)?;
        let part = |i: usize| heads::split(&all.narrow(2, i * width, width)?, self.heads);
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let before = past.as_ref().map_or(0, |past| past.len());
        let (k, v) = match past {
            Some(past) => past.append(&self.path, &k, &v)?,
            None => (k, v),
        };
        // A single query is the last of all.
        let mask = match length {
            1 => None,
            _ => Some(mask::causal(length, before + length, before, x)?),
        };
        let scale = attention::default_scale(width / self.heads.max(1));
        let (y, _) = attention::attend(&q, &k, &v, mask.as_ref(), scale, &self.attn_dropout, train)?;
        self.attn_proj.forward(&heads::join(&y)?)
    }
}

/// A linear layer whose weight is `[in, out]`, as GPT-2's checkpoints have it.
#[derive(Debug, Clone)]
struct Turned {
    weight: Param,
    bias: Param,
}

impl Turned {
    fn new(inputs: usize, outputs: usize, std: f64, vb: VarBuilder) -> sconce_core::Result<Self> {
        Ok(Self {
            weight: param(&vb, (inputs, outputs), "weight", &normal(std))?,
            bias: param(&vb, outputs, "bias", &Init::Const(0.))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        sconce_nn::linear(x, &self.weight.tensor().t()?, Some(&self.bias.tensor()))
    }
}
