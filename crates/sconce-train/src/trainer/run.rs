//! One call of `fit`: epochs, steps, and the checkpoints between them.

use super::losses::Losses;
use super::{FitConfig, Position, Trainer, turn};
use crate::checkpoint::{Counts, Folder};
use crate::report::Report;
use crate::signals::Stop;
use crate::{End, EpochRecord, History, Result};
use candle_core::{Device, Tensor};
use sconce_data::{Dataset, Loader};
use std::ops::ControlFlow;
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
    pub(super) history: Vec<EpochRecord>,
    pub(super) end: End,
    /// That of the last step.
    pub(super) learning_rate: f64,
    /// When the epoch began, or the run was resumed in it, and what it took before.
    pub(super) since: Instant,
    pub(super) before: Duration,
    /// The figure of the best epoch so far.
    pub(super) best: Option<f64>,
}

impl<'r, 'a> Run<'r, 'a> {
    /// A run at its start, or where its last checkpoint was written.
    pub(super) fn begin(
        trainer: &'r mut Trainer<'a>,
        cfg: &'r FitConfig<'r>,
        loader: &'r Loader<&'r dyn Dataset>,
        report: &'r Report,
    ) -> Result<Self> {
        let (device, learning_rate) = (trainer.device(), trainer.optimizer.learning_rate());
        let (mut folder, mut stop) = (None, Stop::never());
        if let Some(checkpoints) = &cfg.checkpoints {
            folder = Some(Folder::open(checkpoints)?);
            if checkpoints.signals {
                stop = Stop::on_signals()?;
            }
        }
        let mut run = Self {
            losses: Vec::new(),
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
        };
        run.losses = run.no_losses();
        if let (Some(folder), Some(checkpoints)) = (&run.folder, &cfg.checkpoints) {
            match checkpoints.resume {
                true => {
                    if let Some((path, parts, content)) = folder.newest(|line| report.line(line))? {
                        run.restore(&path, parts, content)?;
                        report.line(&format!("resumed at step: {}", run.counts.step));
                    }
                }
                false => folder.expect_none()?,
            }
        }
        Ok(run)
    }

    /// Trains until all epochs are done, a callback wants no more or a signal comes.
    pub(super) fn finish(mut self, validation: Option<&dyn Dataset>) -> Result<History> {
        while self.end == End::Completed && self.counts.epoch < self.cfg.epochs {
            if self.train_epoch()?.is_break() {
                self.end = End::Interrupted;
                self.report
                    .line(&format!("interrupted after step {}", self.counts.step));
                break;
            }
            self.finish_epoch(validation)?;
        }
        Ok(History {
            epochs: self.history,
            end: self.end,
        })
    }

    fn train_epoch(&mut self) -> Result<ControlFlow<()>> {
        let (epoch, steps) = (self.counts.epoch, self.loader.num_batches());
        let mut bar = self.report.epoch(epoch + 1, self.counts.batch);
        for batch in self.loader.epoch_from(epoch as u64, self.counts.batch) {
            let (x, target) = batch?;
            let (x, target) = (x.to_device(&self.device)?, target.to_device(&self.device)?);
            let position = Position {
                epoch,
                step: epoch.saturating_mul(steps).saturating_add(self.counts.batch),
                steps: self.cfg.epochs.saturating_mul(steps),
            };
            self.step(&x, &target, &position)?;
            self.counts.batch += 1;
            self.counts.step += 1;
            bar.step(|| self.losses.first().map_or(f64::NAN, Losses::mean));
            let every = self
                .cfg
                .checkpoints
                .as_ref()
                .and_then(|checkpoints| checkpoints.every);
            let asked = self.stop.is_asked();
            if asked || every.is_some_and(|every| self.counts.step.is_multiple_of(every)) {
                self.save()?;
            }
            if asked {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn step(&mut self, x: &Tensor, target: &Tensor, position: &Position) -> Result<()> {
        let (cfg, report) = (self.cfg, self.report);
        let Trainer {
            model,
            parameters,
            optimizer,
            loss,
            training_loss,
            turns,
            schedule,
            paces,
            ..
        } = &mut *self.trainer;
        if let Some(schedule) = schedule {
            optimizer.set_learning_rate(schedule(position));
        }
        let value = match training_loss {
            Some(objective) => objective(x, target)?,
            None => loss(&model.forward_t(x, true)?, target)?,
        };
        let (first, samples) = (position.step == 0, x.dims().first().copied().unwrap_or(0));
        let mut losses = self.losses.iter_mut();
        if let Some(losses) = losses.next() {
            losses.push(&value, samples, position.epoch)?;
        }
        turn::step(&value, *parameters, optimizer.as_mut(), first, cfg, report)?;
        drop(value);
        for (turn, losses) in turns.iter_mut().zip(losses) {
            losses.push(
                &turn.take(x, target, first, cfg, report)?,
                samples,
                position.epoch,
            )?;
        }
        self.learning_rate = optimizer.learning_rate();
        for pace in paces {
            pace.after_batch(optimizer.as_mut())?;
        }
        Ok(())
    }

    /// Evaluates, tells everybody who wants to know, and writes a checkpoint.
    fn finish_epoch(&mut self, validation: Option<&dyn Dataset>) -> Result<()> {
        let validation = match validation {
            Some(set) => Some(self.trainer.scores(set, self.cfg.batch_size, "validation")?),
            None => None,
        };
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
            turns: turns.collect::<Result<_>>()?,
            validation,
            learning_rate: self.learning_rate,
            seconds: (self.before + self.since.elapsed()).as_secs_f64(),
        };
        (self.since, self.before) = (Instant::now(), Duration::ZERO);
        let Trainer {
            paces,
            optimizer,
            callbacks,
            ..
        } = &mut *self.trainer;
        for pace in paces {
            pace.after_epoch(&record, optimizer.as_mut())?;
        }
        self.report.epoch_end(&record);
        for callback in callbacks {
            if callback.on_epoch_end(&record)?.is_break() {
                self.end = End::Stopped;
            }
        }
        self.history.push(record);
        self.counts = Counts {
            epoch: epoch + 1,
            batch: 0,
            step: self.counts.step,
        };
        // Before the other, so that a run that is killed between the two writes both again.
        self.save_best()?;
        self.save()
    }

    /// One for the trainer and one for each turn.
    fn no_losses(&self) -> Vec<Losses> {
        let count = 1 + self.trainer.turns.len();
        (0..count).map(|_| Losses::new(&self.device)).collect()
    }

    fn save(&mut self) -> Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        let (parts, content) = self.snapshot()?;
        self.folder
            .as_ref()
            .map_or(Ok(()), |folder| folder.write(&parts, &content))
    }

    /// Writes the last epoch's checkpoint once more if it is the best.
    fn save_best(&mut self) -> Result<()> {
        let watched = self
            .cfg
            .checkpoints
            .as_ref()
            .and_then(|checkpoints| checkpoints.best);
        let (Some(watched), Some(record)) = (watched, self.history.last()) else {
            return Ok(());
        };
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
