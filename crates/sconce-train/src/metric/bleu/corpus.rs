//! Counts of a whole corpus, and the score that they make.

use super::super::state;
use super::{Bleu, BleuConfig, BleuSmoothing, BleuTokenizer, NAME, ORDER, tokenize};
use candle_core::Tensor;
use sconce_core::Error;
use std::collections::HashMap;

/// BLEU over texts that come one by one, as [`bleu`](super::bleu) computes it.
///
/// # Errors
/// `new`: smoothing by a number that isn't positive and finite. `update`: no reference. `load_state`: the state of another
/// metric, or tensors that can't be its own; then nothing is changed.
///
/// # Source
/// As [`bleu`](super::bleu).
///
/// # Example
/// ```
/// use sconce_train::{BleuConfig, CorpusBleu};
/// let mut corpus = CorpusBleu::new(&BleuConfig { lowercase: true, ..BleuConfig::default() })?;
/// corpus.update("The dog bit the man.", &["the dog bit the man."])?;
/// let saved = corpus.state()?;
/// corpus.update("Nothing", &["Something else."])?;
/// assert!(corpus.bleu().score < 90.);
/// corpus.load_state(&saved)?;
/// assert!((corpus.bleu().score - 100.).abs() < 1e-9);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CorpusBleu {
    cfg: BleuConfig,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    texts: u64,
    hypothesis_length: u64,
    reference_length: u64,
    matches: [u64; ORDER],
    totals: [u64; ORDER],
}

impl CorpusBleu {
    /// One that has seen no text.
    ///
    /// # Errors
    /// See [`CorpusBleu`].
    pub fn new(cfg: &BleuConfig) -> crate::Result<Self> {
        if let BleuSmoothing::Floor(value) | BleuSmoothing::AddK(value) = cfg.smoothing
            && !(value > 0. && value.is_finite())
        {
            return Err(Error::config(NAME, "smoothing", value, "a positive number").into());
        }
        Ok(Self {
            cfg: *cfg,
            counts: Counts::default(),
        })
    }

    /// Takes in a text and its references.
    ///
    /// # Errors
    /// See [`CorpusBleu`].
    pub fn update<R: AsRef<str>>(&mut self, hypothesis: &str, references: &[R]) -> crate::Result<()> {
        let hypothesis = self.tokenized(hypothesis);
        let hypothesis: Vec<_> = tokenize::words(&hypothesis).collect();
        let references: Vec<_> = references.iter().map(|r| self.tokenized(r.as_ref())).collect();
        let references: Vec<Vec<_>> = references.iter().map(|r| tokenize::words(r).collect()).collect();
        let lengths = references.iter().map(Vec::len);
        let closest = lengths.min_by_key(|&length| (length.abs_diff(hypothesis.len()), length));
        let Some(closest) = closest else {
            let text = format!("bleu, text {}", self.counts.texts);
            return Err(Error::config(text, "number of references", 0, "at least 1").into());
        };
        self.counts.texts += 1;
        self.counts.hypothesis_length += hypothesis.len() as u64;
        self.counts.reference_length += closest as u64;
        let orders = self.counts.matches.iter_mut().zip(&mut self.counts.totals);
        for (i, (matches, totals)) in orders.enumerate() {
            let mut most: HashMap<&[&str], u64> = HashMap::new();
            for reference in &references {
                for (gram, count) in grams(reference, i + 1) {
                    let most = most.entry(gram).or_default();
                    *most = count.max(*most);
                }
            }
            for (gram, count) in grams(&hypothesis, i + 1) {
                *totals += count;
                *matches += most.get(gram).copied().unwrap_or(0).min(count);
            }
        }
        Ok(())
    }

    /// The score over all texts.
    pub fn bleu(&self) -> Bleu {
        let counts = &self.counts;
        let (length, wanted) = (counts.hypothesis_length as f64, counts.reference_length as f64);
        let brevity_penalty = match length {
            _ if length >= wanted => 1.,
            0. => 0.,
            _ => (1. - wanted / length).exp(),
        };
        let (precisions, order) = self.precisions();
        let logs: f64 = precisions.iter().take(order).map(|p| p.ln()).sum();
        let score = match counts.matches {
            _ if counts.texts == 0 => f64::NAN,
            [0, 0, 0, 0] => 0.,
            _ => brevity_penalty * (logs / order as f64).exp(),
        };
        Bleu {
            score,
            precisions,
            brevity_penalty,
            matches: counts.matches,
            totals: counts.totals,
            hypothesis_length: counts.hypothesis_length,
            reference_length: counts.reference_length,
        }
    }

    /// All that was seen, as a named tensor on the CPU.
    ///
    /// # Errors
    /// Those of candle when it makes a tensor.
    pub fn state(&self) -> crate::Result<Vec<(String, Tensor)>> {
        let Counts {
            texts,
            hypothesis_length,
            reference_length,
            matches,
            totals,
        } = self.counts;
        let first = [texts, hypothesis_length, reference_length, 0];
        let counts = state::from_counts([first, matches, totals].concat(), &[3, ORDER])?;
        Ok(state::named(NAME, [("counts", counts)]))
    }

    /// Goes on from where [`state`](CorpusBleu::state) was taken; what was seen before is forgotten.
    ///
    /// # Errors
    /// See [`CorpusBleu`].
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> crate::Result<()> {
        let [counts] = state::fields(NAME, ["counts"], state)?;
        let wrong = || Error::shape(NAME, "state", format!("[3, {ORDER}]"), counts.dims());
        if counts.dims() != [3, ORDER] {
            return Err(wrong().into());
        }
        let values = state::to_counts(NAME, counts)?;
        let (&[[texts, hypothesis_length, reference_length, _], matches, totals], _) = values.as_chunks()
        else {
            return Err(wrong().into());
        };
        self.counts = Counts {
            texts,
            hypothesis_length,
            reference_length,
            matches,
            totals,
        };
        Ok(())
    }

    /// White space at the end goes before all else, so that a line break there joins nothing.
    fn tokenized(&self, text: &str) -> String {
        let text = match self.cfg.lowercase {
            true => text.to_lowercase(),
            false => text.to_owned(),
        };
        let text = text.trim_end_matches(tokenize::is_space);
        match self.cfg.tokenizer {
            BleuTokenizer::V13a => tokenize::tokenize_13a(text),
            BleuTokenizer::None => text.to_owned(),
        }
    }

    /// Each order's precision in percent, and how many orders count.
    fn precisions(&self) -> ([f64; ORDER], usize) {
        let mut precisions = [0.; ORDER];
        let mut order = ORDER;
        if self.counts.matches == [0; ORDER] {
            return (precisions, order);
        }
        let mut halved = 1.;
        let counts = self.counts.matches.iter().zip(&self.counts.totals);
        for (i, (precision, (&matches, &totals))) in precisions.iter_mut().zip(counts).enumerate() {
            let added = match self.cfg.smoothing {
                BleuSmoothing::AddK(k) if i > 0 => k,
                _ => 0.,
            };
            let (matches, totals) = (matches as f64 + added, totals as f64 + added);
            if totals == 0. {
                break;
            }
            if self.cfg.effective_order {
                order = i + 1;
            }
            let matches = match (matches, self.cfg.smoothing) {
                (0., BleuSmoothing::Exp) => {
                    halved /= 2.;
                    halved
                }
                (0., BleuSmoothing::Floor(floor)) => floor,
                (matches, _) => matches,
            };
            *precision = 100. * matches / totals;
        }
        (precisions, order)
    }
}

/// How often each sequence of n tokens stands in a text.
fn grams<'a, 'b>(tokens: &'a [&'b str], n: usize) -> HashMap<&'a [&'b str], u64> {
    let mut grams = HashMap::new();
    for gram in tokens.windows(n) {
        *grams.entry(gram).or_default() += 1;
    }
    grams
}
