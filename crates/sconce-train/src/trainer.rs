//! The training loop.

mod checks;
mod config;
mod descent;
mod evaluate;
mod losses;
mod pace;
mod probe;
mod rate_search;
mod rule;
mod run;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod turn;

use crate::report::Report;
use crate::{Callback, Error, History, Metric, Result};
use candle_core::{Device, ModuleT, Tensor};
pub use config::{Clip, FitConfig, MissingGradients, Position, Validation};
use descent::Descent;
pub use pace::Every;
use pace::Pace;
pub use probe::BatchCheck;
pub use rate_search::{RateSearch, RateSearchConfig};
use rule::Rule;
use run::Run;
use sconce_core::{Generator, Parameters};
use sconce_data::{Dataset, Loader, LoaderConfig};
use sconce_optim::schedule::{ReduceLrOnPlateauConfig, Schedule};
use sconce_optim::{Ema, EmaConfig, Minimize, Optimize};
use std::sync::Arc;
use step::Objective;
pub use step::TrainingStep;
pub use turn::Turn;

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
/// let mut trainer = Trainer::new(net, &store, Box::new(adam), loss).with_metric(Accuracy::default());
/// trainer.fit(&data, &FitConfig::new(3, 32))?;
/// assert!(trainer.evaluate(&data, 500)?.metric("accuracy").unwrap() > 0.9);
/// assert_eq!(trainer.predict(data.features(), 500)?.dims(), [1797, 10]);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub struct Trainer<'a> {
    model: Box<dyn ModuleT + 'a>,
    loss: Loss<'a>,
    descent: Descent<'a>,
    objective: Objective<'a>,
    /// Each that was given; there may be one.
    objectives: Vec<&'static str>,
    turns: Vec<Turn<'a>>,
    metrics: Vec<Box<dyn Metric + 'a>>,
    schedule: Option<Rate<'a>>,
    paces: Vec<Pace<'a>>,
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
        Self::of(model, parameters, Rule::Steps(optimizer), loss)
    }

    /// A trainer whose optimiser evaluates the loss itself, several times a step: L-BFGS. Each batch is a step, so that mostly the
    /// whole set is one batch.
    ///
    /// Such a rule takes its steps by [`fit`](Self::fit) with [`accumulate`](FitConfig::accumulate) 1 and without
    /// [`clip`](FitConfig::clip), and a [training step](Self::with_training_step) of one's own can't drive it.
    ///
    /// # Example
    /// ```
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_core::{Init, ParamStore, param};
    /// use sconce_data::TensorDataset;
    /// use sconce_optim::{Lbfgs, LbfgsConfig, LineSearch};
    /// use sconce_train::{FitConfig, Trainer};
    /// let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// let w = param(&store.builder(), (2, 1), "w", &Init::Const(0.))?;
    /// let x = Tensor::new(&[[1., 0.], [1., 1.], [1., 2.]], &Device::Cpu)?;
    /// let data = TensorDataset::new(&x, &Tensor::new(&[[1.], [3.], [5.]], &Device::Cpu)?)?;
    /// let cfg = LbfgsConfig { line_search: LineSearch::StrongWolfe, ..LbfgsConfig::default() };
    /// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    /// let lbfgs = Box::new(Lbfgs::new(&cfg, &store)?);
    /// let mut trainer = Trainer::minimizing(|x: &Tensor| x.matmul(&w.tensor()), &store, lbfgs, loss);
    /// trainer.fit(&data, &FitConfig::new(3, 3))?;
    /// assert!(trainer.evaluate(&data, 3)?.loss < 1e-6);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn minimizing(
        model: impl ModuleT + 'a,
        parameters: &'a dyn Parameters,
        optimizer: Box<dyn Minimize + 'a>,
        loss: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Self {
        Self::of(model, parameters, Rule::Evaluates(optimizer), loss)
    }

    fn of(
        model: impl ModuleT + 'a,
        parameters: &'a dyn Parameters,
        rule: Rule<'a>,
        loss: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Self {
        Self {
            model: Box::new(model),
            loss: Box::new(loss),
            descent: Descent::new(parameters, rule),
            objective: Objective::Plain,
            objectives: Vec::new(),
            turns: Vec::new(),
            metrics: Vec::new(),
            schedule: None,
            paces: Vec::new(),
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
        self.objective = Objective::Loss(Box::new(objective));
        self.objectives.push("a training loss");
        self
    }

    /// Has training minimise Σ wᵢ·lᵢ / n over each batch of n samples: `losses` gives from what the model gave and the targets one
    /// loss a sample, and each sample of the set that `fit` is given has its weight, 1 to count as without. Evaluation goes by the
    /// trainer's loss.
    ///
    /// For weights by class, losses such as `cross_entropy_with` have an option of their own;
    /// [`balanced_class_weights`](crate::balanced_class_weights) computes them.
    ///
    /// # Errors
    /// A weight is negative or not finite. `fit`: there isn't one for each sample.
    ///
    /// # Example
    /// The second point counts three times as much as the first.
    /// ```
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_core::{Init, ParamStore, param};
    /// use sconce_data::TensorDataset;
    /// use sconce_optim::{Sgd, SgdConfig};
    /// use sconce_train::{FitConfig, Trainer};
    /// let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
    /// let x = Tensor::ones(2, DType::F64, &Device::Cpu)?;
    /// let data = TensorDataset::new(&x, &Tensor::new(&[0., 4.], &Device::Cpu)?)?;
    /// let sgd = Sgd::new(&SgdConfig { lr: 0.1, ..SgdConfig::default() }, &store)?;
    /// let squares = |y: &Tensor, target: &Tensor| (y - target)?.sqr();
    /// let mut trainer = Trainer::new(|x: &Tensor| x.broadcast_mul(&w.tensor()), &store, Box::new(sgd), |y, target| {
    ///     squares(y, target)?.mean_all()
    /// })
    /// .with_sample_weights([0.5, 1.5], squares)?;
    /// trainer.fit(&data, &FitConfig::new(100, 2))?;
    /// assert!((w.value().to_vec1::<f64>()?[0] - 3.).abs() < 1e-6);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn with_sample_weights(
        mut self,
        weights: impl Into<Vec<f64>>,
        losses: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Result<Self> {
        let weights = weights.into();
        if let Some((i, weight)) = (weights.iter().enumerate()).find(|(_, w)| !(w.is_finite() && **w >= 0.)) {
            let value = format!("{weight} at {i}");
            let expected = "finite numbers, at least 0";
            return Err(sconce_core::Error::config("Trainer", "sample_weights", value, expected).into());
        }
        self.objective = Objective::Weighted(Box::new(losses), weights);
        self.objectives.push("sample weights");
        Ok(self)
    }

    /// Has each batch trained on by a step of one's own, which gives the loss that is reported; all else of the run stays as it is:
    /// schedules, checks, accumulation, clipping, averages, checkpoints.
    ///
    /// # Example
    /// Sharpness-aware minimisation (Foret et al., 2021), by a function `perturb` that moves the parameters, would read
    /// `step.apply` at the moved place. Here a step trains on each batch and on its mirror image.
    /// ```
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_core::{Init, ParamStore, param};
    /// use sconce_data::TensorDataset;
    /// use sconce_optim::{Sgd, SgdConfig};
    /// use sconce_train::{FitConfig, Trainer, TrainingStep};
    /// let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
    /// let x = Tensor::new(&[1., 2., 3.], &Device::Cpu)?;
    /// let data = TensorDataset::new(&x, &(&x * 2.)?)?;
    /// let sgd = Sgd::new(&SgdConfig { lr: 0.05, ..SgdConfig::default() }, &store)?;
    /// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    /// let mut trainer = Trainer::new(|x: &Tensor| x.broadcast_mul(&w.tensor()), &store, Box::new(sgd), loss)
    ///     .with_training_step(|step: &mut TrainingStep<'_, '_>, x: &Tensor, target: &Tensor| {
    ///         let loss = step.loss(&step.forward(x)?, target)?;
    ///         step.apply(&loss)?;
    ///         let mirrored = step.loss(&step.forward(&x.neg()?)?, &target.neg()?)?;
    ///         step.apply(&mirrored)?;
    ///         Ok(loss)
    ///     });
    /// trainer.fit(&data, &FitConfig::new(50, 3))?;
    /// assert!((w.value().to_vec1::<f64>()?[0] - 2.).abs() < 1e-6);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn with_training_step(
        mut self,
        step: impl FnMut(&mut TrainingStep<'_, 'a>, &Tensor, &Tensor) -> Result<Tensor> + 'a,
    ) -> Self {
        self.objective = Objective::Step(Box::new(step));
        self.objectives.push("a training step");
        self
    }

    /// Has every step followed by an update of an exponential moving average of the parameters. Validation goes by the averages, and
    /// so do callbacks; training goes on from the parameters themselves, and the store has these at the end, unless a callback such
    /// as early stopping put others there. [`averages`](Self::averages) has the averages.
    ///
    /// # Errors
    /// The decay isn't between 0 and 1.
    ///
    /// # Example
    /// ```
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_core::{Init, ParamStore, param};
    /// use sconce_data::TensorDataset;
    /// use sconce_optim::{EmaConfig, Sgd, SgdConfig};
    /// use sconce_train::{FitConfig, Trainer};
    /// let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
    /// let x = Tensor::new(&[1.], &Device::Cpu)?;
    /// let data = TensorDataset::new(&x, &x)?;
    /// let sgd = Sgd::new(&SgdConfig { lr: 0.25, ..SgdConfig::default() }, &store)?;
    /// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    /// let mut trainer = Trainer::new(|x: &Tensor| x.broadcast_mul(&w.tensor()), &store, Box::new(sgd), loss)
    ///     .with_averages(&EmaConfig { decay: 0.5, ..EmaConfig::default() })?;
    /// trainer.fit(&data, &FitConfig::new(2, 1))?;
    /// let read = || w.value().to_vec1::<f64>();
    /// // After the steps it was 0.5 and 0.75.
    /// assert_eq!((read()?, trainer.averages().unwrap().within(&store, read)??), (vec![0.75], vec![0.625]));
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn with_averages(mut self, cfg: &EmaConfig) -> Result<Self> {
        self.descent.averages = Some(Ema::new(cfg)?);
        Ok(self)
    }

    /// The averages that [`with_averages`](Self::with_averages) asked for.
    pub fn averages(&mut self) -> Option<&mut Ema> {
        self.descent.averages.as_mut()
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
        let initial = self.descent.initial.learning_rates.iter();
        let initial: Vec<f64> = initial.map(|rate| rate.0).collect();
        let pace = Pace::schedule(schedule, every, &initial, &mut self.descent.optimizer)?;
        self.paces.push(pace);
        Ok(self)
    }

    /// Lowers the optimiser's rates when the loss, that of the validation where there is one, stops falling from epoch to epoch.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn with_plateau(mut self, cfg: &ReduceLrOnPlateauConfig) -> Result<Self> {
        let pace = Pace::plateau(cfg, &self.descent.optimizer)?;
        self.paces.push(pace);
        Ok(self)
    }

    /// Trains on a data set.
    ///
    /// # Errors
    /// An empty set, a batch size of 0 or a fraction that leaves a part empty; an option that is out of range; a parameter without a
    /// gradient; a loss or a gradient that isn't finite (on the CPU the parameters that it would have changed are those before that
    /// step); a figure that is watched and won't be there; any error of the model, the loss, the optimiser, the data or a callback.
    pub fn fit(&mut self, data: &dyn Dataset, cfg: &FitConfig<'_>) -> Result<History> {
        cfg.check()?;
        self.expect_plain_steps(cfg)?;
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
        self.expect_figures(cfg, validation.is_some())?;
        self.expect_own_names()?;
        self.expect_one_objective()?;
        self.expect_one_schedule()?;
        self.expect_weights(data.len())?;
        let loader = training_loader(train, cfg)?;
        let steps = (cfg.steps_per_epoch).unwrap_or(loader.num_batches().div_ceil(cfg.accumulate));
        let report = Report::start(cfg.progress, cfg.epochs, steps.saturating_mul(cfg.accumulate));
        // What didn't begin, such as for a checkpoint of another run, has no end.
        let run = Run::begin(self, cfg, &loader, (&report, steps))?;
        let result = run.finish(validation);
        // The end is the end, also of a run that failed.
        let ended = self.end_callbacks();
        let history = result?;
        ended?;
        Ok(history)
    }

    /// An error of one ends those that have begun.
    fn start_callbacks(&mut self) -> Result<()> {
        for i in 0..self.callbacks.len() {
            let started = self.callbacks.get_mut(i).map_or(Ok(()), |c| c.on_fit_start());
            if let Err(error) = started {
                for callback in self.callbacks.iter_mut().take(i) {
                    // What failed first is told.
                    _ = callback.on_fit_end();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// All of them, also if one fails; the first error.
    fn end_callbacks(&mut self) -> Result<()> {
        let ends = self.callbacks.iter_mut().map(|callback| callback.on_fit_end());
        let ends: Vec<Result<()>> = ends.collect();
        ends.into_iter().collect()
    }

    fn device(&self) -> Device {
        let parameters = self.descent.parameters.named_parameters();
        parameters
            .first()
            .map_or(Device::Cpu, |(_, var)| var.device().clone())
    }
}

/// The batches to train on.
fn training_loader<'d>(train: &'d dyn Dataset, cfg: &FitConfig<'_>) -> Result<Loader<&'d dyn Dataset>> {
    let options = LoaderConfig {
        shuffle: cfg.shuffle,
        drop_last: cfg.drop_last,
        ..LoaderConfig::new(cfg.batch_size)
    };
    let loader = match &cfg.sampler {
        None => Loader::new(train, &options)?,
        Some(sampler) => Loader::with_batches(train, Arc::clone(sampler))?,
    };
    if loader.num_batches() == 0 {
        let expected = "at least one batch";
        let got = format!("none, of {} samples", train.len());
        return Err(sconce_core::Error::config("FitConfig", "batches", got, expected).into());
    }
    Ok(loader)
}
