//! BERT with the head that classifies a sequence.

use super::{Bert, BertConfig, BertInputs, WORDS, with_new_names};
use crate::check;
use crate::models::parts::{base, linear};
use candle_core::{Error, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::layer_path;
use sconce_nn::{Dropout, Linear};

/// [`Bert`], and a linear layer on its pooled output, with dropout in between.
///
/// # Shapes
/// ids `[batch, length]`; logits `[batch, num_labels]`
/// # Parameters
/// `bert.*`: those of [`Bert`]; `classifier.weight`: `[num_labels, hidden_size]`; `classifier.bias`: `[num_labels]`
/// # Errors
/// Those of [`Bert`]; `num_labels` is 0, `classifier_dropout` isn't a probability.
/// # Source
/// `transformers.BertForSequenceClassification`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::models::{BertConfig, BertForSequenceClassification, BertInputs};
/// let cfg = BertConfig { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_labels: 3, ..BertConfig::new(11) };
/// let bert = BertForSequenceClassification::new(&cfg, ParamStore::new(DType::F32, &Device::Cpu).builder())?;
/// let ids = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// assert_eq!(bert.forward_t(&ids, &BertInputs::default(), false)?.dims(), [1, 3]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BertForSequenceClassification {
    bert: Bert,
    dropout: Dropout,
    classifier: Linear,
}

impl BertForSequenceClassification {
    /// The model whose parameters stand at `vb`.
    pub fn new(cfg: &BertConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let vb = with_new_names(&vb);
        let path = layer_path(&vb, "BertForSequenceClassification");
        check::positive(&path, &[("num_labels", cfg.num_labels)])?;
        let p = cfg.classifier_dropout.unwrap_or(cfg.hidden_dropout_prob);
        let dropout = check::dropout(&path, "classifier_dropout", p)?;
        let bert = Bert::within(cfg, true, base(&vb, "bert", WORDS, true))?;
        let (width, std) = (cfg.hidden_size, cfg.initializer_range);
        Ok(Self {
            bert,
            dropout,
            classifier: linear(vb.pp("classifier"), width, cfg.num_labels, true, std)?,
        })
    }

    /// The scores of all classes.
    ///
    /// # Errors
    /// See the model's own.
    pub fn forward_t(&self, ids: &Tensor, inputs: &BertInputs<'_>, train: bool) -> Result<Tensor> {
        let pooled = self.bert.forward_t(ids, inputs, train)?.pooler_output;
        let pooled = pooled.ok_or_else(|| Error::Msg("a BERT with pooler gave no pooled output".into()))?;
        self.classifier.forward(&self.dropout.forward_t(&pooled, train)?)
    }

    /// The model below the head.
    pub fn bert(&self) -> &Bert {
        &self.bert
    }
}
