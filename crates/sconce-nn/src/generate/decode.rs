//! One sequence for each prompt, greedily or at random.

use super::logits::Logits;
use super::{Rows, Sampling};
use candle_core::Tensor;
use sconce_core::{Generator, Result, no_grad};

/// When a sequence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeConfig {
    /// The most tokens that are written after a prompt.
    pub max_new_tokens: usize,
    /// The token that ends a sequence, and is its last.
    pub eos: Option<u32>,
}

impl DecodeConfig {
    /// Always of the same length.
    pub fn new(max_new_tokens: usize) -> Self {
        Self {
            max_new_tokens,
            eos: None,
        }
    }
}

/// The likeliest token, each time; the one with the smallest number among equals. Gives what follows each prompt.
///
/// # Errors
/// The step function's own; logits that aren't `[rows, vocabulary]`, or hold NaN or +∞; an `eos` outside the vocabulary.
pub fn greedy(
    prompts: &[Vec<u32>],
    cfg: &DecodeConfig,
    step: impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
) -> Result<Vec<Vec<u32>>> {
    no_grad(|| decode("greedy", prompts, cfg, step, |_, logits| Ok(likeliest(logits))))
}

/// A token drawn each time as [`Sampling`] says. Gives what follows each prompt.
///
/// Every step takes one number from the generator for each prompt, finished or not.
///
/// # Errors
/// Those of [`greedy`] and of [`Sampling::probabilities`].
pub fn sample(
    prompts: &[Vec<u32>],
    cfg: &DecodeConfig,
    sampling: &Sampling,
    generator: &Generator,
    step: impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
) -> Result<Vec<Vec<u32>>> {
    sampling.check()?;
    let mut draws = vec![0.; prompts.len()];
    let mut drawn = None;
    no_grad(|| {
        decode("sample", prompts, cfg, step, |(written, prompt), logits| {
            if drawn != Some(written) {
                drawn = Some(written);
                generator.fill_uniform(&mut draws, 0., 1.);
            }
            sampling.pick(logits, draws.get(prompt).copied().unwrap_or(0.))
        })
    })
}

fn decode(
    caller: &str,
    prompts: &[Vec<u32>],
    cfg: &DecodeConfig,
    mut step: impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
    mut pick: impl FnMut((usize, usize), &[f64]) -> Result<u32>,
) -> Result<Vec<Vec<u32>>> {
    let mut results: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let mut sequences = prompts.to_vec();
    let mut live: Vec<usize> = (0..prompts.len()).collect();
    let mut parents = live.clone();
    for written in 0..cfg.max_new_tokens {
        if live.is_empty() {
            break;
        }
        let rows = Rows {
            sequences: &sequences,
            prompts: &live,
            parents: &parents,
        };
        let logits = Logits::of(caller, &rows, cfg.eos, &mut step)?;
        let mut next = (Vec::new(), Vec::new(), Vec::new());
        for (row, ((mut sequence, prompt), logits)) in
            sequences.into_iter().zip(live).zip(logits.rows()).enumerate()
        {
            let token = pick((written, prompt), logits)?;
            if let Some(result) = results.get_mut(prompt) {
                result.push(token);
            }
            if Some(token) != cfg.eos {
                sequence.push(token);
                next.0.push(sequence);
                next.1.push(prompt);
                next.2.push(row);
            }
        }
        (sequences, live, parents) = next;
    }
    Ok(results)
}

fn likeliest(logits: &[f64]) -> u32 {
    let mut best = (0, f64::NEG_INFINITY);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (token, logit);
        }
    }
    best.0 as u32
}
