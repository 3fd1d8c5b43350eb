//! Multi-head attention and scaled dot-product attention.

use sconce::core::candle_core::{Tensor, Var};
use sconce::transformer::{
    AttentionMasks, AttentionOptions, MultiheadAttention, MultiheadAttentionConfig,
    scaled_dot_product_attention,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    match setting.kind() {
        "" => multihead(setting),
        "scaled_dot_product" => dot(setting),
        _ => Err(Stop::kind(setting)),
    }
}

/// A mask: a variable if it is added to the scores, as it then takes a gradient.
pub(super) enum Mask {
    Boolean(Tensor),
    Added(Var),
}

impl Mask {
    pub(super) fn read(setting: &Setting<'_>, name: &str) -> Result<Option<Self>, Stop> {
        let Some(mask) = setting.optional_tensor(&format!("in.{name}"))? else {
            return Ok(None);
        };
        Ok(Some(if mask.dtype().is_float() {
            Self::Added(Var::from_tensor(&mask)?)
        } else {
            Self::Boolean(mask)
        }))
    }

    pub(super) fn tensor(&self) -> &Tensor {
        match self {
            Self::Boolean(mask) => mask,
            Self::Added(mask) => mask,
        }
    }

    pub(super) fn variable(&self) -> Option<&Var> {
        match self {
            Self::Boolean(_) => None,
            Self::Added(mask) => Some(mask),
        }
    }
}

/// The variables among inputs and masks, by name.
pub(super) fn variables<'a>(
    inputs: &[(&'a str, &'a Var)],
    masks: &[(&'a str, &'a Option<Mask>)],
) -> Vec<(&'a str, &'a Var)> {
    let added = masks
        .iter()
        .filter_map(|(name, mask)| Some((*name, mask.as_ref()?.variable()?)));
    inputs.iter().copied().chain(added).collect()
}

fn multihead(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let cfg = MultiheadAttentionConfig {
        bias: setting.flag("bias")?,
        add_bias_kv: setting.flag("add_bias_kv")?,
        add_zero_attn: setting.flag("add_zero_attn")?,
        kdim: setting.optional_size("kdim")?,
        vdim: setting.optional_size("vdim")?,
        batch_first: setting.flag("batch_first")?,
        ..MultiheadAttentionConfig::new(setting.size("embed")?, setting.size("heads")?)
    };
    let layer = MultiheadAttention::new(&cfg, store.builder())?;
    setting.load(&store)?;
    let attn_mask = Mask::read(setting, "attn_mask")?;
    let padding = Mask::read(setting, "key_padding_mask")?;
    let masks = AttentionMasks {
        attn_mask: attn_mask.as_ref().map(Mask::tensor),
        key_padding_mask: padding.as_ref().map(Mask::tensor),
        need_weights: setting.flag_or("need_weights", true)?,
        average_attn_weights: setting.flag("average")?,
        ..AttentionMasks::default()
    };
    let named = [("attn_mask", &attn_mask), ("key_padding_mask", &padding)];
    let q = setting.variable("q")?;
    if setting.flag_or("is_self", false)? {
        let (y, weights) = layer.forward_t(&q, &q, &q, &masks, false)?;
        let outputs: Vec<Tensor> = [y].into_iter().chain(weights).collect();
        return Results::of(setting, &outputs, &variables(&[("q", &q)], &named), &store);
    }
    let (k, v) = (setting.variable("k")?, setting.variable("v")?);
    let (y, weights) = layer.forward_t(&q, &k, &v, &masks, false)?;
    let outputs: Vec<Tensor> = [y].into_iter().chain(weights).collect();
    let inputs = [("q", &q), ("k", &k), ("v", &v)];
    Results::of(setting, &outputs, &variables(&inputs, &named), &store)
}

fn dot(setting: &Setting<'_>) -> Result<Results, Stop> {
    let [q, k, v] = ["q", "k", "v"].map(|name| setting.variable(name));
    let (q, k, v) = (q?, k?, v?);
    let mask = Mask::read(setting, "attn_mask")?;
    let options = AttentionOptions {
        attn_mask: mask.as_ref().map(Mask::tensor),
        dropout_p: 0.0,
        is_causal: setting.flag("is_causal")?,
        scale: setting.optional_number("scale")?,
        enable_gqa: setting.flag("enable_gqa")?,
    };
    let y = scaled_dot_product_attention(&q, &k, &v, &options)?;
    let inputs = [("q", &q), ("k", &k), ("v", &v)];
    let all = variables(&inputs, &[("attn_mask", &mask)]);
    Results::of(setting, &[y], &all, &setting.store())
}
