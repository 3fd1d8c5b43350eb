//! BERT: bidirectional encoder representations.

mod layer;
mod masked_lm;
mod sequence_classification;
#[cfg(test)]
mod tests;

use super::parts::{base, linear, norm, normal, renamed};
use crate::check;
use crate::mask::{self, One};
use candle_core::{DType, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use layer::BertLayer;
use sconce_core::{Error, layer_path};
use sconce_nn::{Activation, Dropout, Embedding, EmbeddingConfig, LayerNorm, Linear};

pub use masked_lm::BertForMaskedLm;
pub use sequence_classification::BertForSequenceClassification;

/// Options of [`Bert`] and its heads; the defaults are those of `BertConfig`, BERT base.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// Number of tokens.
    pub vocab_size: usize,
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
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Number of kinds of segments.
    pub type_vocab_size: usize,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
    /// Added to the variance in normalisations.
    pub layer_norm_eps: f64,
    /// The token whose vector starts at zero and isn't trained.
    pub pad_token_id: Option<usize>,
    /// Probability of the dropout before a classifier; `hidden_dropout_prob` if `None`.
    pub classifier_dropout: Option<f64>,
    /// Number of classes of a classifier.
    pub num_labels: usize,
}

impl BertConfig {
    /// BERT base for a vocabulary of this size.
    pub fn new(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            pad_token_id: Some(0),
            classifier_dropout: None,
            num_labels: 2,
        }
    }
}

/// What [`Bert`] and its heads take besides the token ids.
#[derive(Debug, Clone, Default)]
pub struct BertInputs<'a> {
    /// `[batch, length]` of integers: 1 is **kept**, 0 is padding that none sees. All are kept if `None`.
    pub attention_mask: Option<&'a Tensor>,
    /// `[batch, length]`: the segment of each token; 0 if `None`.
    pub token_type_ids: Option<&'a Tensor>,
    /// `[batch, length]` or `[1, length]`: the position of each token; 0, 1, … if `None`.
    pub position_ids: Option<&'a Tensor>,
}

/// What [`Bert`] gives.
#[derive(Debug, Clone)]
pub struct BertOutput {
    /// `[batch, length, hidden_size]`
    pub last_hidden_state: Tensor,
    /// `[batch, hidden_size]`: tanh of a linear layer of the first token's; absent below a head that doesn't use it.
    pub pooler_output: Option<Tensor>,
}

/// Embeddings of token, position and segment, summed and normalised, then encoder layers with normalisation last, then a
/// pooler.
///
/// # Shapes
/// ids `[batch, length]`; see [`BertInputs`] and [`BertOutput`]
/// # Parameters
/// `embeddings.{word,position,token_type}_embeddings.weight`, `embeddings.LayerNorm.{weight,bias}`,
/// `encoder.layer.{i}.attention.self.{query,key,value}`, `encoder.layer.{i}.attention.output.{dense,LayerNorm}`,
/// `encoder.layer.{i}.intermediate.dense`, `encoder.layer.{i}.output.{dense,LayerNorm}`, `pooler.dense`, each with `weight` and
/// `bias`. In old checkpoints a LayerNorm's are `gamma` and `beta`: a builder on such a file finds them, and into a store they
/// are loaded by [`Bert::current_name`].
/// # Errors
/// `new`: a size is 0, `hidden_size` isn't a multiple of `num_attention_heads`, a probability isn't one. `forward_t`: ids out of
/// range, other shapes, a sequence longer than `max_position_embeddings`.
/// # Source
/// Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019;
/// `transformers.BertModel`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::models::{Bert, BertConfig, BertInputs};
/// let cfg = BertConfig { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, ..BertConfig::new(11) };
/// let bert = Bert::new(&cfg, ParamStore::new(DType::F32, &Device::Cpu).builder())?;
/// let ids = Tensor::new(&[[1u32, 2, 3, 0]], &Device::Cpu)?;
/// let mask = Tensor::new(&[[1u32, 1, 1, 0]], &Device::Cpu)?;
/// let inputs = BertInputs { attention_mask: Some(&mask), ..BertInputs::default() };
/// let output = bert.forward_t(&ids, &inputs, false)?;
/// assert_eq!(output.last_hidden_state.dims(), [1, 4, 8]);
/// assert_eq!(output.pooler_output.unwrap().dims(), [1, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bert {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    norm: LayerNorm,
    layers: Vec<BertLayer>,
    pooler: Option<Linear>,
    dropout: Dropout,
    max_position_embeddings: usize,
    dtype: DType,
    path: String,
}

impl Bert {
    /// What a parameter of this name in a checkpoint is called now, to load old ones into a store by
    /// [`load_renamed`](sconce_core::io::load_renamed): a LayerNorm's `gamma` is its `weight`, its `beta` its `bias`, and all
    /// other names stay.
    ///
    /// # Example
    /// ```
    /// use sconce_transformer::models::Bert;
    /// assert_eq!(Bert::current_name("bert.embeddings.LayerNorm.gamma"), "bert.embeddings.LayerNorm.weight");
    /// assert_eq!(Bert::current_name("bert.pooler.dense.bias"), "bert.pooler.dense.bias");
    /// ```
    pub fn current_name(name: &str) -> String {
        [
            ("LayerNorm.gamma", "LayerNorm.weight"),
            ("LayerNorm.beta", "LayerNorm.bias"),
        ]
        .into_iter()
        .find_map(|(old, new)| Some(format!("{}{new}", name.strip_suffix(old)?)))
        .unwrap_or_else(|| name.to_owned())
    }

    /// The model whose parameters stand at `vb`, or at `vb`'s `bert` if they are there.
    pub fn new(cfg: &BertConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let vb = with_new_names(&vb);
        Self::within(cfg, true, base(&vb, "bert", WORDS, false))
    }

    fn within(cfg: &BertConfig, has_pooler: bool, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Bert");
        let width = cfg.hidden_size;
        check::positive(
            &path,
            &[
                ("vocab_size", cfg.vocab_size),
                ("max_position_embeddings", cfg.max_position_embeddings),
                ("type_vocab_size", cfg.type_vocab_size),
                ("intermediate_size", cfg.intermediate_size),
            ],
        )?;
        check::heads(
            &path,
            ("hidden_size", width),
            ("num_attention_heads", cfg.num_attention_heads),
        )?;
        let dropout = check::dropout(&path, "hidden_dropout_prob", cfg.hidden_dropout_prob)?;
        let std = cfg.initializer_range;
        let embeddings = vb.pp("embeddings");
        let table = |name, rows, padding_idx| {
            let cfg = EmbeddingConfig {
                padding_idx,
                weight_init: Some(normal(std)),
                ..EmbeddingConfig::new(rows, width)
            };
            Embedding::new(&cfg, embeddings.pp(name))
        };
        let layers = vb.pp("encoder").pp("layer");
        Ok(Self {
            word_embeddings: table("word_embeddings", cfg.vocab_size, cfg.pad_token_id)?,
            position_embeddings: table("position_embeddings", cfg.max_position_embeddings, None)?,
            token_type_embeddings: table("token_type_embeddings", cfg.type_vocab_size, None)?,
            norm: norm(embeddings.pp("LayerNorm"), width, cfg.layer_norm_eps)?,
            layers: (0..cfg.num_hidden_layers)
                .map(|i| BertLayer::new(cfg, &dropout, layers.pp(i)))
                .collect::<sconce_core::Result<_>>()?,
            pooler: match has_pooler {
                true => Some(linear(vb.pp("pooler").pp("dense"), width, width, true, std)?),
                false => None,
            },
            dropout,
            max_position_embeddings: cfg.max_position_embeddings,
            dtype: vb.dtype(),
            path,
        })
    }

    /// The encoded tokens and the pooled first one.
    ///
    /// # Errors
    /// See the model's own.
    pub fn forward_t(&self, ids: &Tensor, inputs: &BertInputs<'_>, train: bool) -> Result<BertOutput> {
        let (batch, length) = check::ids(&self.path, "input_ids", ids)?;
        if length > self.max_position_embeddings {
            let expected = format!(
                "[batch, length] with length at most max_position_embeddings = {}",
                self.max_position_embeddings
            );
            return Err(Error::shape(&self.path, "input_ids", expected, ids.dims()).into());
        }
        let whole = [batch, length];
        let types = match inputs.token_type_ids {
            Some(types) => self.sized("token_type_ids", types, &whole, false)?,
            None => Tensor::zeros((1, length), DType::I64, ids.device())?,
        };
        let positions = match inputs.position_ids {
            Some(positions) => self.sized("position_ids", positions, &whole, true)?,
            None => Tensor::arange(0, length as i64, ids.device())?.unsqueeze(0)?,
        };
        let mask = match inputs.attention_mask {
            Some(mask) => Some(self.mask(&self.sized("attention_mask", mask, &whole, false)?)?),
            None => None,
        };
        let x = self
            .word_embeddings
            .forward(ids)?
            .broadcast_add(&self.token_type_embeddings.forward(&types)?)?
            .broadcast_add(&self.position_embeddings.forward(&positions)?)?;
        let mut x = self.dropout.forward_t(&self.norm.forward(&x)?, train)?;
        for layer in &self.layers {
            x = layer.forward_t(&x, mask.as_ref(), train)?;
        }
        let pooler_output = match &self.pooler {
            None => None,
            Some(dense) => {
                let first = x.narrow(1, 0, 1)?.squeeze(1)?;
                Some(Activation::Tanh.forward(&dense.forward(&first)?)?)
            }
        };
        Ok(BertOutput {
            last_hidden_state: x,
            pooler_output,
        })
    }

    /// An input of integers that goes with ids of shape `[batch, length]`.
    fn sized(
        &self,
        argument: &'static str,
        x: &Tensor,
        whole: &[usize; 2],
        may_be_one_row: bool,
    ) -> Result<Tensor> {
        let [batch, length] = *whole;
        if x.dims() != whole && !(may_be_one_row && x.dims() == [1, length]) {
            let expected = format!("[batch = {batch}, length = {length}], as the ids");
            return Err(Error::shape(&self.path, argument, expected, x.dims()).into());
        }
        check::ids(&self.path, argument, x)?;
        Ok(x.clone())
    }

    fn mask(&self, kept: &Tensor) -> Result<Tensor> {
        let kept = kept.ne(&kept.zeros_like()?)?.unsqueeze(1)?.unsqueeze(1)?;
        let like = Tensor::zeros((), self.dtype, kept.device())?;
        mask::additive(&self.path, "attention_mask", &kept, One::Keeps, &like)
    }
}

const WORDS: &str = "embeddings.word_embeddings.weight";

/// A builder that finds a LayerNorm's `weight` and `bias` where an old checkpoint has its `gamma` and `beta`.
fn with_new_names<'a>(vb: &VarBuilder<'a>) -> VarBuilder<'a> {
    let is_old = ["embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.gamma"]
        .iter()
        .any(|name| vb.contains_tensor(name));
    if !is_old {
        return vb.clone();
    }
    renamed(vb, |name| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    })
}
