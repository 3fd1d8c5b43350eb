//! Beam search.

use super::logits::{Logits, log_softmax};
use super::{DecodeConfig, Rows};
use candle_core::Tensor;
use sconce_core::{Error, Result, no_grad};

/// Options of [`beam_search`]; the defaults are those of Hugging Face's `generate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeamConfig {
    /// How many unfinished sequences are kept for each prompt.
    pub num_beams: usize,
    /// How many of the best hypotheses are given for each prompt, at most `num_beams`.
    pub num_return_sequences: usize,
    /// α of the score log p / lengthᵅ, where the length counts the tokens after the prompt: 0 takes probabilities as they are
    /// and so prefers short sequences, above 1 prefers long ones.
    pub length_penalty: f64,
    /// Whether a prompt's search ends as soon as it has `num_beams` finished hypotheses; else it goes on until no unfinished
    /// one can still become better than the worst of them.
    pub early_stopping: bool,
    /// When a sequence ends.
    pub decode: DecodeConfig,
}

impl BeamConfig {
    /// One hypothesis for each prompt, scored by its mean log-probability.
    pub fn new(num_beams: usize, decode: DecodeConfig) -> Self {
        Self {
            num_beams,
            num_return_sequences: 1,
            length_penalty: 1.,
            early_stopping: false,
            decode,
        }
    }

    fn check(&self) -> Result<()> {
        let error = |field, value: String, expected: String| {
            Err(Error::config("beam_search", field, value, expected))
        };
        if self.num_beams == 0 {
            return error("num_beams", "0".into(), "at least 1".into());
        }
        if !(1..=self.num_beams).contains(&self.num_return_sequences) {
            let expected = format!("from 1 to num_beams = {}", self.num_beams);
            return error(
                "num_return_sequences",
                self.num_return_sequences.to_string(),
                expected,
            );
        }
        if !self.length_penalty.is_finite() {
            return error(
                "length_penalty",
                self.length_penalty.to_string(),
                "a finite number".into(),
            );
        }
        Ok(())
    }

    fn score(&self, log_prob: f64, length: usize) -> f64 {
        // The empty sequence's probability is 1, whatever it is divided by.
        if length == 0 {
            return log_prob;
        }
        log_prob / (length as f64).powf(self.length_penalty)
    }

    /// The best score that a sequence of this probability and length can end with: its probability can only shrink.
    fn bound(&self, log_prob: f64, length: usize) -> f64 {
        let next = self.score(log_prob, length + 1);
        next.max(self.score(log_prob, self.decode.max_new_tokens))
    }
}

/// A sequence that [`beam_search`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// What follows the prompt, up to and with the end token if it was reached.
    pub tokens: Vec<u32>,
    /// The logarithm of its probability.
    pub log_prob: f64,
    /// `log_prob` / lengthᵅ, by which hypotheses are ranked.
    pub score: f64,
    /// Whether it ends with the end token; else the number of tokens ran out.
    pub finished: bool,
}

/// The best sequences after each prompt, best first, among those that a search of limited width sees.
///
/// Each step extends all of a prompt's unfinished sequences by every token and keeps the `num_beams` likeliest. An extension by
/// the end token that is among the `num_beams` best is set aside as a hypothesis; those still unfinished after `max_new_tokens`
/// become hypotheses too. With at least as many beams as there are sequences, the result is the best of them all. Among equals,
/// the earlier beam and the smaller token come first. A token with logit −∞ is never taken, so a prompt may end with fewer
/// hypotheses than were asked for.
///
/// # Errors
/// `num_beams` is 0, `num_return_sequences` isn't from 1 to `num_beams`, `length_penalty` isn't finite; the step function's own;
/// logits that aren't `[rows, vocabulary]`, or hold NaN or +∞; an `eos` outside the vocabulary.
/// # Source
/// Graves, "Sequence Transduction with Recurrent Neural Networks", 2012; scores and stopping as in Hugging Face's `generate`,
/// but with an exact bound in place of its heuristic
/// # Example
/// See the [module](super).
pub fn beam_search(
    prompts: &[Vec<u32>],
    cfg: &BeamConfig,
    mut step: impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
) -> Result<Vec<Vec<Hypothesis>>> {
    cfg.check()?;
    no_grad(|| search(prompts, cfg, &mut step))
}

/// An unfinished sequence.
struct Beam {
    /// The prompt and what follows.
    sequence: Vec<u32>,
    log_prob: f64,
    /// Its row in the last call of the step function.
    row: usize,
}

/// One prompt's search.
struct Search {
    prompt_length: usize,
    /// Best first, all of one length.
    beams: Vec<Beam>,
    /// Best first, at most `num_beams`.
    hypotheses: Vec<Hypothesis>,
}

fn search(
    prompts: &[Vec<u32>],
    cfg: &BeamConfig,
    step: &mut impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
) -> Result<Vec<Vec<Hypothesis>>> {
    let mut searches: Vec<Search> = prompts
        .iter()
        .enumerate()
        .map(|(row, prompt)| Search {
            prompt_length: prompt.len(),
            beams: vec![Beam {
                sequence: prompt.clone(),
                log_prob: 0.,
                row,
            }],
            hypotheses: Vec::new(),
        })
        .collect();
    for _ in 0..cfg.decode.max_new_tokens {
        let (mut sequences, mut numbers, mut parents) = (Vec::new(), Vec::new(), Vec::new());
        for (number, search) in searches.iter_mut().enumerate() {
            for beam in &mut search.beams {
                sequences.push(beam.sequence.clone());
                numbers.push(number);
                parents.push(beam.row);
                beam.row = parents.len() - 1;
            }
        }
        if sequences.is_empty() {
            break;
        }
        let rows = Rows {
            sequences: &sequences,
            prompts: &numbers,
            parents: &parents,
        };
        let logits = Logits::of("beam_search", &rows, cfg.decode.eos, step)?;
        let mut rows = logits.rows();
        for search in &mut searches {
            let own = rows.by_ref().take(search.beams.len()).map(log_softmax).collect();
            search.extend(own, cfg);
        }
    }
    Ok(searches.into_iter().map(|search| search.finish(cfg)).collect())
}

impl Search {
    /// One token more for every beam, of the given log-probabilities.
    fn extend(&mut self, log_probs: Vec<Vec<f64>>, cfg: &BeamConfig) {
        let mut candidates = Vec::new();
        for (beam, (parent, log_probs)) in self.beams.iter().zip(&log_probs).enumerate() {
            for (token, log_prob) in log_probs.iter().enumerate() {
                if *log_prob > f64::NEG_INFINITY {
                    candidates.push((parent.log_prob + log_prob, beam, token as u32));
                }
            }
        }
        // Each beam ends in one way, so this many hold enough that go on.
        let enough = cfg.num_beams.saturating_add(self.beams.len());
        let best_first = |a: &(f64, usize, u32), b: &(f64, usize, u32)| {
            b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
        };
        if enough < candidates.len() {
            candidates.select_nth_unstable_by(enough, best_first);
            candidates.truncate(enough);
        }
        candidates.sort_unstable_by(best_first);
        let mut beams = Vec::new();
        for (rank, (log_prob, beam, token)) in candidates.into_iter().enumerate() {
            let Some(parent) = self.beams.get(beam) else {
                continue;
            };
            let mut sequence = parent.sequence.clone();
            sequence.push(token);
            if Some(token) != cfg.decode.eos {
                if beams.len() < cfg.num_beams {
                    let row = parent.row;
                    beams.push(Beam {
                        sequence,
                        log_prob,
                        row,
                    });
                }
            } else if rank < cfg.num_beams {
                let tokens = sequence.split_off(self.prompt_length);
                self.keep(tokens, log_prob, true, cfg);
            }
        }
        self.beams = beams;
        if self.is_done(cfg) {
            self.beams.clear();
        }
    }

    fn keep(&mut self, tokens: Vec<u32>, log_prob: f64, finished: bool, cfg: &BeamConfig) {
        let score = cfg.score(log_prob, tokens.len());
        // After those that score the same: the earlier one stays first.
        let place = self.hypotheses.partition_point(|known| known.score >= score);
        self.hypotheses.insert(
            place,
            Hypothesis {
                tokens,
                log_prob,
                score,
                finished,
            },
        );
        self.hypotheses.truncate(cfg.num_beams);
    }

    /// Whether nothing that is still unfinished can change the result.
    fn is_done(&self, cfg: &BeamConfig) -> bool {
        if self.hypotheses.len() < cfg.num_beams {
            return false;
        }
        let (Some(worst), Some(beam)) = (self.hypotheses.last(), self.beams.first()) else {
            return true;
        };
        cfg.early_stopping
            || cfg.bound(beam.log_prob, beam.sequence.len() - self.prompt_length) <= worst.score
    }

    fn finish(mut self, cfg: &BeamConfig) -> Vec<Hypothesis> {
        for mut beam in std::mem::take(&mut self.beams) {
            let tokens = beam.sequence.split_off(self.prompt_length);
            self.keep(tokens, beam.log_prob, false, cfg);
        }
        self.hypotheses.truncate(cfg.num_return_sequences);
        self.hypotheses
    }
}
