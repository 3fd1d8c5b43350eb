//! A fall when a metric stops getting better.

use super::scheduler::{Saved, rates_of};
use super::{PerGroup, require, require_rate};
use crate::Optimize;
use candle_core::{Device, Tensor};
use sconce_core::Result;

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Down, as a loss.
    Min,
    /// Up, as an accuracy.
    Max,
}

/// How the threshold of an improvement is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdMode {
    /// As a part of the best value.
    Rel,
    /// As a difference to it.
    Abs,
}

/// Options of [`ReduceLrOnPlateau`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct ReduceLrOnPlateauConfig {
    /// Which way the metric gets better.
    pub mode: Mode,
    /// What the rate is multiplied by, at least 0 and below 1.
    pub factor: f64,
    /// How many values in a row may bring nothing better before the rate falls.
    pub patience: u64,
    /// By how much a value must be better than the best to count.
    pub threshold: f64,
    /// How that is meant.
    pub threshold_mode: ThresholdMode,
    /// After a fall, how many values aren't counted.
    pub cooldown: u64,
    /// The lowest rate.
    pub min_lr: PerGroup,
    /// A fall by no more than this is left out.
    pub eps: f64,
}

impl Default for ReduceLrOnPlateauConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_lr: 0.0.into(),
            eps: 1e-8,
        }
    }
}

/// Multiplies the learning rates by `factor` when a metric hasn't got better for more than `patience` values.
///
/// Better than the best b is, going down, m < b·(1 − threshold), or m < b − threshold in absolute mode; a NaN is not. After a
/// fall, `cooldown` values aren't counted.
///
/// # Errors
/// `new`: `factor` isn't at least 0 and below 1; `threshold` or `eps` is negative or not finite; `min_lr` is, or isn't one
/// number or one for each group. `step`: the number of groups changed.
///
/// # Source
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_optim::schedule::{ReduceLrOnPlateau, ReduceLrOnPlateauConfig};
/// use sconce_optim::{Optimize, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// param(&store.builder(), 1, "w", &Init::Const(1.))?;
/// let mut sgd = Sgd::new(&SgdConfig { lr: 1., ..SgdConfig::default() }, &store)?;
/// let cfg = ReduceLrOnPlateauConfig { factor: 0.5, patience: 1, ..ReduceLrOnPlateauConfig::default() };
/// let mut plateau = ReduceLrOnPlateau::new(&cfg, &sgd)?;
/// for (loss, lr) in [(3., 1.), (2., 1.), (2., 1.), (2.1, 0.5), (1., 0.5)] {
///     plateau.step(loss, &mut sgd)?;
///     assert_eq!(sgd.learning_rate(), lr);
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ReduceLrOnPlateau {
    cfg: ReduceLrOnPlateauConfig,
    groups: usize,
    best: f64,
    num_bad_epochs: u64,
    cooldown_counter: u64,
    last_epoch: u64,
}

const NAME: &str = "ReduceLROnPlateau";
const BEST: &str = "best";
const BAD: &str = "num_bad_epochs";
const COOLDOWN: &str = "cooldown_counter";
const LAST_EPOCH: &str = "last_epoch";

impl ReduceLrOnPlateau {
    /// Starts watching, for this optimiser.
    ///
    /// # Errors
    /// See [`ReduceLrOnPlateau`].
    pub fn new<O: Optimize + ?Sized>(cfg: &ReduceLrOnPlateauConfig, rule: &O) -> Result<Self> {
        let (groups, factor) = (rule.learning_rates().len(), cfg.factor);
        let falls = (0. ..1.).contains(&factor);
        require(falls, NAME, "factor", factor, "at least 0 and below 1")?;
        require_rate(NAME, "threshold", cfg.threshold)?;
        require_rate(NAME, "eps", cfg.eps)?;
        cfg.min_lr.check(NAME, "min_lr", groups)?;
        let best = match cfg.mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        Ok(Self {
            cfg: cfg.clone(),
            groups,
            best,
            num_bad_epochs: 0,
            cooldown_counter: 0,
            last_epoch: 0,
        })
    }

    /// Takes in a value of the metric, mostly an epoch's, and says whether a rate fell.
    ///
    /// # Errors
    /// See [`ReduceLrOnPlateau`].
    pub fn step<O: Optimize + ?Sized>(&mut self, metric: f64, rule: &mut O) -> Result<bool> {
        let old = rule.learning_rates();
        let expected = format!("{}, as when it was made", self.groups);
        require(old.len() == self.groups, NAME, "groups", old.len(), &expected)?;
        let mut after = self.clone();
        after.last_epoch += 1;
        if self.is_better(metric) {
            (after.best, after.num_bad_epochs) = (metric, 0);
        } else {
            after.num_bad_epochs += 1;
        }
        if after.cooldown_counter > 0 {
            after.cooldown_counter -= 1;
            after.num_bad_epochs = 0;
        }
        let mut new = old.clone();
        if after.num_bad_epochs > self.cfg.patience {
            (after.cooldown_counter, after.num_bad_epochs) = (self.cfg.cooldown, 0);
            for (group, lr) in new.iter_mut().enumerate() {
                let lower = (*lr * self.cfg.factor).max(self.cfg.min_lr.of(group));
                if *lr - lower > self.cfg.eps {
                    *lr = lower;
                }
            }
            rule.set_learning_rates(&new)?;
        }
        *self = after;
        Ok(new != old)
    }

    /// The best value so far; infinite before the first.
    pub fn best(&self) -> f64 {
        self.best
    }

    fn is_better(&self, metric: f64) -> bool {
        let (best, threshold) = (self.best, self.cfg.threshold);
        match (self.cfg.mode, self.cfg.threshold_mode) {
            (Mode::Min, ThresholdMode::Rel) => metric < best * (1. - threshold),
            (Mode::Min, ThresholdMode::Abs) => metric < best - threshold,
            (Mode::Max, ThresholdMode::Rel) => metric > best * (threshold + 1.),
            (Mode::Max, ThresholdMode::Abs) => metric > best + threshold,
        }
    }

    /// What it has seen, with the optimiser's rates, which its own state leaves out.
    ///
    /// # Errors
    /// None that is expected: numbers are put into tensors.
    pub fn state<O: Optimize + ?Sized>(&self, rule: &O) -> Result<Vec<(String, Tensor)>> {
        let count = |value: u64| Tensor::new(value as i64, &Device::Cpu);
        let mut all = vec![
            (BEST.to_string(), Tensor::new(self.best, &Device::Cpu)?),
            (BAD.to_string(), count(self.num_bad_epochs)?),
            (COOLDOWN.to_string(), count(self.cooldown_counter)?),
            (LAST_EPOCH.to_string(), count(self.last_epoch)?),
        ];
        all.extend(rates_of(rule)?);
        Ok(all)
    }

    /// Goes on from a state that [`state`](Self::state) gave.
    ///
    /// # Errors
    /// A name is missing, unknown or there twice; there isn't a rate for each group, or one is out of range. Then nothing was
    /// changed.
    pub fn load_state<O: Optimize + ?Sized>(
        &mut self,
        state: &[(String, Tensor)],
        rule: &mut O,
    ) -> Result<()> {
        let names = [BEST, BAD, COOLDOWN, LAST_EPOCH, "lr", "momentum"];
        let read = Saved::new(NAME, state, &names)?;
        let mut after = self.clone();
        after.best = read.number(BEST)?;
        after.num_bad_epochs = read.count(BAD)?;
        after.cooldown_counter = read.count(COOLDOWN)?;
        after.last_epoch = read.count(LAST_EPOCH)?;
        read.set_rates(rule)?;
        *self = after;
        Ok(())
    }
}
