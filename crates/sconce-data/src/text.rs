//! Text as token numbers: the [`tokenizers`] crate behind a small face, with candle's tensors.
//!
//! A `tokenizer.json` of Hugging Face is loaded as it is; BPE and WordPiece are trained from texts. Needs the feature
//! `text`, which is on by default.

#[cfg(test)]
mod tests;
mod train;

use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sconce_core::io::write_atomically;
use std::path::Path;
use tokenizers::{
    Encoding, PaddingDirection, PaddingParams, PostProcessor, TruncationDirection, TruncationParams,
};
pub use train::TrainConfig;

/// Turns text into token numbers and back.
///
/// # Errors
/// `from_file`: the file can't be read or is no `tokenizer.json`. Training: see [`TrainConfig`].
///
/// # Source
/// Sennrich et al., "Neural machine translation of rare words with subword units", 2016 (BPE); Schuster and Nakajima,
/// "Japanese and Korean voice search", 2012 (WordPiece); the `tokenizers` crate of Hugging Face
///
/// # Example
/// ```
/// use sconce_data::text::{EncodeConfig, Tokenizer, TrainConfig};
/// let corpus = ["the cat sat on the mat", "the dog sat on the log"];
/// let tokenizer = Tokenizer::train_bpe(corpus, &TrainConfig::new(300))?;
/// let batch = tokenizer.encode_batch(&["the cat", "the dog on the mat"], &EncodeConfig::default())?;
/// assert_eq!(batch.ids.dims(), batch.mask.dims());
/// assert_eq!(tokenizer.decode_batch(&batch.ids, true)?, ["the cat", "the dog on the mat"]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Without padding and truncation, which are done here and by the call.
    inner: tokenizers::Tokenizer,
    padding: Option<PaddingParams>,
    truncation: Option<TruncationParams>,
}

/// Options of [`Tokenizer::encode_batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeConfig {
    /// Cut texts to so many tokens, those that are added to them included. What a `tokenizer.json` says of its own isn't
    /// heeded.
    pub max_length: Option<usize>,
    /// Add what the tokenizer adds to a text, such as `[CLS]` and `[SEP]`.
    pub add_special_tokens: bool,
    /// The token that fills up shorter texts. `None` is what the `tokenizer.json` names, or else `[PAD]` or `<pad>`.
    pub pad_token: Option<String>,
}

impl Default for EncodeConfig {
    /// Whole texts, with special tokens, filled up with the tokenizer's own padding.
    fn default() -> Self {
        Self {
            max_length: None,
            add_special_tokens: true,
            pad_token: None,
        }
    }
}

/// A batch of texts, as long as the longest.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Token numbers: `[batch, length]`, `u32`, on the CPU.
    pub ids: Tensor,
    /// What to attend to: `[batch, length]`, `u8`, 1 for tokens and 0 for padding.
    pub mask: Tensor,
}

impl Tokenizer {
    /// Loads a `tokenizer.json`.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let error = |problem: String| Error::file(&path.display().to_string(), problem);
        let bytes = std::fs::read(path).map_err(|problem| error(problem.to_string()))?;
        let inner = parse(&bytes)
            .map_err(|problem| error(format!("not a tokenizer.json that can be read ({problem})")))?;
        Self::of(inner)
    }

    fn of(mut inner: tokenizers::Tokenizer) -> Result<Self> {
        let (padding, truncation) = (inner.get_padding().cloned(), inner.get_truncation().cloned());
        inner.with_padding(None).with_truncation(None).map_err(problem)?;
        Ok(Self {
            inner,
            padding,
            truncation,
        })
    }

    /// Writes a `tokenizer.json`: whole or not at all.
    ///
    /// # Errors
    /// The folder can't be written to.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut whole = self.inner.clone();
        whole
            .with_padding(self.padding.clone())
            .with_truncation(self.truncation.clone())
            .map_err(problem)?;
        let text = whole.to_string(true).map_err(problem)?;
        Ok(write_atomically(path, text.as_bytes())?)
    }

    /// The token numbers of one text.
    ///
    /// # Errors
    /// The tokenizer has no token for some of the text, and none for what is unknown.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, add_special_tokens).map_err(problem)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The token numbers of texts, filled up to the longest of them, and which of them are padding.
    ///
    /// # Errors
    /// There are no texts; `max_length` leaves no room for a token; texts of different lengths need padding, and there is no
    /// such token; those of [`encode`](Self::encode).
    pub fn encode_batch(&self, texts: &[impl AsRef<str> + Sync], cfg: &EncodeConfig) -> Result<Encoded> {
        if texts.is_empty() {
            return Err(Error::config("texts", "empty", "at least one"));
        }
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let encodings = match cfg.max_length {
            None => self
                .inner
                .encode_batch(texts, cfg.add_special_tokens)
                .map_err(problem)?,
            Some(most) => self.truncated(texts, most, cfg.add_special_tokens)?,
        };
        let rows: Vec<&[u32]> = encodings.iter().map(Encoding::get_ids).collect();
        let length = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let pad = match rows.iter().any(|row| row.len() < length) {
            true => self.pad_id(cfg)?,
            false => 0,
        };
        let is_left = self
            .padding
            .as_ref()
            .is_some_and(|padding| matches!(padding.direction, PaddingDirection::Left));
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for row in &rows {
            let missing = length - row.len();
            let (before, after) = if is_left { (missing, 0) } else { (0, missing) };
            ids.extend(std::iter::repeat_n(pad, before));
            ids.extend_from_slice(row);
            ids.extend(std::iter::repeat_n(pad, after));
            mask.extend(std::iter::repeat_n(0u8, before));
            mask.extend(std::iter::repeat_n(1u8, row.len()));
            mask.extend(std::iter::repeat_n(0u8, after));
        }
        let dims = (rows.len(), length);
        Ok(Encoded {
            ids: Tensor::from_vec(ids, dims, &Device::Cpu)?,
            mask: Tensor::from_vec(mask, dims, &Device::Cpu)?,
        })
    }

    /// Texts cut to so many tokens, those that are added to them included.
    fn truncated(&self, texts: Vec<&str>, most: usize, add_special_tokens: bool) -> Result<Vec<Encoding>> {
        let added = match self.inner.get_post_processor() {
            Some(processor) if add_special_tokens => processor.added_tokens(false),
            _ => 0,
        };
        let Some(room) = most.checked_sub(added).filter(|&room| room > 0) else {
            let expected = format!("at least {}, since {added} tokens are added to a text", added + 1);
            return Err(Error::config("max_length", most, expected));
        };
        let direction = self
            .truncation
            .as_ref()
            .map_or(TruncationDirection::Right, |own| own.direction);
        let mut inner = self.inner.encode_batch(texts, false).map_err(problem)?;
        inner
            .iter_mut()
            .for_each(|encoding| encoding.truncate(room, 0, direction));
        let with_added = |encoding| self.inner.post_process(encoding, None, add_special_tokens);
        inner
            .into_iter()
            .map(with_added)
            .collect::<tokenizers::Result<_>>()
            .map_err(problem)
    }

    fn pad_id(&self, cfg: &EncodeConfig) -> Result<u32> {
        if let Some(token) = &cfg.pad_token {
            let id = self.token_to_id(token);
            return id.ok_or_else(|| {
                Error::config(
                    "pad_token",
                    format!("{token:?}"),
                    "a token that the tokenizer has",
                )
            });
        }
        let own = self.padding.as_ref().map(|padding| padding.pad_id);
        let known = || {
            ["[PAD]", "<pad>"]
                .into_iter()
                .find_map(|token| self.token_to_id(token))
        };
        own.or_else(known).ok_or_else(|| {
            let expected = "the name of one, for the tokenizer names none and the texts differ in length";
            Error::config("pad_token", "None", expected)
        })
    }

    /// The text of token numbers, with or without the special tokens among them.
    ///
    /// # Errors
    /// The tokenizer's decoder fails. Numbers that are no token's are left out.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        self.inner.decode(ids, skip_special_tokens).map_err(problem)
    }

    /// The texts of a batch of token numbers, `[batch, length]`, `u32`.
    ///
    /// # Errors
    /// The tensor is of another shape or type; those of [`decode`](Self::decode).
    pub fn decode_batch(&self, ids: &Tensor, skip_special_tokens: bool) -> Result<Vec<String>> {
        let rows = ids.to_vec2::<u32>()?;
        rows.iter()
            .map(|row| self.decode(row, skip_special_tokens))
            .collect()
    }

    /// A token's number, if there is such a token.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of a number, if there is one.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The rows that an embedding needs: one more than the largest token number, added tokens included. That is how many
    /// tokens there are, unless their numbers have gaps.
    pub fn vocab_size(&self) -> usize {
        let largest = self.inner.get_vocab(true).into_values().max();
        largest.map_or(0, |id| (id as usize).saturating_add(1))
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<tokenizers::Tokenizer, String> {
    // The crate panics where a part of it that has other names in old files isn't JSON, so that is asked first; what else
    // may be wrong with such a part comes back as an error, or else ends here.
    serde_json::from_slice::<serde_json::Value>(bytes).map_err(|error| error.to_string())?;
    match std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(bytes)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("a part of it isn't what its type says".into()),
    }
}

/// An error of the tokenizers crate.
fn problem(error: tokenizers::Error) -> Error {
    Error::Text {
        problem: error.to_string(),
    }
}
