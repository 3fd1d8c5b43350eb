//! A run as a checkpoint, and back.

use super::descent::Descent;
use super::pace::Pace;
use super::run::Run;
use super::{FitConfig, Trainer};
use crate::checkpoint::{Content, MODEL, Number, Parts, Rates, Recipe, TURN, Times, fitting, other, set};
use crate::{End, Error, Result};
use candle_core::{Device, Tensor};
use sconce_core::Parameters;
use sconce_optim::Optimize;
use std::path::Path;
use std::time::Duration;

const OPTIMIZER: &str = "optimizer";
const RATES: &str = "rates";
const LEARNING_RATES: &str = "learning rates";
const ACCUMULATED: &str = "accumulated";
const AVERAGES: &str = "averages";

impl Run<'_, '_> {
    /// Everything that the rest of the run depends on.
    pub(super) fn snapshot(&mut self) -> Result<(Parts, Content)> {
        let mut parts = Parts::default();
        let trainer = &*self.trainer;
        for (part, descent) in trainer.descents() {
            parts.add(&of(part, MODEL), values(descent.parameters));
            add_optimizer(&mut parts, &of(part, OPTIMIZER), &descent.optimizer)?;
            parts.add(&of(part, ACCUMULATED), descent.accumulated.state()?);
            if let Some(averages) = &descent.averages {
                parts.add(&of(part, AVERAGES), averages.state()?);
            }
        }
        for (i, pace) in trainer.paces.iter().enumerate() {
            parts.add(&format!("schedule.{i}"), pace.state(&trainer.descent.optimizer)?);
        }
        for (i, callback) in trainer.callbacks.iter().enumerate() {
            parts.add(&format!("callback.{i}"), callback.state()?);
        }
        for (i, metric) in self.metrics.iter().enumerate() {
            parts.add(&format!("metric.{i}"), metric.state()?);
        }
        let mut content = Content::new(self.counts, self.recipe.clone(), &self.history);
        let descents = trainer.descents();
        content.frozen = descents
            .map(|(part, descent)| (of(part, MODEL), descent.parameters.frozen_names()))
            .collect();
        let generators = self.trainer.generators().into_iter();
        content.generators = generators
            .map(|(name, generator)| (name, (generator.seed(), generator.position())))
            .collect();
        for losses in &mut self.losses {
            let (sum, samples, steps) = losses.sums(self.counts.epoch)?;
            content.losses.push((Number(sum), samples, steps));
        }
        content.learning_rate = Number(self.learning_rate);
        content.best = self.best.map(Number);
        content.stopped = self.end == End::Stopped;
        Ok((parts, content))
    }

    /// What belongs to a checkpoint and is in none.
    pub(super) fn times(&self) -> Times {
        Times {
            epochs: self.history.iter().map(|record| record.seconds).collect(),
            step: self.counts.step,
            seconds: (self.before + self.since.elapsed()).as_secs_f64(),
        }
    }

    /// Goes where a checkpoint was written, which [`check`](Self::check) has let pass. What is not this run's is an error.
    pub(super) fn restore(
        &mut self,
        path: &Path,
        mut parts: Parts,
        content: Content,
        times: &Times,
    ) -> Result<()> {
        let mismatch = |problem: String| Error::checkpoint(path, problem);
        let trainer = &mut *self.trainer;
        let (mut updates, mut freezes) = (Vec::new(), Vec::new());
        for (part, descent) in trainer.descents() {
            let (part, parameters) = (of(part, MODEL), descent.parameters);
            updates.extend(fitting(path, &parts.take(&part), parameters)?);
            let frozen = content.frozen.get(&part).map_or(&[][..], Vec::as_slice);
            let changes = freezing(frozen, parameters).map_err(mismatch)?;
            freezes.extend(
                changes
                    .into_iter()
                    .map(|(name, frozen)| (parameters, name, frozen)),
            );
        }
        let misfit = |error: Error| Error::checkpoint(path, error);
        for ((part, descent), was) in trainer.descents_mut().zip(&content.recipe.rates) {
            set_optimizer(&mut parts, &of(part, OPTIMIZER), descent, was).map_err(misfit)?;
            (descent.accumulated)
                .load_state(&parts.take(&of(part, ACCUMULATED)), descent.parameters)
                .map_err(|error| misfit(error.into()))?;
            if let Some(averages) = &mut descent.averages {
                averages
                    .load_state(&parts.take(&of(part, AVERAGES)), descent.parameters)
                    .map_err(|error| misfit(error.into()))?;
            }
        }
        for (i, pace) in trainer.paces.iter_mut().enumerate() {
            pace.load_state(
                &parts.take(&format!("schedule.{i}")),
                &mut trainer.descent.optimizer,
            )
            .map_err(|error| misfit(error.into()))?;
        }
        let callbacks = (0..trainer.callbacks.len()).map(|i| parts.take(&format!("callback.{i}")));
        let callbacks: Vec<_> = callbacks.collect();
        for (i, metric) in self.metrics.iter_mut().enumerate() {
            metric
                .load_state(&parts.take(&format!("metric.{i}")))
                .map_err(|error| misfit(error.into()))?;
        }
        if let Some(part) = parts.rest() {
            return Err(mismatch(other("has", part)));
        }
        // The last that may not fit.
        for (callback, state) in self.trainer.callbacks.iter_mut().zip(&callbacks) {
            callback.load_state(state).map_err(misfit)?;
        }
        for (parameters, name, frozen) in freezes {
            parameters.set_frozen(&name, frozen)?;
        }
        set(&updates)?;
        for (name, generator) in self.trainer.generators() {
            if let Some(&(seed, position)) = content.generators.get(&name) {
                generator.restore(seed, position);
            }
        }
        for (losses, (sum, samples, steps)) in self.losses.iter_mut().zip(&content.losses) {
            losses.set_sums((sum.0, *samples, *steps));
        }
        self.counts = content.counts;
        self.learning_rate = content.learning_rate.0;
        self.best = content.best.map(|figure| figure.0);
        if content.stopped {
            self.end = End::Stopped;
        }
        self.history = content.history;
        for (record, seconds) in self.history.iter_mut().zip(&times.epochs) {
            record.seconds = *seconds;
        }
        if times.step == self.counts.step {
            self.before = Duration::try_from_secs_f64(times.seconds).unwrap_or_default();
        }
        Ok(())
    }

    /// An error unless the checkpoint is that of such a run. What it may do otherwise is told.
    pub(super) fn check(&self, content: &Content, mut tell: impl FnMut(&str)) -> Result<(), String> {
        let (was, is) = (&content.recipe, &self.recipe);
        let names = was.settings.keys().chain(is.settings.keys());
        for name in names {
            let [was, is] = [was, is].map(|recipe| recipe.settings.get(name).map_or("none", String::as_str));
            if was != is {
                return Err(format!("is of a run with {name} {was}, and this one has {is}"));
            }
        }
        let turns = |losses: usize| losses.saturating_sub(1).to_string();
        let pairs = [
            ("samples", was.samples.to_string(), is.samples.to_string()),
            (
                "batch_size",
                was.batch_size.to_string(),
                is.batch_size.to_string(),
            ),
            (
                "shuffle",
                format!("{:?}", was.shuffle),
                format!("{:?}", is.shuffle),
            ),
            ("drop_last", was.drop_last.to_string(), is.drop_last.to_string()),
            (
                "sampler",
                format!("{:?}", was.sampler),
                format!("{:?}", is.sampler),
            ),
            (
                "accumulate",
                was.accumulate.to_string(),
                is.accumulate.to_string(),
            ),
            (
                "steps_per_epoch",
                format!("{:?}", was.steps_per_epoch),
                format!("{:?}", is.steps_per_epoch),
            ),
            (
                "train_metrics",
                was.train_metrics.to_string(),
                is.train_metrics.to_string(),
            ),
            ("turns", turns(content.losses.len()), turns(self.losses.len())),
            ("optimizer", was.optimizers.join(", "), is.optimizers.join(", ")),
            ("schedules", listed(&was.schedules), listed(&is.schedules)),
        ];
        if let Some((what, was, is)) = pairs.iter().find(|(_, was, is)| was != is) {
            return Err(format!("is of a run with {what} {was}, and this one has {is}"));
        }
        let own: Vec<String> = self
            .trainer
            .generators()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        if let Some(name) = own.iter().find(|name| !content.generators.contains_key(*name)) {
            return Err(other("lacks", &format!("generator {name}")));
        }
        if let Some(name) = content.generators.keys().find(|name| !own.contains(name)) {
            return Err(other("has", &format!("generator {name}")));
        }
        for ((i, was), is) in was.rates.iter().enumerate().zip(&is.rates) {
            let pairs = [
                (LEARNING_RATES, &was.learning_rates, &is.learning_rates),
                ("momenta", &was.momenta, &is.momenta),
            ];
            for (what, was, is) in pairs {
                let Some(is) = given_anew(was, is) else {
                    continue;
                };
                let was = numbers(was);
                // Schedules count from the rates that they were given.
                if i == 0 && !self.trainer.paces.is_empty() {
                    return Err(format!(
                        "is of a run whose schedules start from {what} {was:?}, and this one's from {is:?}"
                    ));
                }
                // It may go by the rate that the rule was given, or by none.
                let own = i == 0 && what == LEARNING_RATES && self.trainer.schedule.is_some();
                let decides = if own {
                    ", as far as the function of with_schedule goes by them"
                } else {
                    ""
                };
                tell(&format!("{what} {is:?} from here on, no longer {was:?}{decides}"));
            }
        }
        Ok(())
    }
}

/// What must be the same for a run to go on.
pub(super) fn recipe(trainer: &Trainer<'_>, cfg: &FitConfig<'_>, samples: usize) -> Recipe {
    let rules = trainer.descents();
    let own = trainer
        .schedule
        .iter()
        .map(|_| "one of its own by Trainer::with_schedule");
    Recipe {
        samples,
        batch_size: cfg.batch_size,
        shuffle: cfg.shuffle,
        drop_last: cfg.drop_last,
        sampler: (cfg.sampler.as_ref())
            .map(|sampler| format!("{:08x}", crc32fast::hash(format!("{sampler:?}").as_bytes()))),
        accumulate: cfg.accumulate,
        steps_per_epoch: cfg.steps_per_epoch,
        train_metrics: cfg.train_metrics,
        optimizers: rules
            .map(|(_, descent)| descent.optimizer.name().to_string())
            .collect(),
        rates: trainer
            .descents()
            .map(|(_, descent)| descent.initial.clone())
            .collect(),
        schedules: own
            .chain(trainer.paces.iter().map(Pace::name))
            .map(str::to_string)
            .collect(),
        settings: (cfg.checkpoints.as_ref()).map_or_else(Default::default, |c| c.settings.clone()),
    }
}

fn listed(names: &[String]) -> String {
    match names.is_empty() {
        true => "none".to_string(),
        false => names.join(", "),
    }
}

/// What has to be frozen, and what trained again, so that these parameters are the frozen ones.
fn freezing(frozen: &[String], parameters: &dyn Parameters) -> Result<Vec<(String, bool)>, String> {
    let (now, all) = (parameters.frozen_names(), parameters.named_tensors());
    if let Some(name) = frozen
        .iter()
        .find(|name| !all.iter().any(|(own, _)| own == *name))
    {
        return Err(other("has", name));
    }
    let freeze = frozen.iter().filter(|name| !now.contains(name));
    let train = now.iter().filter(|name| !frozen.contains(name));
    let changes = freeze
        .map(|name| (name, true))
        .chain(train.map(|name| (name, false)));
    Ok(changes.map(|(name, frozen)| (name.clone(), frozen)).collect())
}

/// A part of the trainer's own, or of a turn.
fn of(turn: Option<&str>, part: &str) -> String {
    match turn {
        None => part.to_string(),
        Some(turn) => format!("{TURN}{turn}/{part}"),
    }
}

fn values(parameters: &dyn Parameters) -> Vec<(String, Tensor)> {
    let all = parameters.named_tensors().into_iter();
    all.map(|(name, var)| (name, var.as_detached_tensor())).collect()
}

fn add_optimizer(parts: &mut Parts, part: &str, optimizer: &dyn Optimize) -> Result<()> {
    parts.add(part, optimizer.state()?);
    let numbers = |values: Vec<f64>| Tensor::new(values, &Device::Cpu);
    let rates = [
        ("lr", optimizer.learning_rates()),
        ("momentum", optimizer.momenta()),
    ];
    for (name, values) in rates {
        if !values.is_empty() {
            parts.add(&format!("{part}-{RATES}"), [(name.to_string(), numbers(values)?)]);
        }
    }
    Ok(())
}

/// Its state and rates.
fn set_optimizer(parts: &mut Parts, part: &str, descent: &mut Descent<'_>, was: &Rates) -> Result<()> {
    let (optimizer, is) = (&mut descent.optimizer, &descent.initial);
    optimizer.load_state(&parts.take(part))?;
    for (name, values) in parts.take(&format!("{part}-{RATES}")) {
        let saved = values.to_vec1::<f64>()?;
        match name.as_str() {
            "lr" => optimizer
                .set_learning_rates(&given_anew(&was.learning_rates, &is.learning_rates).unwrap_or(saved))?,
            _ => optimizer.set_momenta(&given_anew(&was.momenta, &is.momenta).unwrap_or(saved))?,
        }
    }
    Ok(())
}

/// What the program gives a rule, if it is no longer what it gave it when the checkpoint's run began: it counts from here on.
fn given_anew(was: &[Number], is: &[Number]) -> Option<Vec<f64>> {
    (was != is).then(|| numbers(is))
}

fn numbers(of: &[Number]) -> Vec<f64> {
    of.iter().map(|number| number.0).collect()
}
