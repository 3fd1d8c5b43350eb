//! The training loop.

mod losses;
mod pace;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod turn;

use crate::report::{Progress, Report};
use crate::{Callback, CheckpointConfig, Error, History, Metric, Result, Scores};
use candle_core::{Device, ModuleT, Tensor};
pub use pace::Every;
use pace::Pace;
use run::Run;
use sconce_core::{Generator, Parameters, no_grad};
use sconce_data::{Dataset, Loader, LoaderConfig};
use sconce_optim::Optimize;
use sconce_optim::schedule::{ReduceLrOnPlateauConfig, Schedule};
pub use turn::Turn;

/// Options of [`Trainer::fit`].
#[derive(Clone)]
pub struct FitConfig<'a> {
    /// How often to go through the training set.
    pub epochs: usize,
    /// Samples in a batch; the last one of an epoch may be smaller.
    pub batch_size: usize,
    /// The seed of the order of the training set; in its own order if `None`.
    pub shuffle: Option<u64>,
    /// Whether a last batch of fewer samples is left out of an epoch: batch norm, say, can't train on one sample.
    pub drop_last: bool,
    /// What to evaluate on after every epoch.
    pub validation: Validation<'a>,
    /// What to show meanwhile.
    pub progress: Progress,
    /// What to do about parameters that get no gradient in the first step.
    pub missing_gradients: MissingGradients,
    /// Where to write checkpoints, and whether to go on from one.
    pub checkpoints: Option<CheckpointConfig>,
}

impl FitConfig<'_> {
    /// Shuffled by the seed 0, every sample in every epoch, without validation; a missing gradient is an error.
    pub fn new(epochs: usize, batch_size: usize) -> Self {
        Self {
            epochs,
            batch_size,
            shuffle: Some(0),
            drop_last: false,
            validation: Validation::None,
            progress: Progress::Auto,
            missing_gradients: MissingGradients::Refuse,
            checkpoints: None,
        }
    }
}

/// What [`Trainer::fit`] evaluates on after every epoch.
#[derive(Clone, Copy)]
pub enum Validation<'a> {
    /// Nothing.
    None,
    /// This last fraction of the training set, which isn't trained on, as in Keras.
    Last(f64),
    /// Another set.
    Set(&'a dyn Dataset),
}

/// What [`Trainer::fit`] does about parameters that get no gradient in the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingGradients {
    /// Stop with an error that names them.
    Refuse,
    /// Name them in a line and go on, for models that don't use all their parameters every time.
    Warn,
}

/// Where in a run a step is: what a learning-rate schedule depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The step, from 0, counted over the whole run.
    pub step: usize,
    /// Steps in the whole run.
    pub steps: usize,
}

type Rate<'a> = Box<dyn Fn(&Position) -> f64 + 'a>;
type Loss<'a> = Box<dyn Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a>;

/// Trains a model, evaluates it and predicts with it.
///
/// Batches are moved to the device of the parameters. `evaluate` and `predict` record no graph.
///
/// # Example
/// ```
/// use candle_nn::{VarBuilder, VarMap, linear};
/// use sconce_core::candle_core::{DType, Device, Module, Tensor};
/// use sconce_data::{TensorDataset, digits};
/// use sconce_optim::{Adam, AdamConfig};
/// use sconce_train::{Accuracy, FitConfig, Trainer};
/// let digits = digits()?;
/// let data = TensorDataset::new(&(digits.images.flatten_from(1)? / 16.)?, &digits.labels)?;
/// // candle's own layers and stores will do.
/// let store = VarMap::new();
/// let net = linear(64, 10, VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu))?;
/// let adam = Adam::new(&AdamConfig { lr: 0.01, ..AdamConfig::default() }, &store)?;
/// let loss = |logits: &Tensor, labels: &Tensor| candle_nn::loss::cross_entropy(logits, labels);
/// let mut trainer = Trainer::new(net, &store, Box::new(adam), loss).with_metric(Accuracy);
/// trainer.fit(&data, &FitConfig::new(3, 32))?;
/// assert!(trainer.evaluate(&data, 500)?.metric("accuracy").unwrap() > 0.9);
/// assert_eq!(trainer.predict(data.features(), 500)?.dims(), [1797, 10]);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub struct Trainer<'a> {
    model: Box<dyn ModuleT + 'a>,
    parameters: &'a dyn Parameters,
    optimizer: Box<dyn Optimize + 'a>,
    loss: Loss<'a>,
    training_loss: Option<Loss<'a>>,
    turns: Vec<Turn<'a>>,
    metrics: Vec<Box<dyn Metric + 'a>>,
    schedule: Option<Rate<'a>>,
    paces: Vec<Pace<'a>>,
    /// The optimiser's before the first schedule.
    initial_rates: Option<Vec<f64>>,
    callbacks: Vec<Box<dyn Callback + 'a>>,
    generators: Vec<(String, Generator)>,
}

impl<'a> Trainer<'a> {
    /// A trainer of this model, which reads these parameters, which the optimiser was made for.
    ///
    /// The loss takes what the model gave and the targets, and gives one element, a mean over the batch. Closures serve as
    /// models; one that needs to know whether it is trained goes through candle's `func_t`.
    pub fn new(
        model: impl ModuleT + 'a,
        parameters: &'a dyn Parameters,
        optimizer: Box<dyn Optimize + 'a>,
        loss: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Self {
        Self {
            model: Box::new(model),
            parameters,
            optimizer,
            loss: Box::new(loss),
            training_loss: None,
            turns: Vec::new(),
            metrics: Vec::new(),
            schedule: None,
            paces: Vec::new(),
            initial_rates: None,
            callbacks: Vec::new(),
            generators: Vec::new(),
        }
    }

    /// Has training minimise this, from a batch's features and targets, in place of the loss of what the model gives: with
    /// auxiliary losses on hidden layers, or anything else that evaluation leaves out.
    ///
    /// # Example
    /// ```
    /// use candle_nn::{VarBuilder, VarMap, linear, loss::cross_entropy};
    /// use sconce_core::candle_core::{DType, Device, Module, Tensor};
    /// use sconce_data::{TensorDataset, digits};
    /// use sconce_optim::{Adam, AdamConfig};
    /// use sconce_train::{FitConfig, Trainer};
    /// let digits = digits()?;
    /// let data = TensorDataset::new(&(digits.images.flatten_from(1)? / 16.)?, &digits.labels)?;
    /// let store = VarMap::new();
    /// let vb = VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu);
    /// let (hidden, head) = (linear(64, 32, vb.pp("hidden"))?, linear(32, 10, vb.pp("head"))?);
    /// let auxiliary = linear(32, 10, vb.pp("auxiliary"))?;
    ///
    /// let adam = Adam::new(&AdamConfig { lr: 0.01, ..AdamConfig::default() }, &store)?;
    /// let model = |x: &Tensor| head.forward(&hidden.forward(x)?.relu()?);
    /// let mut trainer = Trainer::new(model, &store, Box::new(adam), cross_entropy).with_training_loss(|x, labels| {
    ///     let hidden = hidden.forward(x)?;
    ///     let main = cross_entropy(&head.forward(&hidden.relu()?)?, labels)?;
    ///     main + (cross_entropy(&auxiliary.forward(&hidden)?, labels)? * 0.3)?
    /// });
    /// trainer.fit(&data, &FitConfig::new(3, 32))?;
    /// assert!(trainer.evaluate(&data, 500)?.loss < 0.5);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn with_training_loss(
        mut self,
        objective: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Self {
        self.training_loss = Some(Box::new(objective));
        self
    }

    /// Adds a loss with an optimiser of its own, which takes a step after each of the trainer's.
    pub fn with_turn(mut self, turn: Turn<'a>) -> Self {
        self.turns.push(turn);
        self
    }

    /// Adds a figure that evaluations report.
    pub fn with_metric(mut self, metric: impl Metric + 'a) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Adds something to be called between epochs.
    pub fn with_callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Has checkpoints hold the position of a generator that the model draws from, beside that of the process's default one.
    pub fn with_generator(mut self, name: &str, generator: &Generator) -> Self {
        self.generators.push((name.to_string(), generator.clone()));
        self
    }

    /// Has the learning rate of every step computed from where it is.
    pub fn with_schedule(mut self, schedule: impl Fn(&Position) -> f64 + 'a) -> Self {
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Has the optimiser's rates go by a schedule, one step of it after every batch or every epoch. Several multiply, as in
    /// PyTorch; each goes on from one [`fit`](Self::fit) to the next.
    ///
    /// # Errors
    /// The schedule's options are out of range, or it cycles momenta that the optimiser doesn't have.
    ///
    /// # Example
    /// ```
    /// # use sconce_core::candle_core::{DType, Device, Tensor};
    /// # use sconce_core::{Init, ParamStore, param};
    /// # use sconce_data::TensorDataset;
    /// use sconce_optim::schedule::{LinearLr, StepLr};
    /// use sconce_optim::{Sgd, SgdConfig};
    /// use sconce_train::{Every, FitConfig, Progress, Trainer};
    /// # let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// # let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
    /// # let x = Tensor::ones((8, 1), DType::F64, &Device::Cpu)?;
    /// # let data = TensorDataset::new(&x, &x)?;
    /// # let model = |x: &Tensor| x.matmul(&w.tensor());
    /// # let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    /// let sgd = Sgd::new(&SgdConfig { lr: 0.1, ..SgdConfig::default() }, &store)?;
    /// let mut trainer = Trainer::new(model, &store, Box::new(sgd), loss)
    ///     .with_scheduler(LinearLr::default(), Every::Batch)?
    ///     .with_scheduler(StepLr::new(1), Every::Epoch)?;
    /// let cfg = FitConfig { progress: Progress::Quiet, ..FitConfig::new(3, 2) };
    /// let history = trainer.fit(&data, &cfg)?;
    /// assert!((history.epochs[2].learning_rate - 0.001).abs() < 1e-15);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn with_scheduler(mut self, schedule: impl Schedule + 'a, every: Every) -> Result<Self> {
        let rates = self.optimizer.learning_rates();
        let initial = self.initial_rates.get_or_insert(rates);
        let pace = Pace::schedule(schedule, every, initial, self.optimizer.as_mut())?;
        self.paces.push(pace);
        Ok(self)
    }

    /// Lowers the optimiser's rates when the loss, that of the validation where there is one, stops falling from epoch to epoch.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn with_plateau(mut self, cfg: &ReduceLrOnPlateauConfig) -> Result<Self> {
        let pace = Pace::plateau(cfg, self.optimizer.as_ref())?;
        self.paces.push(pace);
        Ok(self)
    }

    /// Trains on a data set.
    ///
    /// # Errors
    /// An empty set, a batch size of 0 or a fraction that leaves a part empty; a parameter without a gradient; a loss that
    /// isn't finite (on the CPU the parameters are those before that step); any error of the model, the loss, the optimiser,
    /// the data or a callback.
    pub fn fit(&mut self, data: &dyn Dataset, cfg: &FitConfig<'_>) -> Result<History> {
        let split;
        let (train, validation): (&dyn Dataset, Option<&dyn Dataset>) = match cfg.validation {
            Validation::None => (data, None),
            Validation::Set(set) => (data, Some(set)),
            Validation::Last(fraction) => {
                split = Dataset::split_last(&data, fraction)?;
                (&split.0, Some(&split.1))
            }
        };
        if train.is_empty() {
            return Err(Error::Empty { set: "training" });
        }
        if validation.is_some_and(Dataset::is_empty) {
            return Err(Error::Empty { set: "validation" });
        }
        let loader_cfg = LoaderConfig {
            shuffle: cfg.shuffle,
            drop_last: cfg.drop_last,
            ..LoaderConfig::new(cfg.batch_size)
        };
        let loader = Loader::new(train, &loader_cfg)?;
        let report = Report::start(cfg.progress, cfg.epochs, loader.num_batches());
        for callback in &mut self.callbacks {
            callback.on_fit_start()?;
        }
        let result = Run::begin(self, cfg, &loader, &report).and_then(|run| run.finish(validation));
        // The end is the end, also of a run that failed.
        let ends: Vec<Result<()>> = self
            .callbacks
            .iter_mut()
            .map(|callback| callback.on_fit_end())
            .collect();
        let history = result?;
        ends.into_iter().collect::<Result<()>>()?;
        Ok(history)
    }

    /// The mean loss and the metrics over a whole data set.
    ///
    /// # Errors
    /// An empty set, a batch size of 0; any error of the model, the loss, a metric or the data.
    pub fn evaluate(&self, data: &dyn Dataset, batch_size: usize) -> Result<Scores> {
        self.scores(data, batch_size, "evaluation")
    }

    /// What the model gives for these features.
    ///
    /// # Shapes
    /// features `[samples, *]`, output `[samples, *]` as the model's
    ///
    /// # Errors
    /// No features, a batch size of 0; any error of the model.
    pub fn predict(&self, features: &Tensor, batch_size: usize) -> Result<Tensor> {
        let samples = features.dims().first().copied().unwrap_or(0);
        if samples == 0 {
            return Err(Error::Empty { set: "prediction" });
        }
        if batch_size == 0 {
            return Err(sconce_core::Error::config("predict", "batch_size", 0, "at least 1").into());
        }
        let device = self.device();
        let outputs = no_grad(|| {
            let batch = |start: usize| {
                let size = batch_size.min(samples - start);
                let x = features.narrow(0, start, size)?.to_device(&device)?;
                Ok(self.model.forward_t(&x, false)?.detach())
            };
            (0..samples)
                .step_by(batch_size)
                .map(batch)
                .collect::<candle_core::Result<Vec<_>>>()
        })?;
        Ok(Tensor::cat(&outputs, 0)?)
    }

    fn scores(&self, data: &dyn Dataset, batch_size: usize, set: &'static str) -> Result<Scores> {
        if data.is_empty() {
            return Err(Error::Empty { set });
        }
        let device = self.device();
        let loader = Loader::new(data, &LoaderConfig::new(batch_size))?;
        let mut accumulators: Vec<_> = self.metrics.iter().map(|metric| metric.start()).collect();
        let (mut sum, mut samples) = (0., 0);
        no_grad(|| {
            for batch in loader.epoch(0) {
                let (x, target) = batch?;
                let (x, target) = (x.to_device(&device)?, target.to_device(&device)?);
                let output = self.model.forward_t(&x, false)?;
                let rows = x.dims().first().copied().unwrap_or(0);
                sum += losses::value(&(self.loss)(&output, &target)?)? * rows as f64;
                samples += rows;
                for accumulator in &mut accumulators {
                    accumulator.update(&output, &target)?;
                }
            }
            Ok::<_, Error>(())
        })?;
        let mut metrics = Vec::new();
        for (metric, accumulator) in self.metrics.iter().zip(&accumulators) {
            metrics.push((metric.name().to_owned(), accumulator.value()));
            metrics.extend(accumulator.details());
        }
        Ok(Scores {
            loss: sum / samples as f64,
            metrics,
        })
    }

    fn device(&self) -> Device {
        let parameters = self.parameters.named_parameters();
        parameters
            .first()
            .map_or(Device::Cpu, |(_, var)| var.device().clone())
    }
}
