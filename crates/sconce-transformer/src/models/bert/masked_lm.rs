//! BERT with the head that guesses masked tokens.

use super::{Bert, BertConfig, BertInputs, WORDS, with_new_names};
use crate::models::parts::{base, linear, norm, normal};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, Param, param};
use sconce_nn::{Activation, LayerNorm, Linear};

/// [`Bert`] without pooler, and for each position the scores of all tokens: its hidden state through a linear layer, the
/// activation and a normalisation, times the vectors of the tokens (the word embeddings themselves), plus a bias.
///
/// # Shapes
/// ids `[batch, length]`; logits `[batch, length, vocab_size]`
/// # Parameters
/// `bert.*`: those of [`Bert`] without `pooler`; `cls.predictions.transform.{dense,LayerNorm}.{weight,bias}`;
/// `cls.predictions.bias`: `[vocab_size]`
/// # Errors
/// Those of [`Bert`].
/// # Source
/// `transformers.BertForMaskedLM`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::models::{BertConfig, BertForMaskedLm, BertInputs};
/// let cfg = BertConfig { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, ..BertConfig::new(11) };
/// let bert = BertForMaskedLm::new(&cfg, ParamStore::new(DType::F32, &Device::Cpu).builder())?;
/// let ids = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// assert_eq!(bert.forward_t(&ids, &BertInputs::default(), false)?.dims(), [1, 3, 11]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BertForMaskedLm {
    bert: Bert,
    dense: Linear,
    activation: Activation,
    norm: LayerNorm,
    /// The word embeddings: the same tensor as the table's, so that both uses train it.
    decoder: Param,
    bias: Param,
}

impl BertForMaskedLm {
    /// The model whose parameters stand at `vb`.
    pub fn new(cfg: &BertConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let vb = with_new_names(&vb);
        let inner = base(&vb, "bert", WORDS, true);
        let bert = Bert::within(cfg, false, inner.clone())?;
        let (width, std) = (cfg.hidden_size, cfg.initializer_range);
        let head = vb.pp("cls").pp("predictions");
        let transform = head.pp("transform");
        let words = inner.pp("embeddings").pp("word_embeddings");
        Ok(Self {
            bert,
            dense: linear(transform.pp("dense"), width, width, true, std)?,
            activation: cfg.hidden_act,
            norm: norm(transform.pp("LayerNorm"), width, cfg.layer_norm_eps)?,
            decoder: param(&words, (cfg.vocab_size, width), "weight", &normal(std))?,
            bias: param(&head, cfg.vocab_size, "bias", &Init::Const(0.))?,
        })
    }

    /// The scores of all tokens at each position.
    ///
    /// # Errors
    /// See the model's own.
    pub fn forward_t(&self, ids: &Tensor, inputs: &BertInputs<'_>, train: bool) -> Result<Tensor> {
        let hidden = self.bert.forward_t(ids, inputs, train)?.last_hidden_state;
        let hidden = self.activation.forward(&self.dense.forward(&hidden)?)?;
        let hidden = self.norm.forward(&hidden)?;
        sconce_nn::linear(&hidden, &self.decoder.tensor(), Some(&self.bias.tensor()))
    }

    /// The model below the head.
    pub fn bert(&self) -> &Bert {
        &self.bert
    }
}
