//! BLEU.

mod corpus;
mod tokenize;

pub use corpus::CorpusBleu;
pub use tokenize::tokenize_13a;

use sconce_core::Error;

const NAME: &str = "bleu";
/// The longest n-grams.
const ORDER: usize = 4;

/// What becomes of an n-gram order without a match, whose logarithm would be −∞.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BleuSmoothing {
    /// The score is 0.
    None,
    /// This many matches are counted in its place: Chen and Cherry's method 1.
    Floor(f64),
    /// From order 2 on, this is added to all matches and to all n-grams: their method 2.
    AddK(f64),
    /// Half a match, of the next such order a quarter, and so on: their method 3.
    Exp,
}

/// What splits a text into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BleuTokenizer {
    /// [`tokenize_13a`], that of the WMT evaluations.
    V13a,
    /// White space alone, for texts that are tokens already.
    None,
}

/// Options of [`CorpusBleu`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BleuConfig {
    /// What splits a text into tokens.
    pub tokenizer: BleuTokenizer,
    /// Whether upper and lower case are the same.
    pub lowercase: bool,
    /// What becomes of an order without a match.
    pub smoothing: BleuSmoothing,
    /// Whether orders for which the hypotheses are too short are left out, as is advised for single sentences.
    pub effective_order: bool,
}

impl Default for BleuConfig {
    /// sacreBLEU's: `case:mixed|eff:no|tok:13a|smooth:exp`.
    fn default() -> Self {
        Self {
            tokenizer: BleuTokenizer::V13a,
            lowercase: false,
            smoothing: BleuSmoothing::Exp,
            effective_order: false,
        }
    }
}

/// A BLEU score and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bleu {
    /// From 0 to 100; NaN of no text at all.
    pub score: f64,
    /// Of n-grams of one to four tokens in the hypotheses, the share that a reference has, in percent, smoothed; 0 where nothing
    /// matches at all.
    pub precisions: [f64; 4],
    /// What the score is multiplied by because the hypotheses are shorter than the references.
    pub brevity_penalty: f64,
    /// N-grams of the hypotheses that a reference has.
    pub matches: [u64; 4],
    /// N-grams of the hypotheses.
    pub totals: [u64; 4],
    /// Tokens of the hypotheses.
    pub hypothesis_length: u64,
    /// Tokens of the references, of each text's the one whose length is closest; of two as close, the shorter.
    pub reference_length: u64,
}

/// How close translations are to those of people: the geometric mean of their n-gram precisions over all texts, less what they
/// are too short. Each text may have several references.
///
/// It is sacreBLEU's corpus BLEU with its defaults: 13a tokens, exponential smoothing, mixed case. Other options has
/// [`CorpusBleu`]. References are given text by text (sacreBLEU takes them the other way, a list of whole translations).
///
/// # Errors
/// Not as many lists of references as texts; a text without a reference.
///
/// # Source
/// Papineni, Roukos, Ward and Zhu, "BLEU: a method for automatic evaluation of machine translation", 2002; Post, "A call for
/// clarity in reporting BLEU scores", 2018; `sacrebleu.corpus_bleu`
///
/// # Example
/// ```
/// use sconce_train::bleu;
/// let hypotheses = ["The dog bit the man.", "It wasn't surprising."];
/// let references = [
///     vec!["The dog bit the man.", "The dog had bit the man."],
///     vec!["It was not unexpected.", "No one was surprised."],
/// ];
/// let bleu = bleu(&hypotheses, &references)?;
/// assert!((bleu.score - 63.98166741645535).abs() < 1e-9);
/// assert_eq!((bleu.matches, bleu.totals), ([8, 5, 4, 3], [10, 8, 6, 4]));
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub fn bleu<H: AsRef<str>, R: AsRef<str>>(hypotheses: &[H], references: &[Vec<R>]) -> crate::Result<Bleu> {
    if hypotheses.len() != references.len() {
        let expected = format!("{}, one list for each hypothesis", hypotheses.len());
        return Err(Error::config(NAME, "number of references", references.len(), expected).into());
    }
    let mut corpus = CorpusBleu::new(&BleuConfig::default())?;
    for (hypothesis, references) in hypotheses.iter().zip(references) {
        corpus.update(hypothesis.as_ref(), references)?;
    }
    Ok(corpus.bleu())
}
