//! Before a long run: a batch through everything, and whether one can be learnt by heart.

use super::descent::{Descent, Moment};
use super::step::{Batch, first_value};
use super::{FitConfig, Position, Trainer, losses, training_loader};
use crate::report::Progress;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sconce_core::{Generator, default_generator, no_grad};
use sconce_data::Dataset;
use sconce_optim::{Ema, GradientAccumulator, GradientCheck, Optimize};
use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

/// The name of the process's default generator.
const DEFAULT: &str = "default";

/// What came of one batch through everything, from [`Trainer::check_batch`].
#[derive(Debug, Clone, PartialEq)]
pub struct BatchCheck {
    /// The shape of the batch's features.
    pub features: Vec<usize>,
    /// The shape of its targets.
    pub targets: Vec<usize>,
    /// The shape of what the model gave.
    pub output: Vec<usize>,
    /// The loss in evaluation, and after one step of training.
    pub losses: (f64, f64),
    /// Each metric's name and its value on the batch before the step.
    pub metrics: Vec<(String, f64)>,
    /// Parameters whose gradient is missing, all 0 or not finite: of the trainer, then of each turn.
    pub gradients: Vec<GradientCheck>,
    /// How long the training step took.
    pub step: Duration,
}

impl BatchCheck {
    /// Whether every parameter gets a gradient to go by.
    pub fn is_clean(&self) -> bool {
        self.gradients.iter().all(GradientCheck::is_clean)
    }
}

/// A line a finding.
impl fmt::Display for BatchCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "features {:?}, targets {:?}, output {:?}",
            self.features, self.targets, self.output
        )?;
        writeln!(
            f,
            "loss {:.4}, after a step of {:.1} ms {:.4}",
            self.losses.0,
            self.step.as_secs_f64() * 1e3,
            self.losses.1
        )?;
        for (name, value) in &self.metrics {
            writeln!(f, "{name} {value:.4}")?;
        }
        match self.is_clean() {
            true => write!(f, "every parameter has a gradient"),
            false => {
                let found: Vec<String> = (self.gradients.iter())
                    .filter(|found| !found.is_clean())
                    .map(GradientCheck::to_string)
                    .collect();
                write!(f, "{}", found.join("\n"))
            }
        }
    }
}

impl<'a> Trainer<'a> {
    /// Sends the first batch through all that a run does: model, loss, metrics, gradients, a step of each optimiser. Afterwards
    /// parameters, buffers, optimisers and generators are as they were.
    ///
    /// What no store and no [`with_generator`](Self::with_generator) tells of, such as a state that a closure keeps, can't be put
    /// back.
    ///
    /// # Errors
    /// An empty set, a batch size of 0; any error of a part. Missing gradients are findings, not errors.
    ///
    /// # Example
    /// ```
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_core::{Init, ParamStore, param};
    /// use sconce_data::TensorDataset;
    /// use sconce_optim::{Sgd, SgdConfig};
    /// use sconce_train::Trainer;
    /// let store = ParamStore::new(DType::F64, &Device::Cpu);
    /// let w = param(&store.builder(), 1, "w", &Init::Const(1.))?;
    /// let forgotten = param(&store.builder(), 1, "forgotten", &Init::Const(1.))?;
    /// let x = Tensor::new(&[1., 3.], &Device::Cpu)?;
    /// let data = TensorDataset::new(&x, &x)?;
    /// let sgd = Sgd::new(&SgdConfig { lr: 0.025, ..SgdConfig::default() }, &store)?;
    /// let model = |x: &Tensor| x.broadcast_mul(&(w.tensor() * 2.)?);
    /// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    /// let check = Trainer::new(model, &store, Box::new(sgd), loss).check_batch(&data, 2)?;
    /// assert_eq!((check.output.as_slice(), check.losses.0), (&[2][..], 5.));
    /// assert!(check.losses.1 < 1.);
    /// assert_eq!(check.gradients[0].missing, ["forgotten"]);
    /// assert_eq!(w.value().to_vec1::<f64>()?, [1.]);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn check_batch(&mut self, data: &dyn Dataset, batch_size: usize) -> Result<BatchCheck> {
        let cfg = probing(batch_size);
        let (features, target, indices) = self.first_batch(data, &cfg)?;
        self.untouched(|trainer| {
            let judge = |trainer: &Self| {
                no_grad(|| {
                    let output = trainer.model.forward_t(&features, false)?;
                    Ok::<_, Error>((losses::value(&(trainer.loss)(&output, &target)?)?, output))
                })
            };
            let (before, output) = judge(trainer)?;
            let mut metrics = Vec::new();
            for metric in &trainer.metrics {
                let mut accumulator = metric.start();
                accumulator.update(&output.detach(), &target)?;
                metrics.push((metric.name().to_owned(), accumulator.value()));
            }
            let found = RefCell::new(Vec::new());
            let first = |check: GradientCheck| {
                found.borrow_mut().push(check);
                Ok(())
            };
            let moment = Moment {
                samples: indices.len(),
                first: Some(&first),
                ..at(&cfg, 0, 1)
            };
            let batch = Batch {
                features: features.clone(),
                target: target.clone(),
                indices: &indices,
            };
            let start = Instant::now();
            trainer.take_step(&batch, moment, &mut [])?;
            let step = start.elapsed();
            Ok(BatchCheck {
                features: features.dims().to_vec(),
                targets: target.dims().to_vec(),
                output: output.dims().to_vec(),
                losses: (before, judge(trainer)?.0),
                metrics,
                gradients: found.take(),
                step,
            })
        })
    }

    /// Trains on the first batch alone, for so many steps, and gives the loss before each: a model that can't learn one batch by
    /// heart has a fault that no data will mend. Afterwards all is as it was, as after [`check_batch`](Self::check_batch).
    ///
    /// # Errors
    /// Those of a run. Schedules take no part.
    ///
    /// # Example
    /// ```
    /// use candle_nn::{VarBuilder, VarMap, linear, loss::cross_entropy};
    /// use sconce_core::candle_core::{DType, Device, Tensor};
    /// use sconce_data::{TensorDataset, digits};
    /// use sconce_optim::{Adam, AdamConfig};
    /// use sconce_train::Trainer;
    /// let digits = digits()?;
    /// let data = TensorDataset::new(&(digits.images.flatten_from(1)? / 16.)?, &digits.labels)?;
    /// let store = VarMap::new();
    /// let net = linear(64, 10, VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu))?;
    /// let adam = Adam::new(&AdamConfig { lr: 0.1, ..AdamConfig::default() }, &store)?;
    /// let losses = Trainer::new(net, &store, Box::new(adam), cross_entropy).overfit_batch(&data, 16, 50)?;
    /// assert!(losses[49] < 0.01 * losses[0]);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn overfit_batch(&mut self, data: &dyn Dataset, batch_size: usize, steps: usize) -> Result<Vec<f64>> {
        let cfg = probing(batch_size);
        let (features, target, indices) = self.first_batch(data, &cfg)?;
        let batch = Batch {
            features,
            target,
            indices: &indices,
        };
        self.untouched(|trainer| {
            let step = |step| {
                let moment = Moment {
                    samples: indices.len(),
                    ..at(&cfg, step, steps)
                };
                first_value(&trainer.take_step(&batch, moment, &mut [])?)
            };
            (0..steps).map(step).collect()
        })
    }

    /// On the parameters' device, with the samples' places in the set.
    fn first_batch(&self, data: &dyn Dataset, cfg: &FitConfig<'_>) -> Result<(Tensor, Tensor, Vec<usize>)> {
        if data.is_empty() {
            return Err(Error::Empty { set: "training" });
        }
        self.expect_weights(data.len())?;
        let loader = training_loader(data, cfg)?;
        let mut epoch = loader.epoch(0);
        let indices = epoch.batches().get(0).unwrap_or_default().to_vec();
        let (features, target) = epoch.next().ok_or(Error::Empty { set: "training" })??;
        let device = self.device();
        Ok((features.to_device(&device)?, target.to_device(&device)?, indices))
    }

    /// Runs `f`, whatever comes of it, and puts everything back: parameters, buffers, optimisers, averages, generators.
    pub(super) fn untouched<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let kept = Kept::of(self)?;
        let result = f(self);
        kept.put_back(self)?;
        result
    }

    /// What minimises a loss: the trainer's own, then each turn's, by name.
    pub(super) fn descents(&self) -> impl Iterator<Item = (Option<&'static str>, &Descent<'a>)> {
        let turns = self.turns.iter().map(|turn| (Some(turn.name), &turn.descent));
        std::iter::once((None, &self.descent)).chain(turns)
    }

    pub(super) fn descents_mut(&mut self) -> impl Iterator<Item = (Option<&'static str>, &mut Descent<'a>)> {
        let turns = self.turns.iter_mut();
        let turns = turns.map(|turn| (Some(turn.name), &mut turn.descent));
        std::iter::once((None, &mut self.descent)).chain(turns)
    }

    /// All generators that checkpoints tell of, by name.
    pub(super) fn generators(&self) -> Vec<(String, Generator)> {
        let mut all = vec![(DEFAULT.to_string(), default_generator())];
        all.extend(self.generators.iter().cloned());
        all
    }
}

/// A run of one batch that shows nothing.
pub(super) fn probing(batch_size: usize) -> FitConfig<'static> {
    FitConfig {
        progress: Progress::Quiet,
        ..FitConfig::new(1, batch_size)
    }
}

/// A step among so many, each of one batch.
pub(super) fn at<'m>(cfg: &'m FitConfig<'m>, step: usize, steps: usize) -> Moment<'m> {
    Moment {
        cfg,
        position: Position {
            epoch: 0,
            step,
            steps,
        },
        batch: step + 1,
        samples: 0,
        due: true,
        first: None,
    }
}

/// What a probe may change.
struct Kept {
    values: Vec<(Var, Tensor)>,
    descents: Vec<KeptDescent>,
    generators: Vec<(Generator, u64, u64)>,
}

struct KeptDescent {
    optimizer: Vec<(String, Tensor)>,
    learning_rates: Vec<f64>,
    momenta: Vec<f64>,
    accumulated: GradientAccumulator,
    averages: Option<Ema>,
}

impl Kept {
    fn of(trainer: &mut Trainer<'_>) -> Result<Self> {
        let mut values = Vec::new();
        for (_, descent) in trainer.descents() {
            for (_, var) in descent.parameters.named_tensors() {
                let value = var.as_detached_tensor().copy()?;
                values.push((var, value));
            }
        }
        let generators = trainer.generators().into_iter();
        let generators = generators.map(|(_, generator)| {
            let (seed, position) = (generator.seed(), generator.position());
            (generator, seed, position)
        });
        let generators = generators.collect();
        let kept = |(_, descent): (_, &mut Descent<'_>)| {
            Ok(KeptDescent {
                optimizer: descent.optimizer.state()?,
                learning_rates: descent.optimizer.learning_rates(),
                momenta: descent.optimizer.momenta(),
                accumulated: std::mem::take(&mut descent.accumulated),
                averages: descent.averages.take(),
            })
        };
        Ok(Self {
            values,
            descents: trainer.descents_mut().map(kept).collect::<Result<_>>()?,
            generators,
        })
    }

    fn put_back(self, trainer: &mut Trainer<'_>) -> Result<()> {
        for (var, value) in &self.values {
            // candle can't set nothing to nothing.
            if var.elem_count() > 0 {
                var.set(value)?;
            }
        }
        for ((_, descent), kept) in trainer.descents_mut().zip(self.descents) {
            descent.optimizer.load_state(&kept.optimizer)?;
            descent.optimizer.set_learning_rates(&kept.learning_rates)?;
            if !kept.momenta.is_empty() {
                descent.optimizer.set_momenta(&kept.momenta)?;
            }
            (descent.accumulated, descent.averages) = (kept.accumulated, kept.averages);
        }
        for (generator, seed, position) in self.generators {
            generator.restore(seed, position);
        }
        Ok(())
    }
}
