//! Which learning rate to begin with.

use super::descent::Moment;
use super::probe::{at, probing};
use super::step::{Batch, first_value};
use super::{FitConfig, Trainer, training_loader};
use crate::{Error, Result};
use sconce_data::Dataset;
use sconce_optim::Optimize;

/// Options of [`Trainer::search_learning_rate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSearchConfig {
    /// Samples in a batch.
    pub batch_size: usize,
    /// The seed of the order of the set.
    pub shuffle: Option<u64>,
    /// The first learning rate.
    pub from: f64,
    /// The last one.
    pub to: f64,
    /// How many are tried, one a step, each by the same factor greater than the one before.
    pub steps: usize,
    /// How much of the running mean of the losses each step keeps.
    pub smoothing: f64,
    /// The search ends when the mean loss has grown to this many times its least.
    pub give_up: f64,
}

impl RateSearchConfig {
    /// A hundred rates from 1e-7 to 10, until the mean loss is four times its least.
    pub fn new(batch_size: usize) -> Self {
        Self {
            batch_size,
            shuffle: Some(0),
            from: 1e-7,
            to: 10.,
            steps: 100,
            smoothing: 0.95,
            give_up: 4.,
        }
    }

    fn check(&self) -> Result<()> {
        let bad = |field, value: f64, expected: &str| {
            Err(sconce_core::Error::config("RateSearchConfig", field, value, expected).into())
        };
        if !(self.from.is_finite() && self.from > 0.) {
            return bad("from", self.from, "a finite number above 0");
        }
        if !(self.to.is_finite() && self.to > self.from) {
            return bad("to", self.to, "a finite number above `from`");
        }
        if self.steps < 2 {
            return bad("steps", self.steps as f64, "at least 2");
        }
        if !(0. ..1.).contains(&self.smoothing) {
            return bad("smoothing", self.smoothing, "at least 0 and below 1");
        }
        if self.give_up.is_nan() || self.give_up <= 1. {
            return bad("give_up", self.give_up, "above 1");
        }
        Ok(())
    }
}

/// What came of a search for a learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct RateSearch {
    /// The rates that were tried.
    pub rates: Vec<f64>,
    /// The loss of each step, before it.
    pub losses: Vec<f64>,
    /// The running mean of the losses, with its bias to the start taken away.
    pub smoothed: Vec<f64>,
}

impl RateSearch {
    /// The rate at which the mean loss falls fastest, over the logarithm of the rate; none if it never falls. The first steps, at
    /// most ten, don't count: the mean is over too few losses there, and moves with each of them.
    pub fn suggestion(&self) -> Option<f64> {
        let unsettled = (self.smoothed.len() / 4).min(10);
        let slopes = self
            .smoothed
            .windows(3)
            .zip(self.rates.iter().skip(1))
            .skip(unsettled);
        let slope = |(window, rate): (&[f64], &f64)| Some((window.last()? - window.first()?, *rate));
        let steepest = slopes.filter_map(slope).min_by(|a, b| a.0.total_cmp(&b.0))?;
        (steepest.0 < 0.).then_some(steepest.1)
    }
}

impl Trainer<'_> {
    /// Trains with a learning rate that grows at each step, from one at which nothing happens to one that is too high, and tells the
    /// losses: a good rate to begin with is where they fall fastest. Afterwards all is as it was, as after
    /// [`check_batch`](Self::check_batch).
    ///
    /// # Errors
    /// An option out of range; those of a run, but for a loss that isn't finite, which ends the search.
    ///
    /// # Source
    /// L. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017; the search of fastai
    ///
    /// # Example
    /// ```
    /// use candle_nn::{VarBuilder, VarMap, linear, loss::cross_entropy};
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_data::{TensorDataset, digits};
    /// use sconce_optim::{Optimize, Sgd, SgdConfig};
    /// use sconce_train::{RateSearchConfig, Trainer};
    /// let digits = digits()?;
    /// let data = TensorDataset::new(&(digits.images.flatten_from(1)? / 16.)?, &digits.labels)?;
    /// let store = VarMap::new();
    /// let net = linear(64, 10, VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu))?;
    /// let sgd = Sgd::new(&SgdConfig::default(), &store)?;
    /// let mut trainer = Trainer::new(net, &store, Box::new(sgd), cross_entropy);
    /// let search = trainer.search_learning_rate(&data, &RateSearchConfig::new(64))?;
    /// let rate = search.suggestion().unwrap();
    /// assert!((0.01..10.).contains(&rate), "{rate}");
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn search_learning_rate(&mut self, data: &dyn Dataset, cfg: &RateSearchConfig) -> Result<RateSearch> {
        cfg.check()?;
        if data.is_empty() {
            return Err(Error::Empty { set: "training" });
        }
        self.expect_weights(data.len())?;
        let fit = FitConfig {
            shuffle: cfg.shuffle,
            ..probing(cfg.batch_size)
        };
        let (loader, device) = (training_loader(data, &fit)?, self.device());
        self.untouched(|trainer| {
            let mut search = RateSearch {
                rates: Vec::new(),
                losses: Vec::new(),
                smoothed: Vec::new(),
            };
            let (mut mean, mut best) = (0., f64::INFINITY);
            let (mut pass, mut batches) = (0, loader.epoch(0));
            for step in 0..cfg.steps {
                if batches.len() == 0 {
                    pass += 1;
                    batches = loader.epoch(pass);
                }
                let place = batches.next_batch();
                let Some(loaded) = batches.next() else { break };
                let (features, target) = loaded?;
                let indices = batches.batches().get(place).unwrap_or_default();
                let batch = Batch {
                    features: features.to_device(&device)?,
                    target: target.to_device(&device)?,
                    indices,
                };
                let rate = cfg.from * (cfg.to / cfg.from).powf(step as f64 / (cfg.steps - 1) as f64);
                trainer.descent.optimizer.set_learning_rate(rate);
                let moment = Moment {
                    samples: indices.len(),
                    ..at(&fit, step, cfg.steps)
                };
                let loss = match trainer.take_step(&batch, moment, &mut []) {
                    Ok(losses) => first_value(&losses)?,
                    Err(Error::NotFinite { .. } | Error::GradientNotFinite { .. }) => break,
                    Err(error) => return Err(error),
                };
                mean = cfg.smoothing * mean + (1. - cfg.smoothing) * loss;
                let smoothed = mean / (1. - cfg.smoothing.powi(step as i32 + 1));
                if !smoothed.is_finite() {
                    break;
                }
                search.rates.push(rate);
                search.losses.push(loss);
                search.smoothed.push(smoothed);
                // Losses below 0 are as far from 0 as those above.
                if smoothed > best + (cfg.give_up - 1.) * best.abs() {
                    break;
                }
                best = smoothed.min(best);
            }
            Ok(search)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steepest_fall_is_suggested() {
        let search = |smoothed: &[f64]| RateSearch {
            rates: (0..smoothed.len()).map(|i| 10f64.powi(i as i32)).collect(),
            losses: smoothed.to_vec(),
            smoothed: smoothed.to_vec(),
        };
        assert_eq!(search(&[5., 5., 4.5, 2., 1.9, 6.]).suggestion(), Some(100.));
        // The fall at the start is that of a mean over two.
        assert_eq!(
            search(&[9., 5., 5., 4.9, 4., 3.9, 4., 6.]).suggestion(),
            Some(1e4)
        );
        assert_eq!(search(&[1., 2., 3.]).suggestion(), None);
        assert_eq!(search(&[2., 1.]).suggestion(), None);
    }
}
