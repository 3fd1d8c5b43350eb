//! Models with the options, parameter names and initial values of Hugging Face's `transformers`.
//!
//! A checkpoint loads by name: build the model on a `VarBuilder` over the file, or on a store that the file is read into.
//! A base model takes a checkpoint of one with a head, and the other way round: the prefix (`bert.`, `vit.`, `transformer.`)
//! is found out where the builder already has the tensors.

mod bert;
mod gpt;
mod parts;
mod vit;

pub use bert::{Bert, BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs, BertOutput};
pub use gpt::{Gpt, GptConfig};
pub use vit::{Vit, VitConfig, VitForImageClassification, VitOutput};
