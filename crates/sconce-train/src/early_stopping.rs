//! Stopping when it doesn't get better.

use crate::{Callback, EpochRecord, Error, Result};
use candle_core::{Tensor, Var};
use sconce_core::Parameters;
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
/// copies are put back.
///
/// # Errors
/// While running: the figure isn't there (no validation set, or no metric of that name), or it is NaN in every epoch.
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
    values: Vec<(Var, Tensor)>,
}

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

    /// The watched figure, less being better.
    fn figure(&self, record: &EpochRecord) -> Result<f64> {
        let missing = |what: &str| Error::Watched {
            what: what.to_string(),
        };
        match self.cfg.watched {
            Watched::TrainLoss => Ok(record.train_loss),
            Watched::ValidationLoss => {
                let scores = record.validation.as_ref();
                Ok(scores.ok_or_else(|| missing("validation loss"))?.loss)
            }
            Watched::Metric { name, more_is_better } => {
                let value = record.validation.as_ref().and_then(|scores| scores.metric(name));
                let value = value.ok_or_else(|| missing(name))?;
                Ok(if more_is_better { -value } else { value })
            }
        }
    }

    fn copies(&self) -> candle_core::Result<Vec<(Var, Tensor)>> {
        if !self.cfg.restore_best {
            return Ok(Vec::new());
        }
        let all = self.parameters.named_tensors().into_iter();
        all.map(|(_, var)| {
            let value = var.as_detached_tensor().copy()?;
            Ok((var, value))
        })
        .collect()
    }
}

impl Callback for EarlyStopping<'_> {
    fn on_fit_start(&mut self) -> Result<()> {
        (self.best, self.waited) = (None, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
        let figure = self.figure(record)?;
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

    fn on_fit_end(&mut self) -> Result<()> {
        for (var, value) in self.best.iter().flat_map(|best| &best.values) {
            var.set(value)?;
        }
        Ok(())
    }
}
