//! Training tokenizers.

use super::{Tokenizer, problem};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::{bert::BertPreTokenizer, byte_level::ByteLevel};
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

/// How many bytes there are, each of which byte-level BPE has as a token.
const BYTES: usize = 256;
/// What WordPiece's tokens begin with that don't begin a word.
const PREFIX: &str = "##";
/// Far more tokens than any tokenizer has; the crate makes room for as many as it is told to.
const MOST_TOKENS: usize = 1 << 22;
const BPE_SPECIAL: [&str; 1] = ["<pad>"];
const WORDPIECE_SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Options of [`Tokenizer::train_bpe`] and [`Tokenizer::train_wordpiece`].
///
/// # Errors
/// Training fails if no text has anything in it, if the characters alone are more than `vocab_size`, or if that is above 2²².
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainConfig {
    /// How many tokens there are at most, all included.
    pub vocab_size: usize,
    /// How often a pair has to occur to become a token.
    pub min_frequency: u64,
    /// Tokens of one's own that are never split, such as `<|endoftext|>`; they stand after the usual ones.
    pub special_tokens: Vec<String>,
}

impl TrainConfig {
    /// A size; pairs occur twice at least, and there are no special tokens but the usual ones.
    pub fn new(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            min_frequency: 2,
            special_tokens: Vec::new(),
        }
    }

    fn check_size(&self) -> Result<()> {
        match self.vocab_size <= MOST_TOKENS {
            true => Ok(()),
            false => {
                let expected = format!("at most {MOST_TOKENS}");
                Err(Error::config("vocab_size", self.vocab_size, expected))
            }
        }
    }

    /// All special tokens, the usual ones first.
    fn special(&self, usual: &[&str]) -> Vec<AddedToken> {
        let usual = usual.iter().map(ToString::to_string);
        let all = usual.chain(self.special_tokens.iter().cloned());
        all.map(|token| AddedToken::from(token, true)).collect()
    }
}

impl Tokenizer {
    /// Trains byte-level BPE, as GPT-2 has it, from texts; the same texts give the same tokenizer.
    ///
    /// Every byte is a token, so nothing is unknown and decoding gives every text back as it was. `<pad>` is token 0.
    ///
    /// # Errors
    /// See [`TrainConfig`].
    pub fn train_bpe<S: AsRef<str> + Send>(
        texts: impl IntoIterator<Item = S, IntoIter: Send>,
        cfg: &TrainConfig,
    ) -> Result<Self> {
        cfg.check_size()?;
        let special = cfg.special(&BPE_SPECIAL);
        if cfg.vocab_size < BYTES + special.len() {
            let expected = format!("at least {BYTES} bytes and {} special tokens", special.len());
            return Err(Error::config("vocab_size", cfg.vocab_size, expected));
        }
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        let bytes = ByteLevel::default().add_prefix_space(false);
        inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));
        let trainer = BpeTrainer::builder()
            .vocab_size(cfg.vocab_size)
            .min_frequency(cfg.min_frequency)
            .show_progress(false)
            .special_tokens(special)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let has_text = AtomicBool::new(false);
        let texts = texts.into_iter().inspect(|text| {
            if !text.as_ref().trim().is_empty() {
                has_text.store(true, Ordering::Relaxed);
            }
        });
        inner
            .train(&mut TrainerWrapper::from(trainer), texts)
            .map_err(problem)?;
        match has_text.into_inner() {
            true => checked(inner, cfg),
            false => Err(no_text()),
        }
    }

    /// Trains WordPiece, as BERT (uncased) has it, from texts; the same texts give the same tokenizer.
    ///
    /// Texts are cleaned, in lower case, without accents, split at spaces and punctuation. `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`
    /// and `[MASK]` are tokens 0 to 4; a text is encoded as `[CLS] … [SEP]`.
    ///
    /// # Errors
    /// See [`TrainConfig`].
    pub fn train_wordpiece<S: AsRef<str> + Send>(
        texts: impl IntoIterator<Item = S, IntoIter: Send>,
        cfg: &TrainConfig,
    ) -> Result<Self> {
        cfg.check_size()?;
        let (normalizer, splitter) = (BertNormalizer::default(), BertPreTokenizer);
        let mut words = BTreeMap::<String, u64>::new();
        for text in texts {
            let mut text = NormalizedString::from(text.as_ref());
            normalizer.normalize(&mut text).map_err(problem)?;
            let mut text = PreTokenizedString::from(text);
            splitter.pre_tokenize(&mut text).map_err(problem)?;
            for (word, ..) in text.get_splits(OffsetReferential::Original, OffsetType::Byte) {
                *words.entry(word.to_string()).or_default() += 1;
            }
        }
        if words.is_empty() {
            return Err(no_text());
        }
        // The crate's own trainer numbers what begins with ## in the order of a randomly seeded hash table, and breaks ties
        // by number: no two runs agree. So such tokens are numbered here, as if they were special.
        let inside: BTreeSet<char> = words.keys().flat_map(|word| word.chars().skip(1)).collect();
        let special = cfg.special(&WORDPIECE_SPECIAL);
        let numbered = inside
            .into_iter()
            .map(|c| AddedToken::from(format!("{PREFIX}{c}"), false));
        let trainer = BpeTrainer::builder()
            .vocab_size(cfg.vocab_size)
            .min_frequency(cfg.min_frequency)
            .show_progress(false)
            .continuing_subword_prefix(PREFIX.into())
            .special_tokens(special.iter().cloned().chain(numbered).collect())
            .build();
        let words = words.into_iter().map(|(word, count)| (word.into(), count));
        let mut pairs = BPE::default();
        trainer.do_train(&words.collect(), &mut pairs).map_err(problem)?;
        let mut inner = tokenizers::Tokenizer::new(WordPiece::from_bpe(&pairs));
        inner.with_normalizer(Some(normalizer)).map_err(problem)?;
        // Special tokens come first, in their order.
        let added = BertProcessing::new(("[SEP]".into(), 3), ("[CLS]".into(), 2));
        inner
            .with_pre_tokenizer(Some(splitter))
            .with_decoder(Some(WordPieceDecoder::default()))
            .with_post_processor(Some(added));
        inner.add_special_tokens(special).map_err(problem)?;
        checked(inner, cfg)
    }
}

fn no_text() -> Error {
    Error::config("texts", "without any text", "something to train on")
}

/// A tokenizer that has no more tokens than were asked for.
fn checked(inner: tokenizers::Tokenizer, cfg: &TrainConfig) -> Result<Tokenizer> {
    let size = inner.get_vocab_size(true);
    if size > cfg.vocab_size {
        let expected = format!("at least {size}, the special tokens and the texts' characters");
        return Err(Error::config("vocab_size", cfg.vocab_size, expected));
    }
    Tokenizer::of(inner)
}
