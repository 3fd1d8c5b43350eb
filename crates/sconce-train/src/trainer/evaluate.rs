//! What a model gives and how good it is, without training.

use super::{Trainer, descent, losses};
use crate::{Accumulator, Error, Metric, Result, Scores};
use candle_core::Tensor;
use sconce_core::no_grad;
use sconce_data::{Dataset, Loader, LoaderConfig};
use std::convert::Infallible;
use std::ops::ControlFlow;

impl Trainer<'_> {
    /// The mean loss and the metrics over a whole data set. A loss that isn't finite is one of the figures, and metrics that have no
    /// value for such outputs are NaN.
    ///
    /// # Errors
    /// An empty set, a batch size of 0; any error of the model, the loss, a metric or the data.
    pub fn evaluate(&self, data: &dyn Dataset, batch_size: usize) -> Result<Scores> {
        match self.scores(data, batch_size, "evaluation", || None::<Infallible>)? {
            ControlFlow::Continue(scores) => Ok(scores),
            ControlFlow::Break(never) => match never {},
        }
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

    /// The figures over a set, unless there is a reason to stop, after which is asked before each batch.
    pub(super) fn scores<S>(
        &self,
        data: &dyn Dataset,
        batch_size: usize,
        set: &'static str,
        mut stop: impl FnMut() -> Option<S>,
    ) -> Result<ControlFlow<S, Scores>> {
        if data.is_empty() {
            return Err(Error::Empty { set });
        }
        let device = self.device();
        let loader = Loader::new(data, &LoaderConfig::new(batch_size))?;
        let mut accumulators: Vec<_> = self.metrics.iter().map(|metric| metric.start()).collect();
        let mut lost = vec![false; accumulators.len()];
        let (mut sum, mut samples) = (0., 0);
        let stopped = no_grad(|| {
            for batch in loader.epoch(0) {
                if let Some(reason) = stop() {
                    return Ok(Some(reason));
                }
                let (x, target) = batch?;
                let (x, target) = (x.to_device(&device)?, target.to_device(&device)?);
                let output = self.model.forward_t(&x, false)?;
                let rows = x.dims().first().copied().unwrap_or(0);
                let loss = losses::value(&(self.loss)(&output, &target)?)?;
                sum += loss * rows as f64;
                samples += rows;
                for (accumulator, lost) in accumulators.iter_mut().zip(&mut lost) {
                    match accumulator.update(&output, &target) {
                        // What is wrong with the outputs has made the loss as useless, which is reported.
                        Err(_)
                            if !loss.is_finite()
                                && !descent::finite_values([("output".to_string(), output.clone())])? =>
                        {
                            *lost = true
                        }
                        result => result?,
                    }
                }
            }
            Ok::<_, Error>(None)
        })?;
        if let Some(reason) = stopped {
            return Ok(ControlFlow::Break(reason));
        }
        let all = self.metrics.iter().zip(&accumulators).zip(lost);
        let metrics = all.flat_map(|((metric, accumulator), lost)| {
            let mut figures = figures_of(metric.as_ref(), accumulator.as_ref());
            if lost {
                figures.iter_mut().for_each(|(_, value)| *value = f64::NAN);
            }
            figures
        });
        let metrics = metrics.collect();
        Ok(ControlFlow::Continue(Scores {
            loss: sum / samples as f64,
            metrics,
        }))
    }
}

/// Each metric's figures.
pub(super) fn figures(
    metrics: &[Box<dyn Metric + '_>],
    accumulators: &[Box<dyn Accumulator>],
) -> Vec<(String, f64)> {
    let all = metrics.iter().zip(accumulators);
    all.flat_map(|(metric, accumulator)| figures_of(metric.as_ref(), accumulator.as_ref()))
        .collect()
}

/// A metric's name and value, and its details.
fn figures_of(metric: &dyn Metric, accumulator: &dyn Accumulator) -> Vec<(String, f64)> {
    let mut all = vec![(metric.name().to_owned(), accumulator.value())];
    all.extend(accumulator.details());
    all
}
