//! Multi-head attention.

mod cached;
mod config;
mod inputs;
mod masks;
#[cfg(test)]
mod tests;

use crate::{attention, check, heads};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use inputs::Inputs;
use sconce_core::{Init, Param, layer_path, param};
use sconce_nn::{Dropout, Linear, LinearConfig, linear};

pub use config::{AttentionMasks, MultiheadAttentionConfig};

/// Attention in several subspaces at once: head_h = softmax(Q_h·K_hᵀ/√d + mask)·V_h, output = concat(heads)·W_oᵀ + b_o, where
/// Q_h, K_h and V_h are the inputs times each head's part of the projections.
///
/// A query all of whose keys are masked out has weights of 0 where PyTorch's are NaN; see the [crate](crate)'s page.
///
/// # Shapes
/// query `[queries, batch, embed_dim]`, key `[keys, batch, kdim]`, value `[keys, batch, vdim]`, or batch first if
/// `batch_first`, or all three without batch. Output as the query; weights `[batch, queries, keys]`, or
/// `[batch, num_heads, queries, keys]` if they aren't averaged, with as many keys more as `add_bias_kv` and `add_zero_attn` add
/// # Parameters
/// `in_proj_weight`: `[3 · embed_dim, embed_dim]`, or, if `kdim` or `vdim` differs, `q_proj_weight`: `[embed_dim, embed_dim]`,
/// `k_proj_weight`: `[embed_dim, kdim]`, `v_proj_weight`: `[embed_dim, vdim]`; `in_proj_bias`: `[3 · embed_dim]`, if `bias`;
/// `bias_k`, `bias_v`: `[1, 1, embed_dim]`, if `add_bias_kv`; `out_proj.weight`: `[embed_dim, embed_dim]`; `out_proj.bias`:
/// `[embed_dim]`, if `bias`. The projections start Xavier-uniform, biases at 0, `bias_k` and `bias_v` Xavier-normal.
/// # Errors
/// `new`: a size is 0, `embed_dim` isn't a multiple of `num_heads`, `dropout` isn't a probability. `forward_t`: inputs or masks
/// of other shapes or types, no key.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.MultiheadAttention`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::{AttentionMasks, MultiheadAttention, MultiheadAttentionConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = MultiheadAttentionConfig { batch_first: true, ..MultiheadAttentionConfig::new(8, 2) };
/// let attention = MultiheadAttention::new(&cfg, store.builder().pp("attn"))?;
/// let x = Tensor::ones((3, 5, 8), DType::F32, &Device::Cpu)?;
/// let (y, weights) = attention.forward_t(&x, &x, &x, &AttentionMasks::default(), false)?;
/// assert_eq!((y.dims(), weights.unwrap().dims()), (&[3, 5, 8][..], &[3, 5, 5][..]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiheadAttention {
    in_proj: InProjection,
    in_proj_bias: Option<Param>,
    extra: Option<[Param; 2]>,
    out_proj: Linear,
    dropout: Dropout,
    cfg: MultiheadAttentionConfig,
    path: String,
}

#[derive(Debug, Clone)]
enum InProjection {
    Packed(Param),
    Separate([Param; 3]),
}

impl MultiheadAttention {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &MultiheadAttentionConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        Self::with_out_init(cfg, None, vb)
    }

    /// The same with another start of the output projection's weight.
    pub(crate) fn with_out_init(
        cfg: &MultiheadAttentionConfig,
        out_init: Option<Init>,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "MultiheadAttention");
        let width = cfg.embed_dim;
        check::heads(&path, ("embed_dim", width), ("num_heads", cfg.num_heads))?;
        let (kdim, vdim) = (cfg.kdim.unwrap_or(width), cfg.vdim.unwrap_or(width));
        check::positive(&path, &[("kdim", kdim), ("vdim", vdim)])?;
        let dropout = check::dropout(&path, "dropout", cfg.dropout)?;
        let xavier = Init::XavierUniform { gain: 1. };
        let in_proj = if (kdim, vdim) == (width, width) {
            InProjection::Packed(param(&vb, (3 * width, width), "in_proj_weight", &xavier)?)
        } else {
            InProjection::Separate([
                param(&vb, (width, width), "q_proj_weight", &xavier)?,
                param(&vb, (width, kdim), "k_proj_weight", &xavier)?,
                param(&vb, (width, vdim), "v_proj_weight", &xavier)?,
            ])
        };
        let zero = Init::Const(0.);
        let in_proj_bias = match cfg.bias {
            true => Some(param(&vb, 3 * width, "in_proj_bias", &zero)?),
            false => None,
        };
        let normal = Init::XavierNormal { gain: 1. };
        let extra = match cfg.add_bias_kv {
            true => Some([
                param(&vb, (1, 1, width), "bias_k", &normal)?,
                param(&vb, (1, 1, width), "bias_v", &normal)?,
            ]),
            false => None,
        };
        let out = LinearConfig {
            bias: cfg.bias,
            weight_init: out_init,
            bias_init: Some(zero),
            ..LinearConfig::new(width, width)
        };
        Ok(Self {
            in_proj,
            in_proj_bias,
            extra,
            out_proj: Linear::new(&out, vb.pp("out_proj"))?,
            dropout,
            cfg: MultiheadAttentionConfig {
                kdim: Some(kdim),
                vdim: Some(vdim),
                ..cfg.clone()
            },
            path,
        })
    }

    /// The output, and the weights after dropout if `masks.need_weights`.
    ///
    /// # Errors
    /// See the layer's own.
    pub fn forward_t(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: &AttentionMasks<'_>,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let inputs = Inputs::new(self, query, key, value)?;
        let mask = self.mask(&inputs, masks)?;
        let [q, k, v] = self.projected(&inputs)?;
        let (output, weights) = self.attend(&q, &k, &v, mask, train)?;
        let weights = match (masks.need_weights, masks.average_attn_weights) {
            (false, _) => None,
            (true, false) => Some(weights),
            (true, true) => Some(weights.mean(1)?),
        };
        let output = inputs.restore(&output)?;
        let weights = match (weights, inputs.is_batched) {
            (Some(weights), false) => Some(weights.squeeze(0)?),
            (weights, _) => weights,
        };
        Ok((output, weights))
    }

    /// From heads `[batch, heads, length, d]` to the projected output `[batch, queries, embed_dim]` and the weights. The mask
    /// speaks of the given keys; those that the layer adds are seen by all.
    fn attend(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: Option<Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let (mut k, mut v, mut mask) = (k.clone(), v.clone(), mask);
        let (batch, _, given, width) = k.dims4()?;
        if let Some([bias_k, bias_v]) = &self.extra {
            let behind = |x: &Tensor, bias: &Param| {
                let bias = heads::split(&bias.tensor(), self.cfg.num_heads)?;
                let bias = bias.broadcast_as((batch, self.cfg.num_heads, 1, width))?;
                Tensor::cat(&[x, &bias.contiguous()?], 2)
            };
            (k, v) = (behind(&k, bias_k)?, behind(&v, bias_v)?);
        }
        if self.cfg.add_zero_attn {
            let behind = |x: &Tensor| x.pad_with_zeros(2, 0, 1);
            (k, v) = (behind(&k)?, behind(&v)?);
        }
        if let Some(given_mask) = &mask {
            mask = Some(given_mask.pad_with_zeros(3, 0, k.dim(2)? - given)?);
        }
        let scale = attention::default_scale(width);
        let (output, weights) = attention::attend(q, &k, &v, mask.as_ref(), scale, &self.dropout, train)?;
        Ok((self.out_proj.forward(&heads::join(&output)?)?, weights))
    }

    /// Queries, keys and values, each cut into heads.
    fn projected(&self, inputs: &Inputs) -> Result<[Tensor; 3]> {
        let width = self.cfg.embed_dim;
        let heads = self.cfg.num_heads;
        if let (InProjection::Packed(weight), true) = (&self.in_proj, inputs.is_self) {
            let bias = self.in_proj_bias.as_ref().map(Param::tensor);
            let all = linear(&inputs.query, &weight.tensor(), bias.as_ref())?;
            let part = |i: usize| heads::split(&all.narrow(2, i * width, width)?, heads);
            return Ok([part(0)?, part(1)?, part(2)?]);
        }
        Ok([
            heads::split(&self.project(0, &inputs.query)?, heads)?,
            heads::split(&self.project(1, &inputs.key)?, heads)?,
            heads::split(&self.project(2, &inputs.value)?, heads)?,
        ])
    }

    /// The first, second or third input times its projection.
    fn project(&self, i: usize, x: &Tensor) -> Result<Tensor> {
        let width = self.cfg.embed_dim;
        let weight = match &self.in_proj {
            InProjection::Packed(weight) => weight.tensor().narrow(0, i * width, width)?,
            InProjection::Separate([q, k, v]) => match i {
                0 => q.tensor(),
                1 => k.tensor(),
                _ => v.tensor(),
            },
        };
        let bias = match &self.in_proj_bias {
            Some(bias) => Some(bias.tensor().narrow(0, i * width, width)?),
            None => None,
        };
        linear(x, &weight, bias.as_ref())
    }
}
