//! A run as a checkpoint, and back.

use super::run::Run;
use crate::checkpoint::{Content, Number, Parts, Recipe};
use crate::{End, Error, Result};
use candle_core::{Device, Tensor, Var};
use sconce_core::Parameters;
use sconce_optim::Optimize;
use std::path::Path;
use std::time::Duration;

const MODEL: &str = "model";
const OPTIMIZER: &str = "optimizer";
const RATES: &str = "rates";
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
        let mut content = Content::new(self.counts, self.recipe(), &self.history);
        let generators = self.trainer.generators().into_iter();
        content.generators = generators
            .map(|(name, generator)| (name, (generator.seed(), generator.position())))
            .collect();
        for losses in &mut self.losses {
            let (sum, samples, steps) = losses.sums(self.counts.epoch)?;
            content.losses.push((Number(sum), samples, steps));
        }
        content.learning_rate = Number(self.learning_rate);
        content.seconds = Number((self.before + self.since.elapsed()).as_secs_f64());
        content.best = self.best.map(Number);
        content.stopped = self.end == End::Stopped;
        Ok((parts, content))
    }

    /// Goes where a checkpoint was written. What is not this run's is an error.
    pub(super) fn restore(&mut self, path: &Path, mut parts: Parts, content: Content) -> Result<()> {
        let mismatch = |problem: String| Error::checkpoint(path, problem);
        self.check(&content).map_err(mismatch)?;
        let trainer = &mut *self.trainer;
        let mut updates = Vec::new();
        for (part, descent) in trainer.descents() {
            updates.extend(fitting(path, &parts.take(&of(part, MODEL)), descent.parameters)?);
        }
        let misfit = |error: Error| Error::checkpoint(path, error);
        for (part, descent) in trainer.descents_mut() {
            set_optimizer(&mut parts, &of(part, OPTIMIZER), &mut descent.optimizer).map_err(misfit)?;
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
        for (i, callback) in trainer.callbacks.iter_mut().enumerate() {
            callback
                .load_state(&parts.take(&format!("callback.{i}")))
                .map_err(misfit)?;
        }
        for (i, metric) in self.metrics.iter_mut().enumerate() {
            metric
                .load_state(&parts.take(&format!("metric.{i}")))
                .map_err(|error| misfit(error.into()))?;
        }
        if let Some(part) = parts.rest() {
            return Err(mismatch(other("has", part)));
        }
        for (var, value) in updates {
            // candle can't set nothing to nothing.
            if var.elem_count() > 0 {
                var.set(&value)?;
            }
        }
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
        self.before = Duration::try_from_secs_f64(content.seconds.0).unwrap_or_default();
        self.best = content.best.map(|figure| figure.0);
        if content.stopped {
            self.end = End::Stopped;
        }
        self.history = content.history;
        Ok(())
    }

    /// An error unless the checkpoint is that of such a run.
    fn check(&self, content: &Content) -> Result<(), String> {
        let (was, is) = (&content.recipe, &self.recipe());
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
        Ok(())
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            samples: self.loader.dataset().len(),
            batch_size: self.cfg.batch_size,
            shuffle: self.cfg.shuffle,
            drop_last: self.cfg.drop_last,
            sampler: (self.cfg.sampler.as_ref())
                .map(|sampler| format!("{:08x}", crc32fast::hash(format!("{sampler:?}").as_bytes()))),
            accumulate: self.cfg.accumulate,
            steps_per_epoch: self.cfg.steps_per_epoch,
            train_metrics: self.cfg.train_metrics,
        }
    }
}

/// A part of the trainer's own, or of a turn.
fn of(turn: Option<&str>, part: &str) -> String {
    match turn {
        None => part.to_string(),
        Some(turn) => format!("turn.{turn}/{part}"),
    }
}

fn other(how: &str, part: &str) -> String {
    format!("is of another run: it {how} {part}")
}

fn values(parameters: &dyn Parameters) -> Vec<(String, Tensor)> {
    let all = parameters.named_tensors().into_iter();
    all.map(|(name, var)| (name, var.as_detached_tensor())).collect()
}

/// Each tensor of a store with its value in the file, which must have all of them and no others.
fn fitting(
    path: &Path,
    saved: &[(String, Tensor)],
    parameters: &dyn Parameters,
) -> Result<Vec<(Var, Tensor)>> {
    let all = parameters.named_tensors();
    if let Some((name, _)) = saved
        .iter()
        .find(|(name, _)| !all.iter().any(|(own, _)| own == name))
    {
        return Err(Error::checkpoint(path, other("has", name)));
    }
    let mut updates = Vec::new();
    for (name, var) in all {
        let Some((_, value)) = saved.iter().find(|(saved, _)| *saved == name) else {
            return Err(Error::checkpoint(path, other("lacks", &name)));
        };
        if value.dims() != var.dims() || value.dtype() != var.dtype() {
            let kind = |tensor: &Tensor| format!("{:?} {:?}", tensor.dtype(), tensor.dims());
            let problem = format!(
                "is of another run: its {name} is {}, and this model's {}",
                kind(value),
                kind(&var)
            );
            return Err(Error::checkpoint(path, problem));
        }
        let value = value.to_device(var.device())?;
        updates.push((var, value));
    }
    Ok(updates)
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

fn set_optimizer(parts: &mut Parts, part: &str, optimizer: &mut dyn Optimize) -> Result<()> {
    optimizer.load_state(&parts.take(part))?;
    for (name, values) in parts.take(&format!("{part}-{RATES}")) {
        let values = values.to_vec1::<f64>()?;
        match name.as_str() {
            "lr" => optimizer.set_learning_rates(&values)?,
            _ => optimizer.set_momenta(&values)?,
        }
    }
    Ok(())
}
