//! Picking a token at random.

use super::logits::log_softmax;
use sconce_core::{Error, Result};

/// How a token is drawn from its distribution; the defaults draw from it as it is.
///
/// The logits are divided by the temperature, then all but the `top_k` likeliest tokens go, then all but the fewest likeliest
/// ones that hold `top_p` of what is left; one of the rest is drawn in proportion to its probability. Of equally likely tokens
/// the one with the smaller number counts as likelier.
///
/// # Source
/// Fan et al., "Hierarchical Neural Story Generation", 2018 (top-k); Holtzman et al., "The Curious Case of Neural Text
/// Degeneration", 2019 (top-p); the order is that of Hugging Face's `generate`
/// # Example
/// ```
/// use sconce_nn::generate::Sampling;
/// let logits: Vec<f64> = [0.5f64, 0.3, 0.2].iter().map(|p| p.ln()).collect();
/// let sampling = Sampling { top_k: Some(2), ..Sampling::default() };
/// let p = sampling.probabilities(&logits)?;
/// assert!((p[0] - 5. / 8.).abs() < 1e-15 && (p[1] - 3. / 8.).abs() < 1e-15 && p[2] == 0.);
/// assert_eq!([sampling.pick(&logits, 0.6)?, sampling.pick(&logits, 0.7)?], [0, 1]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Below 1 likely tokens become likelier, above 1 all become alike.
    pub temperature: f64,
    /// How many of the likeliest tokens stay.
    pub top_k: Option<usize>,
    /// The share of the probability that the tokens that stay must hold.
    pub top_p: Option<f64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.,
            top_k: None,
            top_p: None,
        }
    }
}

impl Sampling {
    /// Checks the options.
    ///
    /// # Errors
    /// The temperature isn't a finite number above 0 (for 0, decode greedily), `top_k` is 0, or `top_p` isn't in (0, 1\].
    pub fn check(&self) -> Result<()> {
        if !(self.temperature > 0. && self.temperature.is_finite()) {
            let expected = "a finite number above 0; greedy decoding is its limit at 0";
            return Err(Error::config(
                "Sampling",
                "temperature",
                self.temperature,
                expected,
            ));
        }
        if self.top_k == Some(0) {
            return Err(Error::config("Sampling", "top_k", 0, "at least 1"));
        }
        if let Some(top_p) = self.top_p
            && !(top_p > 0. && top_p <= 1.)
        {
            return Err(Error::config("Sampling", "top_p", top_p, "above 0 and at most 1"));
        }
        Ok(())
    }

    /// The probability of each token, 0 for those that were filtered out; they add up to 1.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); a logit that is NaN or +∞; no logit above −∞.
    pub fn probabilities(&self, logits: &[f64]) -> Result<Vec<f64>> {
        self.check()?;
        let bad = |x: &f64| x.is_nan() || *x == f64::INFINITY;
        if let Some((index, value)) = logits.iter().enumerate().find(|(_, x)| bad(x)) {
            return Err(value_error(index, *value, "a finite number or −∞"));
        }
        if logits.iter().all(|&x| x == f64::NEG_INFINITY) {
            return Err(value_error(
                0,
                f64::NEG_INFINITY,
                "a finite number for at least one token",
            ));
        }
        // Divided after the largest is subtracted, so that a small temperature can't overflow.
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scaled: Vec<f64> = logits.iter().map(|x| (x - largest) / self.temperature).collect();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let logit = |i: usize| scaled.get(i).copied().unwrap_or(f64::NEG_INFINITY);
        order.sort_by(|&a, &b| logit(b).total_cmp(&logit(a)));
        order.truncate(self.top_k.unwrap_or(usize::MAX));
        let kept: Vec<f64> = order.iter().map(|&i| logit(i)).collect();
        let mut kept: Vec<f64> = log_softmax(&kept).into_iter().map(f64::exp).collect();
        if let Some(top_p) = self.top_p {
            let mut sum = 0.;
            let enough = kept.iter().position(|p| {
                sum += p;
                sum >= top_p
            });
            kept.truncate(enough.map_or(kept.len(), |last| last + 1));
        }
        let sum: f64 = kept.iter().sum();
        let mut probabilities = vec![0.; logits.len()];
        for (i, p) in order.into_iter().zip(kept) {
            if let Some(slot) = probabilities.get_mut(i) {
                *slot = p / sum;
            }
        }
        Ok(probabilities)
    }

    /// The token at which the sum of the probabilities first exceeds `u`, a number drawn from U(0, 1).
    ///
    /// # Errors
    /// Those of [`probabilities`](Self::probabilities); `u` isn't in \[0, 1).
    pub fn pick(&self, logits: &[f64], u: f64) -> Result<u32> {
        if !(0. ..1.).contains(&u) {
            return Err(Error::config("Sampling", "u", u, "from 0 to below 1"));
        }
        let probabilities = self.probabilities(logits)?;
        let mut sum = 0.;
        let found = probabilities.iter().position(|p| {
            sum += p;
            sum > u
        });
        // The sum of all may fall short of 1 by a rounding.
        let last = || probabilities.iter().rposition(|&p| p > 0.).unwrap_or(0);
        Ok(found.unwrap_or_else(last) as u32)
    }
}

fn value_error(index: usize, value: f64, expected: &str) -> Error {
    Error::Value {
        layer: "Sampling".to_string(),
        argument: "logits",
        index,
        value: value.to_string(),
        expected: expected.to_string(),
    }
}
