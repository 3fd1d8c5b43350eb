//! GPT: a decoder that predicts the next token.

mod layer;
#[cfg(test)]
mod tests;

use super::parts::{base, norm, normal};
use crate::{KvCache, check};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use layer::GptLayer;
use sconce_core::{Error, Param, layer_path, param};
use sconce_nn::{Activation, Dropout, Embedding, EmbeddingConfig, LayerNorm};

/// Options of [`Gpt`]; the defaults are those of `GPT2Config`, the smallest GPT-2.
#[derive(Debug, Clone, PartialEq)]
pub struct GptConfig {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Longest sequence.
    pub n_positions: usize,
    /// Width of the model.
    pub n_embd: usize,
    /// Number of layers.
    pub n_layer: usize,
    /// Number of attention heads.
    pub n_head: usize,
    /// Width between the two linear layers of a layer; four times `n_embd` if `None`.
    pub n_inner: Option<usize>,
    /// Between these two.
    pub activation_function: Activation,
    /// Probability with which what is added to the residual is dropped.
    pub resid_pdrop: f64,
    /// The same of the embeddings.
    pub embd_pdrop: f64,
    /// The same of the attention weights.
    pub attn_pdrop: f64,
    /// Added to the variance in normalisations.
    pub layer_norm_epsilon: f64,
    /// Standard deviation of new weights; those that end a residual branch have it divided by √(2 · n_layer).
    pub initializer_range: f64,
    /// Whether the tokens' vectors score the tokens too; else `lm_head.weight` does.
    pub tie_word_embeddings: bool,
}

impl GptConfig {
    /// The smallest GPT-2 for a vocabulary of this size.
    pub fn new(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: Activation::GeluTanh,
            resid_pdrop: 0.1,
            embd_pdrop: 0.1,
            attn_pdrop: 0.1,
            layer_norm_epsilon: 1e-5,
            initializer_range: 0.02,
            tie_word_embeddings: true,
        }
    }
}

/// Embeddings of token and position, decoder layers with causal self-attention and normalisation first, a last normalisation,
/// and for each position the scores of the token that follows.
///
/// # Shapes
/// ids `[batch, length]`; logits `[batch, length, vocab_size]`
/// # Parameters
/// `transformer.wte.weight`: `[vocab_size, n_embd]`; `transformer.wpe.weight`: `[n_positions, n_embd]`;
/// `transformer.h.{i}.{ln_1,ln_2}`, `transformer.ln_f`, with `weight` and `bias`; `transformer.h.{i}.attn.c_attn`,
/// `transformer.h.{i}.attn.c_proj`, `transformer.h.{i}.mlp.c_fc`, `transformer.h.{i}.mlp.c_proj` with `bias` and a `weight` of shape
/// `[in, out]`; `lm_head.weight`: `[vocab_size, n_embd]`, unless `tie_word_embeddings`. Checkpoints without `transformer.` load too.
/// # Errors
/// `new`: a size is 0, `n_embd` isn't a multiple of `n_head`, a probability isn't one. `forward_t`, `step`: ids out of range, a
/// sequence longer than `n_positions`.
/// # Source
/// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; `transformers.GPT2LMHeadModel`
/// # Example
/// ```
/// use sconce_core::{ParamStore, backward, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_transformer::models::{Gpt, GptConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let gpt = Gpt::new(&GptConfig { n_layer: 2, n_head: 2, n_embd: 8, n_positions: 3, ..GptConfig::new(11) }, store.builder())?;
/// let ids = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let logits = gpt.forward_t(&ids, true)?;
/// assert_eq!(logits.dims(), [1, 3, 11]);
/// assert!(backward(&logits.sqr()?.sum_all()?, &store)?.missing().is_empty());
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gpt {
    wte: Embedding,
    wpe: Embedding,
    layers: Vec<GptLayer>,
    norm: LayerNorm,
    /// The tokens' vectors, or a matrix of its own.
    lm_head: Param,
    dropout: Dropout,
    n_positions: usize,
    path: String,
}

impl Gpt {
    /// The model whose parameters stand at `vb`.
    pub fn new(cfg: &GptConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Gpt");
        let width = cfg.n_embd;
        let inner = cfg.n_inner.unwrap_or(4 * width);
        let sizes = [
            ("vocab_size", cfg.vocab_size),
            ("n_positions", cfg.n_positions),
            ("n_inner", inner),
        ];
        check::heads(&path, ("n_embd", width), ("n_head", cfg.n_head))?;
        check::positive(&path, &sizes)?;
        let dropout = check::dropout(&path, "embd_pdrop", cfg.embd_pdrop)?;
        let std = cfg.initializer_range;
        let body = base(&vb, "transformer", "wte.weight", true);
        let table = |name, rows| {
            let cfg = EmbeddingConfig {
                weight_init: Some(normal(std)),
                ..EmbeddingConfig::new(rows, width)
            };
            Embedding::new(&cfg, body.pp(name))
        };
        let (wte, wpe) = (table("wte", cfg.vocab_size)?, table("wpe", cfg.n_positions)?);
        let head = if cfg.tie_word_embeddings {
            body.pp("wte")
        } else {
            vb.pp("lm_head")
        };
        Ok(Self {
            wte,
            wpe,
            layers: (0..cfg.n_layer)
                .map(|i| GptLayer::new(cfg, &path, body.pp("h").pp(i)))
                .collect::<sconce_core::Result<_>>()?,
            norm: norm(body.pp("ln_f"), width, cfg.layer_norm_epsilon)?,
            lm_head: param(&head, (cfg.vocab_size, width), "weight", &normal(std))?,
            dropout,
            n_positions: cfg.n_positions,
            path,
        })
    }

    /// An empty cache for [`step`](Self::step).
    pub fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    /// The next positions in evaluation, after those that the cache has: what `forward_t` gives for them within the whole
    /// sequence, at the cost of these alone.
    ///
    /// # Errors
    /// See the model's own; a cache of another model or batch.
    pub fn step(&self, ids: &Tensor, cache: &mut KvCache) -> Result<Tensor> {
        let before = cache.len();
        let caches = cache.for_layers(&self.path, self.layers.len())?;
        let mut x = self.embed(ids, before, false)?;
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.forward_t(&x, Some(&mut cache.own), false)?;
        }
        self.logits(&x)
    }

    fn embed(&self, ids: &Tensor, before: usize, train: bool) -> Result<Tensor> {
        let (_, length) = check::ids(&self.path, "ids", ids)?;
        if before + length > self.n_positions {
            let expected = format!(
                "[batch, length] with length at most {}, what n_positions = {} leaves",
                self.n_positions.saturating_sub(before),
                self.n_positions
            );
            return Err(Error::shape(&self.path, "ids", expected, ids.dims()).into());
        }
        let positions = Tensor::arange(before as i64, (before + length) as i64, ids.device())?;
        let x = self
            .wte
            .forward(ids)?
            .broadcast_add(&self.wpe.forward(&positions)?)?;
        self.dropout.forward_t(&x, train)
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        sconce_nn::linear(&self.norm.forward(x)?, &self.lm_head.tensor(), None)
    }
}

impl ModuleT for Gpt {
    fn forward_t(&self, ids: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.embed(ids, 0, train)?;
        for layer in &self.layers {
            x = layer.forward_t(&x, None, train)?;
        }
        self.logits(&x)
    }
}
