//! ViT with the head that classifies an image.

use super::{CLASS, Vit, VitConfig, class_of};
use crate::check;
use crate::models::parts::{base, linear};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::layer_path;
use sconce_nn::Linear;

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
