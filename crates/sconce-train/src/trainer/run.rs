//! One call of `fit`: epochs, steps, and the checkpoints between them.

use super::descent::{self, Moment};
use super::evaluate::figures;
use super::losses::Losses;
use super::state::recipe;
use super::step::Batch;
use super::{FitConfig, MissingGradients, Position, Trainer};
use crate::checkpoint::{Counts, Folder, Recipe};
use crate::report::{EpochBar, Report, Running};
use crate::signals::Stop;
use crate::{Accumulator, End, EpochRecord, Error, History, Result};
use candle_core::Device;
use sconce_core::Generator;
use sconce_data::{Dataset, Loader, Workers};
use sconce_optim::{GradientAccumulator, GradientCheck, Optimize};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// A run that is under way.
pub(super) struct Run<'r, 'a> {
    pub(super) trainer: &'r mut Trainer<'a>,
    pub(super) cfg: &'r FitConfig<'r>,
    pub(super) loader: &'r Loader<&'r dyn Dataset>,
    report: &'r Report,
    device: Device,
    folder: Option<Folder>,
    stop: Stop,
    pub(super) counts: Counts,
    /// The losses of the epoch's steps so far: the trainer's, then each turn's.
    pub(super) losses: Vec<Losses>,
    /// The metrics over the epoch's batches so far, where they are asked for.
    pub(super) metrics: Vec<Box<dyn Accumulator>>,
    pub(super) history: Vec<EpochRecord>,
    pub(super) end: End,
    /// That of the last step.
    pub(super) learning_rate: f64,
    /// When the epoch began, or the run was resumed in it, and what it took before.
    pub(super) since: Instant,
    pub(super) before: Duration,
    /// The figure of the best epoch so far.
    pub(super) best: Option<f64>,
    pub(super) recipe: Recipe,
    /// Steps of an epoch.
    per_epoch: usize,
    started: Instant,
    /// Whether this call of `fit` has trained on a batch.
    trained: bool,
}

impl<'r, 'a> Run<'r, 'a> {
    /// A run at its start, or where its last checkpoint was written.
    pub(super) fn begin(
        trainer: &'r mut Trainer<'a>,
        cfg: &'r FitConfig<'r>,
        loader: &'r Loader<&'r dyn Dataset>,
        (report, per_epoch): (&'r Report, usize),
    ) -> Result<Self> {
        let (device, learning_rate) = (trainer.device(), trainer.descent.optimizer.learning_rate());
        // What a run that broke off between two steps had gathered.
        for (_, descent) in trainer.descents_mut() {
            descent.accumulated = GradientAccumulator::new();
        }
        let (mut folder, mut stop) = (None, Stop::never());
        if let Some(checkpoints) = &cfg.checkpoints {
            folder = Some(Folder::open(checkpoints)?);
            if checkpoints.signals {
                stop = Stop::on_signals()?;
            }
        }
        let recipe = recipe(trainer, cfg, loader.dataset().len());
        let mut run = Self {
            recipe,
            per_epoch,
            losses: Vec::new(),
            metrics: Vec::new(),
            trainer,
            cfg,
            loader,
            report,
            device,
            folder,
            stop,
            counts: Counts::default(),
            history: Vec::new(),
            end: End::Completed,
            learning_rate,
            since: Instant::now(),
            before: Duration::ZERO,
            best: None,
            started: Instant::now(),
            trained: false,
        };
        (run.losses, run.metrics) = (run.no_losses(), run.no_metrics());
        let mut found = None;
        if let (Some(folder), Some(checkpoints)) = (&run.folder, &cfg.checkpoints) {
            match checkpoints.resume {
                true => found = folder.newest(|line| report.line(line))?,
                false => folder.expect_none()?,
            }
            match &found {
                Some((path, _, content)) => run
                    .check(content, |line| report.line(line))
                    .map_err(|problem| Error::checkpoint(path, problem))?,
                None => folder.expect_own_best(&run.recipe)?,
            }
        }
        run.trainer.start_callbacks()?;
        if let Some((path, parts, content)) = found {
            let times = run.folder.as_ref().map(Folder::times).unwrap_or_default();
            if let Err(error) = run.restore(&path, parts, content, &times) {
                // The run's error comes first.
                _ = run.trainer.end_callbacks();
                return Err(error);
            }
            report.line(&format!("resumed at step: {}", run.counts.step));
        }
        Ok(run)
    }

    /// Trains until all epochs are done, a callback wants no more, a signal comes or the time is up.
    pub(super) fn finish(mut self, validation: Option<&dyn Dataset>) -> Result<History> {
        while self.end == End::Completed && self.counts.epoch < self.cfg.epochs {
            let mut flow = self.train_epoch()?;
            if flow.is_continue() {
                flow = self.finish_epoch(validation)?;
            }
            if let ControlFlow::Break(end) = flow {
                self.end = end;
            }
        }
        // All is done and saved, but whoever asked wants the program to end.
        if self.stop.is_asked() {
            self.end = End::Interrupted;
        }
        let why = match self.end {
            End::TimeLimit => Some("time limit reached"),
            End::Interrupted => Some("interrupted"),
            _ => None,
        };
        if let Some(why) = why {
            self.report
                .line(&format!("{why} after step {}", self.counts.step));
        }
        Ok(History {
            epochs: self.history,
            end: self.end,
        })
    }

    fn train_epoch(&mut self) -> Result<ControlFlow<End>> {
        let (loader, workers) = (self.loader, Workers::new(self.cfg.workers));
        let in_epoch = (self.cfg.steps_per_epoch).map(|steps| steps.saturating_mul(self.cfg.accumulate));
        let mut bar = (self.report).epoch(self.counts.epoch + 1, self.counts.batch, self.history.last());
        std::thread::scope(|scope| {
            // A run may be resumed after the last step of an epoch.
            while in_epoch.is_none_or(|batches| self.counts.batch < batches) {
                let mut pass = loader.epoch_on(scope, &workers, self.counts.pass, self.counts.next);
                if pass.len() == 0 && in_epoch.is_none() {
                    break;
                }
                if pass.len() == 0 && self.counts.next == 0 {
                    let expected = "at least one batch each time through the training set";
                    return Err(sconce_core::Error::config("FitConfig", "sampler", "none", expected).into());
                }
                loop {
                    // A set may draw too, which matters only to a checkpoint.
                    let drawn = self.folder.as_ref().map(|_| self.drawn());
                    let Some(loaded) = pass.next() else { break };
                    let (features, target) = loaded.map_err(|error| {
                        put_back(drawn.as_deref().unwrap_or_default());
                        self.save_before(error.into())
                    })?;
                    let batch = Batch {
                        features: features.to_device(&self.device)?,
                        target: target.to_device(&self.device)?,
                        indices: pass.batches().get(self.counts.next).unwrap_or_default(),
                    };
                    let done = self.counts.batch + 1;
                    let last = in_epoch.map_or(pass.len() == 0, |batches| done == batches);
                    let due = last || done.is_multiple_of(self.cfg.accumulate);
                    self.step(&batch, due)?;
                    self.trained = true;
                    (self.counts.batch, self.counts.next) = (done, self.counts.next + 1);
                    self.counts.step += u64::from(due);
                    let end = self.after_batch(due, &mut bar)?;
                    if end.is_break() || last {
                        return Ok(end);
                    }
                }
                (self.counts.pass, self.counts.next) = (self.counts.pass + 1, 0);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Writes a checkpoint if it is time for one.
    fn after_batch(&mut self, due: bool, bar: &mut EpochBar) -> Result<ControlFlow<End>> {
        bar.step(|| Running {
            loss: self.losses.first().map_or(f64::NAN, Losses::mean),
            metrics: figures(&self.trainer.metrics, &self.metrics),
        });
        let checkpoints = self.cfg.checkpoints.as_ref();
        let every = checkpoints.and_then(|checkpoints| checkpoints.every);
        let end = asked_to_end(&mut self.stop, self.cfg.time_limit, self.started);
        if end.is_some() || (due && every.is_some_and(|every| self.counts.step.is_multiple_of(every))) {
            self.expect_finite()?;
            self.save()?;
        }
        Ok(end.map_or(ControlFlow::Continue(()), ControlFlow::Break))
    }

    /// Takes in a batch, by a step of the optimiser where it is due.
    fn step(&mut self, batch: &Batch<'_>, due: bool) -> Result<()> {
        let (cfg, report, epoch) = (self.cfg, self.report, self.counts.epoch);
        let position = Position {
            epoch,
            step: self.counts.step as usize,
            steps: cfg.epochs.saturating_mul(self.per_epoch),
        };
        let trainer = &mut *self.trainer;
        if let Some(schedule) = &trainer.schedule {
            trainer.descent.optimizer.set_learning_rate(schedule(&position));
        }
        let first = |found: GradientCheck| first_gradients(found, cfg, report);
        let moment = Moment {
            cfg,
            position,
            batch: self.counts.batch + 1,
            samples: batch.features.dims().first().copied().unwrap_or(0),
            due,
            first: (position.epoch == 0 && position.step == 0).then_some(&first),
        };
        let losses = trainer.take_step(batch, moment, &mut self.metrics)?;
        let turns = trainer.turns.iter().map(|turn| Some(turn.name));
        let whose = std::iter::once(None).chain(turns);
        for ((sum, loss), turn) in self.losses.iter_mut().zip(&losses).zip(whose) {
            let pushed = sum.push(loss, moment.samples, epoch);
            pushed.map_err(|error| error.of_turn(turn))?;
        }
        self.learning_rate = trainer.descent.optimizer.learning_rate();
        if due {
            for pace in &mut trainer.paces {
                pace.after_batch(&mut trainer.descent.optimizer)?;
            }
        }
        Ok(())
    }

    /// Evaluates, tells everybody who wants to know, and writes a checkpoint. A run that has to end while it evaluates, or can't
    /// evaluate, is saved as it was before, so that it evaluates when it goes on.
    fn finish_epoch(&mut self, validation: Option<&dyn Dataset>) -> Result<ControlFlow<End>> {
        self.expect_finite()?;
        let count = self.counts.epoch + 1;
        let due = count.is_multiple_of(self.cfg.validate_every) || count == self.cfg.epochs;
        let drawn = self.drawn();
        let mut averages = self.trainer.descent.averages.take();
        // A callback that panics mustn't take the averages with it.
        let result = catch_unwind(AssertUnwindSafe(|| match &mut averages {
            Some(averages) if averages.n_averaged() > 0 => {
                let parameters = self.trainer.descent.parameters;
                averages
                    .within(parameters, || self.close_epoch(validation, due))
                    .map_err(Error::from)
                    .flatten()
            }
            _ => self.close_epoch(validation, due),
        }));
        self.trainer.descent.averages = averages;
        let flow = result.unwrap_or_else(|panic| resume_unwind(panic))?;
        if flow.is_break() {
            put_back(&drawn);
        }
        if let ControlFlow::Break(Err(error)) = flow {
            return Err(self.save_before(error));
        }
        self.save()?;
        Ok(match flow {
            ControlFlow::Break(Ok(end)) => ControlFlow::Break(end),
            _ => ControlFlow::Continue(()),
        })
    }

    /// With the parameters that are judged, which are the averages where there are any. Breaks off before anything has changed if
    /// the evaluation has to end, or fails.
    fn close_epoch(
        &mut self,
        validation: Option<&dyn Dataset>,
        due: bool,
    ) -> Result<ControlFlow<Result<End>>> {
        let validated = validation.is_some();
        let mut scores = None;
        if let Some(set) = validation.filter(|_| due) {
            // The trainer is asked for its figures, and the run whether to go on.
            let (trainer, stop) = (&*self.trainer, &mut self.stop);
            // A run that is resumed here has to get on, however short its time is.
            let (limit, started) = (self.cfg.time_limit.filter(|_| self.trained), self.started);
            let asked = || asked_to_end(stop, limit, started);
            match trainer.scores(set, self.cfg.batch_size, "validation", asked) {
                Ok(ControlFlow::Continue(found)) => scores = Some(found),
                Ok(ControlFlow::Break(end)) => return Ok(ControlFlow::Break(Ok(end))),
                Err(error) => return Ok(ControlFlow::Break(Err(error))),
            }
        }
        let validation = scores;
        let train_metrics = figures(&self.trainer.metrics, &self.metrics);
        self.metrics = self.no_metrics();
        let fresh = self.no_losses();
        let mut losses = std::mem::replace(&mut self.losses, fresh).into_iter();
        let epoch = self.counts.epoch;
        let train_loss = losses
            .next()
            .map_or(Ok(f64::NAN), |losses| losses.finish(epoch))?;
        let names = self.trainer.turns.iter().map(|turn| turn.name.to_string());
        let turns = names
            .zip(losses)
            .map(|(name, losses)| Ok((name, losses.finish(epoch)?)));
        let record = EpochRecord {
            epoch: epoch + 1,
            train_loss,
            train_metrics,
            turns: turns.collect::<Result<_>>()?,
            validation,
            learning_rate: self.learning_rate,
            seconds: (self.before + self.since.elapsed()).as_secs_f64(),
        };
        (self.since, self.before) = (Instant::now(), Duration::ZERO);
        let trainer = &mut *self.trainer;
        for pace in &mut trainer.paces {
            pace.after_epoch(&record, validated, &mut trainer.descent.optimizer)?;
        }
        self.report.epoch_end(&record);
        for callback in &mut trainer.callbacks {
            if callback.on_epoch_end(&record)?.is_break() {
                self.end = End::Stopped;
            }
        }
        self.history.push(record);
        self.counts.epoch = epoch + 1;
        self.counts.batch = 0;
        if self.cfg.steps_per_epoch.is_none() {
            (self.counts.pass, self.counts.next) = (self.counts.pass + 1, 0);
        }
        // Before the epoch's own, so that a run that is killed between the two writes both again.
        self.save_best()?;
        Ok(ControlFlow::Continue(()))
    }

    /// Where the generators are.
    fn drawn(&self) -> Vec<Drawn> {
        let generators = self.trainer.generators().into_iter();
        generators
            .map(|(_, generator)| (generator.seed(), generator.position(), generator))
            .collect()
    }

    /// An error if a step has led to parameters that aren't finite.
    fn expect_finite(&self) -> Result<()> {
        let position = (self.counts.epoch + 1, self.counts.batch);
        for (turn, descent) in self.trainer.descents() {
            descent::expect_finite(descent.parameters, position).map_err(|error| error.of_turn(turn))?;
        }
        Ok(())
    }

    /// One for the trainer and one for each turn.
    fn no_losses(&self) -> Vec<Losses> {
        let count = 1 + self.trainer.turns.len();
        (0..count).map(|_| Losses::new(&self.device)).collect()
    }

    /// One for each metric, where they are asked for.
    fn no_metrics(&self) -> Vec<Box<dyn Accumulator>> {
        match self.cfg.train_metrics {
            true => self.trainer.metrics.iter().map(|metric| metric.start()).collect(),
            false => Vec::new(),
        }
    }

    fn save(&mut self) -> Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        let (parts, content) = self.snapshot()?;
        let times = self.times();
        self.folder
            .as_ref()
            .map_or(Ok(()), |folder| folder.write(&parts, &content, &times))
    }

    /// Writes a checkpoint of what was trained before this error, which no step has made, and gives the error back.
    fn save_before(&mut self, error: Error) -> Error {
        if self.trained && self.folder.is_some() {
            let saved = self.expect_finite().and_then(|()| self.save());
            if let Err(second) = saved {
                self.report
                    .line(&format!("WARNING: no checkpoint of the last steps: {second}"));
            }
        }
        error
    }

    /// Writes a checkpoint with the parameters that were judged if they are the best.
    fn save_best(&mut self) -> Result<()> {
        let watched = self
            .cfg
            .checkpoints
            .as_ref()
            .and_then(|checkpoints| checkpoints.best);
        let (Some(watched), Some(record)) = (watched, self.history.last()) else {
            return Ok(());
        };
        if record.validation.is_none() && watched.is_validated() {
            return Ok(());
        }
        let figure = watched.figure(record)?;
        if figure < self.best.unwrap_or(f64::INFINITY) {
            self.best = Some(figure);
            let (parts, content) = self.snapshot()?;
            if let Some(folder) = &self.folder {
                folder.write_best(&parts, &content)?;
            }
        }
        Ok(())
    }
}

/// A generator's seed and position at some time, and itself.
type Drawn = (u64, u64, Generator);

fn put_back(all: &[Drawn]) {
    for (seed, position, generator) in all {
        generator.restore(*seed, *position);
    }
}

/// Why a run has to end before its time, if it has to.
fn asked_to_end(stop: &mut Stop, limit: Option<Duration>, started: Instant) -> Option<End> {
    match stop.is_asked() {
        true => Some(End::Interrupted),
        false => limit
            .is_some_and(|limit| started.elapsed() >= limit)
            .then_some(End::TimeLimit),
    }
}

/// Names the parameters whose first gradients are nothing to go by.
fn first_gradients(found: GradientCheck, cfg: &FitConfig<'_>, report: &Report) -> Result<()> {
    if !found.zero.is_empty() {
        let names = found.zero.join(", ");
        report.line(&format!(
            "WARNING: in the first step the gradients of these parameters are all 0: {names}"
        ));
    }
    if found.missing.is_empty() {
        return Ok(());
    }
    let error = Error::MissingGradients { names: found.missing };
    match cfg.missing_gradients {
        MissingGradients::Refuse => Err(error),
        MissingGradients::Warn => {
            report.line(&format!("WARNING: {error}"));
            Ok(())
        }
    }
}
