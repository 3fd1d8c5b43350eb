//! Batches of sequences of different lengths.

use super::{Dataset, Sample, stack, stacked};
use crate::Padded;
use candle_core::{Result, Tensor};

/// A set of sequences whose batches are padded to the longest of them, as [`Dataset::padded`] gives it.
#[derive(Debug, Clone)]
pub struct PaddedBatches<D> {
    pub(super) dataset: D,
    pub(super) features: Option<f64>,
    pub(super) targets: Option<f64>,
}

impl<D> PaddedBatches<D> {
    /// The set whose samples they are.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    fn together(&self, samples: impl Iterator<Item = Result<Sample>>) -> Result<Sample> {
        if self.features.is_none() && self.targets.is_none() {
            return stack(samples);
        }
        let (features, targets): (Vec<_>, Vec<_>) = samples.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok((
            one("features", &features, self.features)?,
            one("targets", &targets, self.targets)?,
        ))
    }
}

fn one(name: &'static str, all: &[Tensor], value: Option<f64>) -> Result<Tensor> {
    match value {
        Some(value) => Ok(Padded::new(all, value)?.values),
        None => stacked(name, all),
    }
}

impl<D: Dataset> Dataset for PaddedBatches<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<Sample> {
        self.dataset.get(index)
    }

    fn batch(&self, indices: &[usize]) -> Result<Sample> {
        self.together(indices.iter().map(|&index| self.dataset.get(index)))
    }

    fn get_at(&self, index: usize, epoch: u64) -> Result<Sample> {
        self.dataset.get_at(index, epoch)
    }

    fn batch_at(&self, indices: &[usize], epoch: u64) -> Result<Sample> {
        self.together(indices.iter().map(|&index| self.dataset.get_at(index, epoch)))
    }
}
