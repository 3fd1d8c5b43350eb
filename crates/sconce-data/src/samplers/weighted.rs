//! Samples with probabilities in proportion to weights.

use super::{Sampler, draws};
use crate::{Error, Result};

/// Options of [`Weighted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedConfig {
    /// How many samples an epoch draws.
    pub num_samples: usize,
    /// Whether a sample can be drawn more than once in an epoch.
    pub replacement: bool,
    /// Decides the draws.
    pub seed: u64,
}

impl WeightedConfig {
    /// So many draws, with replacement, by the seed 0.
    pub fn new(num_samples: usize) -> Self {
        Self {
            num_samples,
            replacement: true,
            seed: 0,
        }
    }
}

/// Draws samples with probabilities in proportion to their weights, which needn't add up to 1.
///
/// Without replacement, every draw is from the samples that are left, with their weights. A sample of weight 0 is never
/// drawn.
///
/// # Errors
/// `new`: no weights, one that is negative or not finite, or a sum of them that isn't finite; no sample to draw, more than the
/// memory has room for, or, without replacement, more than have a weight above 0. In a loader: another number of weights than
/// of samples.
///
/// # Source
/// PyTorch's `WeightedRandomSampler`. Without replacement: Efraimidis and Spirakis, "Weighted random sampling with a
/// reservoir", 2006.
///
/// # Example
/// ```
/// use sconce_data::{Sampler, Weighted, WeightedConfig};
/// // One class has two samples, the other one: each class half of the draws.
/// let sampler = Weighted::new(vec![0.25, 0.25, 0.5], &WeightedConfig::new(1000))?;
/// let drawn = sampler.order(3, 0);
/// let rare = drawn.iter().filter(|&&index| index == 2).count();
/// assert!((450..550).contains(&rare));
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Weighted {
    weights: Vec<f64>,
    cfg: WeightedConfig,
}

impl Weighted {
    /// A sampler by these weights, one for each sample.
    pub fn new(weights: Vec<f64>, cfg: &WeightedConfig) -> Result<Self> {
        let bad = |weight: &f64| !(weight.is_finite() && *weight >= 0.);
        if let Some(index) = weights.iter().position(bad) {
            let value = weights.get(index).copied().unwrap_or(f64::NAN);
            let value = format!("{value} at {index}");
            return Err(Error::config("weights", value, "finite weights of at least 0"));
        }
        let sum = weights.iter().sum::<f64>() + 0.; // that of no weights is -0
        if !(sum > 0. && sum.is_finite()) {
            let value = format!("a list with the sum {sum}");
            return Err(Error::config("weights", value, "a finite sum above 0"));
        }
        let possible = weights.iter().filter(|&&weight| weight > 0.).count();
        if cfg.num_samples == 0 || (!cfg.replacement && cfg.num_samples > possible) {
            let expected = if cfg.replacement {
                "at least 1".into()
            } else {
                format!("1 to {possible}, the number of weights above 0, without replacement")
            };
            return Err(Error::config("num_samples", cfg.num_samples, expected));
        }
        // An order can't fail, so that there is room for one is tried here: a draw and an index for each sample.
        if Vec::<(f64, usize)>::new()
            .try_reserve_exact(cfg.num_samples)
            .is_err()
        {
            let expected = "few enough for the memory";
            return Err(Error::config("num_samples", cfg.num_samples, expected));
        }
        Ok(Self {
            weights,
            cfg: cfg.clone(),
        })
    }
}

impl Sampler for Weighted {
    fn count(&self, samples: usize) -> Result<usize> {
        if self.weights.len() != samples {
            return Err(Error::Count {
                features: samples,
                feature_name: "samples".into(),
                targets: self.weights.len(),
                target_name: "weights".into(),
            });
        }
        Ok(self.cfg.num_samples)
    }

    fn order(&self, _samples: usize, epoch: u64) -> Vec<usize> {
        let generator = draws::of_epoch(self.cfg.seed, epoch);
        let uniform = |count: usize| {
            let mut values = vec![0.; count];
            generator.fill_uniform(&mut values, 0., 1.);
            values
        };
        if self.cfg.replacement {
            with_replacement(&self.weights, uniform(self.cfg.num_samples))
        } else {
            without_replacement(&self.weights, uniform(self.weights.len()), self.cfg.num_samples)
        }
    }
}

pub(super) fn with_replacement(weights: &[f64], uniform: Vec<f64>) -> Vec<usize> {
    let sums = weights.iter().scan(0., |sum: &mut f64, weight| {
        *sum += weight;
        Some(*sum)
    });
    let sums: Vec<f64> = sums.collect();
    let total = sums.last().copied().unwrap_or(0.);
    // Of subnormal weights, the product may be rounded up to the total, past the last sample.
    let last = weights.iter().rposition(|&weight| weight > 0.).unwrap_or(0);
    let draw = |u: f64| sums.partition_point(|&sum| sum <= u * total).min(last);
    uniform.into_iter().map(draw).collect()
}

/// Each sample waits for a time from the exponential distribution with its weight as rate; those that come first are drawn.
fn without_replacement(weights: &[f64], uniform: Vec<f64>, count: usize) -> Vec<usize> {
    let waits = weights.iter().zip(uniform).enumerate();
    let waits = waits.filter(|(_, (weight, _))| **weight > 0.);
    let mut waits: Vec<(f64, usize)> = waits
        .map(|(index, (weight, u))| (-(1. - u).ln() / weight, index))
        .collect();
    waits.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    waits.into_iter().take(count).map(|(_, index)| index).collect()
}
