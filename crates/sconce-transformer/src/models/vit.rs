//! ViT: a transformer's encoder over the patches of an image.

mod classification;
mod config;
mod layer;
#[cfg(test)]
mod tests;

use super::parts::{base, linear, norm, normal, renamed};
use crate::check;
use candle_core::{DType, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use layer::VitLayer;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::{Activation, Dropout, LayerNorm, Linear};

pub use classification::VitForImageClassification;
pub use config::VitConfig;

/// What [`Vit`] gives.
#[derive(Debug, Clone)]
pub struct VitOutput {
    /// `[batch, 1 + patches, hidden_size]`, the class token first
    pub last_hidden_state: Tensor,
    /// `[batch, hidden_size]`: tanh of a linear layer of the class token's; absent below a head that doesn't use it.
    pub pooler_output: Option<Tensor>,
}

/// Patches of an image as tokens: each is projected, a class token is put before them and learned positions are added; then
/// encoder layers with normalisation first, a last normalisation, and a pooler.
///
/// # Shapes
/// pixels `[batch, num_channels, height, width]`; see [`VitOutput`]
/// # Parameters
/// `embeddings.cls_token`: `[1, 1, hidden_size]`; `embeddings.position_embeddings`: `[1, 1 + patches, hidden_size]`;
/// `embeddings.patch_embeddings.projection.weight`: `[hidden_size, num_channels, *patch_size]`;
/// `encoder.layer.{i}.attention.attention.{query,key,value}`, `encoder.layer.{i}.attention.output.dense`,
/// `encoder.layer.{i}.{intermediate,output}.dense`, `encoder.layer.{i}.layernorm_{before,after}`, `layernorm`, `pooler.dense`, each
/// with `weight` and `bias`. These are the names in checkpoints; those that the module itself has in newer versions
/// (`layers.{i}.attention.q_proj`, …) are found too.
/// # Errors
/// `new`: a size is 0, `hidden_size` isn't a multiple of `num_attention_heads`, a patch is larger than the image, a probability
/// isn't one. `forward_t`: images of another size or type.
/// # Source
/// Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021; `transformers.ViTModel`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::models::{Vit, VitConfig};
/// let cfg = VitConfig {
///     hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, image_size: [8, 8], patch_size: [4, 4],
///     ..VitConfig::default()
/// };
/// let vit = Vit::new(&cfg, ParamStore::new(DType::F32, &Device::Cpu).builder())?;
/// let pixels = Tensor::ones((2, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(vit.forward_t(&pixels, false)?.last_hidden_state.dims(), [2, 5, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Vit {
    cls_token: Param,
    position_embeddings: Param,
    projection: [Param; 2],
    layers: Vec<VitLayer>,
    norm: LayerNorm,
    pooler: Option<Linear>,
    dropout: Dropout,
    image_size: [usize; 2],
    patch_size: [usize; 2],
    path: String,
}

const CLASS: &str = "embeddings.cls_token";

impl Vit {
    /// The model whose parameters stand at `vb`, or at `vb`'s `vit` if they are there.
    pub fn new(cfg: &VitConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        Self::within(cfg, true, base(&vb, "vit", CLASS, false))
    }

    fn within(cfg: &VitConfig, has_pooler: bool, vb: VarBuilder) -> sconce_core::Result<Self> {
        let vb = with_checkpoint_names(&vb);
        let path = layer_path(&vb, "Vit");
        let width = cfg.hidden_size;
        let ([height, across], [patch_height, patch_width]) = (cfg.image_size, cfg.patch_size);
        check::positive(
            &path,
            &[
                ("num_channels", cfg.num_channels),
                ("intermediate_size", cfg.intermediate_size),
                ("patch_size", patch_height.min(patch_width)),
            ],
        )?;
        check::heads(
            &path,
            ("hidden_size", width),
            ("num_attention_heads", cfg.num_attention_heads),
        )?;
        let patches = (height / patch_height) * (across / patch_width);
        if patches == 0 {
            let expected = format!("at most image_size = {:?}", cfg.image_size);
            return Err(Error::config(
                path,
                "patch_size",
                format!("{:?}", cfg.patch_size),
                expected,
            ));
        }
        let dropout = check::dropout(&path, "hidden_dropout_prob", cfg.hidden_dropout_prob)?;
        let std = cfg.initializer_range;
        let cut = Init::TruncNormal {
            mean: 0.,
            std,
            lo: -2.,
            hi: 2.,
        };
        let embeddings = vb.pp("embeddings");
        let projection = embeddings.pp("patch_embeddings").pp("projection");
        let kernel = (width, cfg.num_channels, patch_height, patch_width);
        let layers = vb.pp("encoder").pp("layer");
        Ok(Self {
            cls_token: param(&embeddings, (1, 1, width), "cls_token", &cut)?,
            position_embeddings: param(&embeddings, (1, 1 + patches, width), "position_embeddings", &cut)?,
            projection: [
                param(&projection, kernel, "weight", &normal(std))?,
                param(&projection, width, "bias", &Init::Const(0.))?,
            ],
            layers: (0..cfg.num_hidden_layers)
                .map(|i| VitLayer::new(cfg, &dropout, layers.pp(i)))
                .collect::<sconce_core::Result<_>>()?,
            norm: norm(vb.pp("layernorm"), width, cfg.layer_norm_eps)?,
            pooler: match has_pooler {
                true => Some(linear(vb.pp("pooler").pp("dense"), width, width, true, std)?),
                false => None,
            },
            dropout,
            image_size: cfg.image_size,
            patch_size: cfg.patch_size,
            path,
        })
    }

    /// The encoded patches and the pooled class token.
    ///
    /// # Errors
    /// See the model's own.
    pub fn forward_t(&self, pixels: &Tensor, train: bool) -> Result<VitOutput> {
        let patches = self.patches(pixels)?;
        let [weight, bias] = &self.projection;
        let (batch, _, inputs) = patches.dims3()?;
        let weight = weight.tensor();
        let width = weight.dim(0)?;
        let x = sconce_nn::linear(&patches, &weight.reshape((width, inputs))?, Some(&bias.tensor()))?;
        let class = self
            .cls_token
            .tensor()
            .broadcast_as((batch, 1, width))?
            .contiguous()?;
        let x = Tensor::cat(&[&class, &x], 1)?.broadcast_add(&self.position_embeddings.tensor())?;
        let mut x = self.dropout.forward_t(&x, train)?;
        for layer in &self.layers {
            x = layer.forward_t(&x, train)?;
        }
        let x = self.norm.forward(&x)?;
        let pooler_output = match &self.pooler {
            None => None,
            Some(dense) => Some(Activation::Tanh.forward(&dense.forward(&class_of(&x)?)?)?),
        };
        Ok(VitOutput {
            last_hidden_state: x,
            pooler_output,
        })
    }

    /// `[batch, patches, channels · patch height · patch width]`: what a convolution that steps by whole patches sees.
    fn patches(&self, pixels: &Tensor) -> Result<Tensor> {
        let [weight, _] = &self.projection;
        let channels = weight.dims().get(1).copied().unwrap_or(0);
        let ([height, across], [patch_height, patch_width]) = (self.image_size, self.patch_size);
        let batch = match *pixels.dims() {
            [batch, c, h, w] if batch > 0 && (c, h, w) == (channels, height, across) => batch,
            ref dims => {
                let expected =
                    format!("[batch ≥ 1, channels = {channels}, height = {height}, width = {across}]");
                return Err(Error::shape(&self.path, "pixels", expected, dims).into());
            }
        };
        check::same_dtype(&self.path, "pixels", pixels, dtype(weight))?;
        let (down, along) = (height / patch_height, across / patch_width);
        pixels
            .narrow(2, 0, down * patch_height)?
            .narrow(3, 0, along * patch_width)?
            .contiguous()?
            .reshape(&[batch, channels, down, patch_height, along, patch_width][..])?
            .permute([0, 2, 4, 1, 3, 5])?
            .contiguous()?
            .reshape((batch, down * along, channels * patch_height * patch_width))
    }
}

fn dtype(param: &Param) -> DType {
    param.value().dtype()
}

/// The class token's hidden state.
fn class_of(x: &Tensor) -> Result<Tensor> {
    x.narrow(1, 0, 1)?.squeeze(1)
}

/// A builder that finds the names of checkpoints where tensors have those of the newer module.
fn with_checkpoint_names<'a>(vb: &VarBuilder<'a>) -> VarBuilder<'a> {
    const NAMES: [(&str, &str); 7] = [
        ("encoder.layer.", "layers."),
        (".attention.attention.query.", ".attention.q_proj."),
        (".attention.attention.key.", ".attention.k_proj."),
        (".attention.attention.value.", ".attention.v_proj."),
        (".attention.output.dense.", ".attention.o_proj."),
        (".intermediate.dense.", ".mlp.fc1."),
        (".output.dense.", ".mlp.fc2."),
    ];
    if !vb.contains_tensor("layers.0.layernorm_before.weight") {
        return vb.clone();
    }
    renamed(vb, |name| {
        NAMES
            .iter()
            .fold(name.to_owned(), |name, (ours, theirs)| name.replace(ours, theirs))
    })
}
