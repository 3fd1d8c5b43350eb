//! Stopping when it doesn't get better.

use crate::{Callback, EpochRecord, Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{Parameters, cast};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// What [`EarlyStopping`] watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watched {
    /// The loss on the validation set; less is better.
    ValidationLoss,
    /// A metric on the validation set, by its name.
    Metric {
        /// As [`Metric::name`](crate::Metric::name) says it.
        name: &'static str,
        /// Whether more of it is better, as of accuracy.
        more_is_better: bool,
    },
    /// The mean loss while training; less is better.
    TrainLoss,
}

impl Watched {
    /// Whether it is a figure of validations.
    pub(crate) fn is_validated(&self) -> bool {
        !matches!(self, Self::TrainLoss)
    }

    /// The figure, less being better.
    pub(crate) fn figure(&self, record: &EpochRecord) -> Result<f64> {
        let missing = || Error::Watched {
            what: self.to_string(),
        };
        match *self {
            Self::TrainLoss => Ok(record.train_loss),
            Self::ValidationLoss => {
                let scores = record.validation.as_ref();
                Ok(scores.ok_or_else(missing)?.loss)
            }
            Self::Metric { name, more_is_better } => {
                let value = record.validation.as_ref().and_then(|scores| scores.metric(name));
                let value = value.ok_or_else(missing)?;
                Ok(if more_is_better { -value } else { value })
            }
        }
    }
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ValidationLoss => "validation loss",
            Self::Metric { name, .. } => name,
            Self::TrainLoss => "training loss",
        })
    }
}

/// Options of [`EarlyStopping`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStoppingConfig {
    /// What to watch.
    pub watched: Watched,
    /// How many epochs in a row may pass without an improvement before the run is stopped.
    pub patience: usize,
    /// By how much it must improve to count.
    pub min_delta: f64,
    /// Whether the parameters and buffers of the best epoch are put back at the end.
    pub restore_best: bool,
}

impl EarlyStoppingConfig {
    /// Watches the validation loss; any improvement counts; the best epoch's weights are restored.
    pub fn new(patience: usize) -> Self {
        Self {
            watched: Watched::ValidationLoss,
            patience,
            min_delta: 0.,
            restore_best: true,
        }
    }
}

/// Ends a run that has stopped to improve, and puts the best epoch's weights back.
///
/// The epoch after which the watched figure was best is remembered with copies of all parameters and buffers. When
/// `patience` epochs in a row have passed without a better one the run ends; at its end, for whatever reason it came, the
/// copies are put back. Epochs without a validation don't count.
///
/// # Errors
/// At the start: there is no validation set, and the figure is one of it. While running: there is no metric of that name.
///
/// # Source
/// L. Prechelt, "Early Stopping — But When?", Neural Networks: Tricks of the Trade (1998); options as Keras' `EarlyStopping`.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Module, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_data::TensorDataset;
/// use sconce_optim::{Sgd, SgdConfig};
/// use sconce_train::{EarlyStopping, EarlyStoppingConfig, FitConfig, Trainer, Validation};
///
/// let x = (Tensor::arange(0f32, 40., &Device::Cpu)?.reshape((40, 1))? / 40.)?;
/// let data = TensorDataset::new(&x, &(&x * 2.)?)?;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
/// let sgd = Sgd::new(&SgdConfig { lr: 0.5, ..SgdConfig::default() }, &store)?;
/// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
/// let stop = EarlyStopping::new(&EarlyStoppingConfig { min_delta: 1e-4, ..EarlyStoppingConfig::new(2) }, &store);
/// let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(sgd), loss).with_callback(stop);
/// let cfg = FitConfig { validation: Validation::Last(0.25), ..FitConfig::new(500, 10) };
/// let history = trainer.fit(&data, &cfg)?;
/// assert!(history.epochs.len() < 100);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub struct EarlyStopping<'a> {
    cfg: EarlyStoppingConfig,
    parameters: &'a dyn Parameters,
    best: Option<Best>,
    /// Epochs since then.
    waited: usize,
}

struct Best {
    /// What was reached; less is better.
    figure: f64,
    epoch: usize,
    values: Vec<(String, Var, Tensor)>,
}

const NAME: &str = "EarlyStopping";
const WAITED: &str = "waited";
const FIGURE: &str = "figure";
const EPOCH: &str = "epoch";
const WEIGHTS: &str = "best/";

impl<'a> EarlyStopping<'a> {
    /// For a run that trains these parameters.
    pub fn new(cfg: &EarlyStoppingConfig, parameters: &'a dyn Parameters) -> Self {
        Self {
            cfg: *cfg,
            parameters,
            best: None,
            waited: 0,
        }
    }

    /// The epoch, from 1, after which the watched figure was best; `None` before the first.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.as_ref().map(|best| best.epoch)
    }

    /// What is put back at the end.
    fn kept(&self) -> Vec<(String, Var)> {
        match self.cfg.restore_best {
            true => self.parameters.named_tensors(),
            false => Vec::new(),
        }
    }

    fn copies(&self) -> candle_core::Result<Vec<(String, Var, Tensor)>> {
        let all = self.kept().into_iter();
        all.map(|(name, var)| {
            let value = var.as_detached_tensor().copy()?;
            Ok((name, var, value))
        })
        .collect()
    }
}

impl Callback for EarlyStopping<'_> {
    fn on_fit_start(&mut self) -> Result<()> {
        if self.cfg.min_delta.is_nan() {
            let error = sconce_core::Error::config(NAME, "min_delta", "NaN", "a number");
            return Err(error.into());
        }
        (self.best, self.waited) = (None, 0);
        Ok(())
    }

    fn watches(&self) -> Option<Watched> {
        Some(self.cfg.watched)
    }

    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
        if record.validation.is_none() && self.cfg.watched.is_validated() {
            return Ok(ControlFlow::Continue(()));
        }
        let figure = self.cfg.watched.figure(record)?;
        let reached = self.best.as_ref().map_or(f64::INFINITY, |best| best.figure);
        // NaN is never better; the first epoch is, whatever it reached.
        if figure < reached - self.cfg.min_delta || (self.best.is_none() && !figure.is_nan()) {
            self.best = Some(Best {
                figure,
                epoch: record.epoch,
                values: self.copies()?,
            });
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        Ok(if self.waited >= self.cfg.patience.max(1) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let number = |value: f64| Tensor::new(value, &Device::Cpu);
        let mut state = vec![(WAITED.to_string(), number(self.waited as f64)?)];
        if let Some(best) = &self.best {
            state.push((FIGURE.to_string(), number(best.figure)?));
            state.push((EPOCH.to_string(), number(best.epoch as f64)?));
            let values = best.values.iter();
            state.extend(values.map(|(name, _, value)| (format!("{WEIGHTS}{name}"), value.clone())));
        }
        Ok(state)
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        /// More than anybody waits for, and far from what counting on could overflow.
        const MOST: f64 = 1_000_000_000.;
        let given: HashMap<&str, &Tensor> =
            state.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let number = |name: &str| -> Result<Option<f64>> {
            let value = given
                .get(name)
                .map(|tensor| cast(tensor, DType::F64)?.to_scalar());
            Ok(value.transpose()?)
        };
        let missing = |name: String| {
            Error::from(sconce_core::Error::config(
                NAME,
                "state",
                name,
                "beside the others",
            ))
        };
        let count = |name: &str| -> Result<Option<usize>> {
            let value = number(name)?;
            if let Some(value) = value.filter(|value| value.fract() != 0. || !(0. ..=MOST).contains(value)) {
                let value = format!("{name} {value}");
                let error = sconce_core::Error::config(NAME, "state", value, "a whole number, at least 0");
                return Err(error.into());
            }
            Ok(value.map(|value| value as usize))
        };
        let waited = count(WAITED)?.ok_or_else(|| missing(format!("without {WAITED}")))?;
        let best = match (number(FIGURE)?, count(EPOCH)?) {
            (Some(figure), Some(epoch)) => {
                let mut values = Vec::new();
                for (name, var) in self.kept() {
                    let key = format!("{WEIGHTS}{name}");
                    let value = given
                        .get(key.as_str())
                        .ok_or_else(|| missing(format!("without {key}")))?;
                    if value.dims() != var.dims() {
                        let expected = format!("{:?}, the parameter's", var.dims());
                        return Err(sconce_core::Error::shape(NAME, "state", expected, value.dims()).into());
                    }
                    // Eight bits come out of a checkpoint wider than they were.
                    let widened = (var.dtype(), value.dtype()) == (DType::F8E4M3, DType::F32);
                    if value.dtype() != var.dtype() && !widened {
                        let error = sconce_core::Error::DType {
                            layer: NAME.to_owned(),
                            argument: "state",
                            expected: format!("{:?}, the parameter's", var.dtype()),
                            got: value.dtype(),
                        };
                        return Err(error.into());
                    }
                    let value = value.to_dtype(var.dtype())?.to_device(var.device())?;
                    values.push((name, var, value));
                }
                Some(Best {
                    figure,
                    epoch,
                    values,
                })
            }
            _ => None,
        };
        (self.best, self.waited) = (best, waited);
        Ok(())
    }

    fn on_fit_end(&mut self) -> Result<()> {
        for (_, var, value) in self.best.iter().flat_map(|best| &best.values) {
            var.set(value)?;
        }
        Ok(())
    }
}
