//! Perplexity.

use super::differences::Sum;
use super::{Accumulator, Metric, inputs, state};
use candle_core::{Result, Tensor};

const NAME: &str = "perplexity";

/// Among how many equally likely tokens a language model chooses: exp of the mean negative log-likelihood of the right one, over
/// all tokens of the set, so that a long batch counts more than a short one.
///
/// # Shapes
/// output `[batch, classes, *positions]`, logits; target `[batch, *positions]`, class numbers
///
/// # Errors
/// `update`: shapes that don't fit; a target that is no class and isn't `ignore_index`.
///
/// # Source
/// Jelinek, Mercer, Bahl and Baker, "Perplexity—a measure of the difficulty of speech recognition tasks", 1977
///
/// # Example
/// ```
/// use sconce_train::{Metric, Perplexity, candle_core::{Device, Tensor}};
/// let mut perplexity = Perplexity::default().start();
/// // All four tokens are equally likely; the last position doesn't count.
/// let logits = Tensor::zeros((3, 4), candle_core::DType::F32, &Device::Cpu)?;
/// perplexity.update(&logits, &Tensor::new(&[0i64, 3, -100], &Device::Cpu)?)?;
/// assert!((perplexity.value() - 4.).abs() < 1e-12);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Perplexity {
    /// The target of what doesn't count, such as padding.
    pub ignore_index: i64,
}

impl Default for Perplexity {
    /// −100 is ignored, as PyTorch's cross-entropy has it.
    fn default() -> Self {
        Self { ignore_index: -100 }
    }
}

impl Metric for Perplexity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Likelihood {
            ignore_index: self.ignore_index,
            nll: Sum::default(),
            tokens: 0,
        })
    }
}

struct Likelihood {
    ignore_index: i64,
    nll: Sum,
    tokens: u64,
}

impl Accumulator for Likelihood {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let classes = inputs::classes(NAME, output, target)?;
        let targets = inputs::class_numbers(NAME, target, classes, self.ignore_index)?;
        inputs::each_position(output, |i, logits| {
            let target = targets.get(i).copied().flatten();
            if let Some(logit) = target.and_then(|class| logits.get(class)) {
                self.nll.add(log_sum_exp(logits) - logit);
                self.tokens += 1;
            }
            Ok(())
        })
    }

    fn value(&self) -> f64 {
        (self.nll.value() / self.tokens as f64).exp()
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let tokens = state::from_counts(vec![self.tokens], &[1])?;
        Ok(state::named(
            NAME,
            [("nll", self.nll.tensor()?), ("tokens", tokens)],
        ))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [nll, tokens] = state::fields(NAME, ["nll", "tokens"], state)?;
        let nll = Sum::from_tensor(NAME, nll)?;
        [self.tokens] = state::to_counts_of(NAME, tokens)?;
        self.nll = nll;
        Ok(())
    }
}

fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}
