//! Options of ViT.

use sconce_nn::Activation;

/// Options of [`Vit`](super::Vit) and its head; the defaults are those of `ViTConfig`, ViT base.
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
