//! Some samples of a set.

use super::{Dataset, Sample};
use crate::Error;

/// Some samples of a set, as [`Dataset::subset`] and the splits give them.
#[derive(Debug, Clone)]
pub struct Subset<D> {
    pub(super) dataset: D,
    pub(super) indices: Vec<usize>,
}

impl<D> Subset<D> {
    /// Where the samples stand in the whole set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    fn whole(&self, index: usize) -> candle_core::Result<usize> {
        let len = self.indices.len();
        Ok(*self.indices.get(index).ok_or(Error::Index { index, len })?)
    }

    fn all_whole(&self, indices: &[usize]) -> candle_core::Result<Vec<usize>> {
        indices.iter().map(|&index| self.whole(index)).collect()
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        self.dataset.get(self.whole(index)?)
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<Sample> {
        self.dataset.batch(&self.all_whole(indices)?)
    }

    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        self.dataset.get_at(self.whole(index)?, epoch)
    }

    fn batch_at(&self, indices: &[usize], epoch: u64) -> candle_core::Result<Sample> {
        self.dataset.batch_at(&self.all_whole(indices)?, epoch)
    }
}
