//! The choice of the next token from its scores.

use candle_core::{DType, Result, Tensor};
use sconce_core::{Error, Generator, cast};

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Sampling {
    /// The most probable one; of several the first.
    #[default]
    Greedy,
    /// One by chance, as probable as softmax(logits / temperature) says.
    Random {
        /// Above 1 more even, below 1 more certain; above 0.
        temperature: f64,
        /// Only among this many of the most probable ones; among all if `None`.
        top_k: Option<usize>,
        /// Only among the most probable ones that together have at least this probability; among all if `None`.
        top_p: Option<f64>,
    },
}

impl Sampling {
    fn check(&self) -> sconce_core::Result<()> {
        let Self::Random {
            temperature,
            top_k,
            top_p,
        } = *self
        else {
            return Ok(());
        };
        let wrong = |field, value: String, expected| Err(Error::config("Sampling", field, value, expected));
        if !(temperature > 0. && temperature.is_finite()) {
            return wrong("temperature", temperature.to_string(), "above 0");
        }
        if top_k == Some(0) {
            return wrong("top_k", "0".into(), "at least 1");
        }
        match top_p {
            Some(p) if !(p > 0. && p <= 1.) => wrong("top_p", p.to_string(), "above 0 and at most 1"),
            _ => Ok(()),
        }
    }
}

/// The next token of each sequence.
///
/// Draws one number a sequence from `generator`, none if the choice is greedy.
///
/// # Shapes
/// logits `[batch, vocabulary]`, one token a row of the batch
/// # Errors
/// Another shape, an empty vocabulary, an option out of range, or a row without any finite maximum (its scores are NaN).
/// # Source
/// Fan et al., "Hierarchical Neural Story Generation", 2018 (top-k); Holtzman et al., "The Curious Case of Neural Text
/// Degeneration", 2020 (top-p)
/// # Example
/// ```
/// use sconce_core::{Generator, candle_core::{Device, Tensor}};
/// use sconce_transformer::{Sampling, next_tokens};
/// let logits = Tensor::new(&[[0f32, 2., 1.], [3., 0., 0.]], &Device::Cpu)?;
/// assert_eq!(next_tokens(&logits, Sampling::Greedy, &Generator::new(0))?, [1, 0]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn next_tokens(logits: &Tensor, sampling: Sampling, generator: &Generator) -> Result<Vec<u32>> {
    sampling.check()?;
    let (batch, vocabulary) = match *logits.dims() {
        [batch, vocabulary] if vocabulary > 0 => (batch, vocabulary),
        ref dims => return Err(Error::shape("Sampling", "logits", "[batch, vocabulary ≥ 1]", dims).into()),
    };
    let rows = cast(&logits.detach(), DType::F64)?.to_vec2::<f64>()?;
    let mut draws = vec![0.; batch];
    if sampling != Sampling::Greedy {
        generator.fill_uniform(&mut draws, 0., 1.);
    }
    let chosen = rows.iter().zip(draws).enumerate().map(|(row, (scores, draw))| {
        choose(scores, sampling, draw).ok_or_else(|| {
            Error::Value {
                layer: "Sampling".into(),
                argument: "logits",
                index: row * vocabulary,
                value: "NaN or without a finite maximum".into(),
                expected: "a row of numbers".into(),
            }
            .into()
        })
    });
    chosen.collect()
}

/// One row's token; `draw` is from \[0, 1).
fn choose(scores: &[f64], sampling: Sampling, draw: f64) -> Option<u32> {
    let mut order: Vec<(usize, f64)> = scores.iter().copied().enumerate().collect();
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    // A stable sort: of equal scores the first token comes first.
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let best = order
        .first()
        .map(|(_, score)| *score)
        .filter(|score| score.is_finite())?;
    let Sampling::Random {
        temperature,
        top_k,
        top_p,
    } = sampling
    else {
        return order.first().map(|(token, _)| *token as u32);
    };
    order.truncate(top_k.unwrap_or(order.len()));
    let mut weights: Vec<(usize, f64)> = order
        .iter()
        .map(|(token, score)| (*token, ((score - best) / temperature).exp()))
        .collect();
    let mut total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    if let Some(p) = top_p {
        let mut sum = 0.;
        let enough = weights.iter().position(|(_, weight)| {
            sum += weight;
            sum >= p * total
        });
        weights.truncate(enough.map_or(weights.len(), |i| i + 1));
        total = weights.iter().map(|(_, weight)| weight).sum();
    }
    let mut left = draw * total;
    let hit = weights.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.
    });
    hit.or(weights.first()).map(|(token, _)| *token as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn shares(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Vec<f64> {
        let scores = [0.1f64, 0.4, 0.2, 0.3].map(f64::ln);
        let logits = Tensor::new(&scores, &Device::Cpu)
            .unwrap()
            .broadcast_as((20_000, 4))
            .unwrap();
        let sampling = Sampling::Random {
            temperature,
            top_k,
            top_p,
        };
        let tokens = next_tokens(&logits, sampling, &Generator::new(5)).unwrap();
        let count = |token| tokens.iter().filter(|&&t| t == token).count() as f64 / 20_000.;
        (0..4).map(count).collect()
    }

    #[test]
    fn tokens_come_as_often_as_they_should() {
        type Row = (f64, Option<usize>, Option<f64>, [f64; 4]);
        let table: [Row; 6] = [
            (1., None, None, [0.1, 0.4, 0.2, 0.3]),
            (0.5, None, None, [1. / 30., 16. / 30., 4. / 30., 9. / 30.]),
            (1., Some(2), None, [0., 4. / 7., 0., 3. / 7.]),
            (1., None, Some(0.75), [0., 4. / 9., 2. / 9., 3. / 9.]),
            (1., None, Some(0.3), [0., 1., 0., 0.]),
            (1., Some(9), Some(1.), [0.1, 0.4, 0.2, 0.3]),
        ];
        for (temperature, top_k, top_p, expected) in table {
            let found = shares(temperature, top_k, top_p);
            for (a, b) in found.iter().zip(expected) {
                // Five standard deviations of a binomial share.
                assert!(
                    (a - b).abs() <= 5. * (b * (1. - b) / 20_000.).sqrt(),
                    "{found:?} {expected:?}"
                );
            }
        }
    }

    #[test]
    fn bad_options_and_scores_are_errors() {
        let logits = Tensor::new(&[[0f64, 1.]], &Device::Cpu).unwrap();
        let generator = Generator::new(0);
        let random = |temperature, top_k, top_p| Sampling::Random {
            temperature,
            top_k,
            top_p,
        };
        let table = [
            (random(0., None, None), "temperature is 0"),
            (random(f64::NAN, None, None), "temperature is NaN"),
            (random(1., Some(0), None), "top_k is 0"),
            (random(1., None, Some(1.5)), "top_p is 1.5"),
        ];
        for (sampling, expected) in table {
            let error = Error::from(next_tokens(&logits, sampling, &generator).unwrap_err());
            assert!(error.to_string().contains(expected), "{error}");
        }
        for scores in [[f64::NAN, 0.], [f64::NEG_INFINITY; 2]] {
            let logits = Tensor::new(&[scores], &Device::Cpu).unwrap();
            assert!(next_tokens(&logits, Sampling::Greedy, &generator).is_err());
        }
        assert!(next_tokens(&logits.narrow(1, 0, 0).unwrap(), Sampling::Greedy, &generator).is_err());
        assert!(next_tokens(&logits.flatten_all().unwrap(), Sampling::Greedy, &generator).is_err());
    }
}
