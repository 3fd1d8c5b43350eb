//! ViT: a transformer's encoder over the patches of an image.

use super::parts::{SelfAttention, SelfAttentionConfig, base, linear, norm, normal, renamed};
use crate::check;
use candle_core::{DType, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::{Activation, Dropout, LayerNorm, Linear};

#[cfg(test)]
mod tests;

/// Options of [`Vit`] and its head; the defaults are those of `ViTConfig`, ViT base.
#[derive(Debug, Clone, PartialEq)]
pub struct VitConfig {
    /// Width of the model.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// Width between the two linear layers of a layer.
    pub intermediate_size: usize,
    /// Between these two.
    pub hidden_act: Activation,
    /// Probability of every dropout but that of attention weights.
    pub hidden_dropout_prob: f64,
    /// Probability with which an attention weight is dropped.
    pub attention_probs_dropout_prob: f64,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
    /// Added to the variance in normalisations.
    pub layer_norm_eps: f64,
    /// Height and width of an image.
    pub image_size: [usize; 2],
    /// Height and width of a patch; what is left of the image beyond whole patches is not seen.
    pub patch_size: [usize; 2],
    /// Number of channels of an image.
    pub num_channels: usize,
    /// Whether queries, keys and values add a learned vector.
    pub qkv_bias: bool,
    /// Number of classes of a classifier.
    pub num_labels: usize,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            hidden_dropout_prob: 0.,
            attention_probs_dropout_prob: 0.,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            image_size: [224, 224],
            patch_size: [16, 16],
            num_channels: 3,
            qkv_bias: true,
            num_labels: 2,
        }
    }
}

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

/// [`Vit`] without pooler, and a linear layer on the class token's hidden state.
///
/// # Shapes
/// pixels `[batch, num_channels, height, width]`; logits `[batch, num_labels]`
/// # Parameters
/// `vit.*`: those of [`Vit`] without `pooler`; `classifier.weight`: `[num_labels, hidden_size]`; `classifier.bias`: `[num_labels]`
/// # Errors
/// Those of [`Vit`]; `num_labels` is 0.
/// # Source
/// `transformers.ViTForImageClassification`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_transformer::models::{VitConfig, VitForImageClassification};
/// let cfg = VitConfig {
///     hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_channels: 1, image_size: [8, 8],
///     patch_size: [2, 2], num_labels: 10, ..VitConfig::default()
/// };
/// let vit = VitForImageClassification::new(&cfg, ParamStore::new(DType::F32, &Device::Cpu).builder())?;
/// let digits = Tensor::ones((2, 1, 8, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(vit.forward_t(&digits, false)?.dims(), [2, 10]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VitForImageClassification {
    vit: Vit,
    classifier: Linear,
}

impl VitForImageClassification {
    /// The model whose parameters stand at `vb`.
    pub fn new(cfg: &VitConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "VitForImageClassification");
        check::positive(&path, &[("num_labels", cfg.num_labels)])?;
        let vit = Vit::within(cfg, false, base(&vb, "vit", CLASS, true))?;
        let (width, std) = (cfg.hidden_size, cfg.initializer_range);
        Ok(Self {
            vit,
            classifier: linear(vb.pp("classifier"), width, cfg.num_labels, true, std)?,
        })
    }

    /// The model below the head.
    pub fn vit(&self) -> &Vit {
        &self.vit
    }
}

impl ModuleT for VitForImageClassification {
    fn forward_t(&self, pixels: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.vit.forward_t(pixels, train)?.last_hidden_state;
        self.classifier.forward(&class_of(&hidden)?)
    }
}

/// One layer of the encoder.
#[derive(Debug, Clone)]
struct VitLayer {
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
    fn new(cfg: &VitConfig, dropout: &Dropout, vb: VarBuilder) -> sconce_core::Result<Self> {
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

    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let attended = self.attention.forward_t(&self.before.forward(x)?, None, train)?;
        let attended = self.attention_output.forward(&attended)?;
        let x = (x + self.dropout.forward_t(&attended, train)?)?;
        let wide = self
            .activation
            .forward(&self.intermediate.forward(&self.after.forward(&x)?)?)?;
        &x + self.dropout.forward_t(&self.output.forward(&wide)?, train)?
    }
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
