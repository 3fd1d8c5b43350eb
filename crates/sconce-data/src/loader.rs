//! Batches, epoch by epoch.

mod collate;
mod guard;
mod pad;
mod pool;
#[cfg(test)]
mod tests;

use crate::samplers::{BatchSampler, Batches, Plain, Sampler, Sequential, Shuffled};
use crate::{Dataset, Error, Result};
pub use collate::{Collate, Stack};
pub use pad::{PadBoth, PadFeatures, Padded};
use pool::Pool;
pub use pool::Workers;
use std::sync::Arc;
use std::thread::Scope;
use std::time::Duration;

/// Options of [`Loader`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Samples in a batch.
    pub batch_size: usize,
    /// The seed of the order; in the set's own order if `None`.
    pub shuffle: Option<u64>,
    /// Leave out the last batch of an epoch if it is smaller than the others.
    pub drop_last: bool,
}

impl LoaderConfig {
    /// Batches in the set's own order, the last one as small as it comes.
    pub fn new(batch_size: usize) -> Self {
        Self {
            batch_size,
            shuffle: None,
            drop_last: false,
        }
    }

    /// The whole set in one batch.
    pub fn all() -> Self {
        Self::new(usize::MAX)
    }
}

/// Turns a data set into batches, epoch by epoch.
///
/// The order of epoch e depends on the seed, e and the number of samples alone, so any epoch can be had again: from its
/// start, or from any batch on. Nothing depends on how many threads load. What is loaded records no graph.
///
/// # Errors
/// `new`: the batch size is 0. Batches: a sample that can't be loaded, whose index the error names; a data set or a function
/// of samples that panics is such an error too. The epoch ends with its first error.
///
/// # Example
/// ```
/// use sconce_data::{Loader, LoaderConfig, TensorDataset, candle_core::{Device, Tensor}};
/// let x = Tensor::arange(0u32, 10, &Device::Cpu)?;
/// let set = TensorDataset::new(&x, &x)?;
/// let loader = Loader::new(set, &LoaderConfig { shuffle: Some(1), ..LoaderConfig::new(4) })?;
/// let sizes = loader.epoch(0).map(|batch| batch?.0.dim(0)).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Loader<D, C = Stack> {
    dataset: D,
    sampler: Arc<dyn BatchSampler>,
    collate: C,
}

impl<D: Dataset> Loader<D> {
    /// A loader of this set's batches.
    pub fn new(dataset: D, cfg: &LoaderConfig) -> Result<Self> {
        let (size, drop_last) = (cfg.batch_size, cfg.drop_last);
        match cfg.shuffle {
            Some(seed) => Self::with_batches(dataset, Plain::new(Shuffled::new(seed), size, drop_last)?),
            None => Self::with_batches(dataset, Plain::new(Sequential, size, drop_last)?),
        }
    }

    /// A loader of batches of the samples that a sampler picks.
    ///
    /// # Errors
    /// A batch size of 0; a seed in `cfg`, since the sampler has its own; a sampler that doesn't fit the set.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Distributed, Loader, LoaderConfig, Shuffled, TensorDataset};
    /// use sconce_data::candle_core::{Device, Tensor};
    /// let x = Tensor::arange(0u32, 100, &Device::Cpu)?;
    /// // The third of four processes.
    /// let sampler = Distributed::new(Shuffled::new(7), 2, 4)?;
    /// let loader = Loader::with_sampler(TensorDataset::new(&x, &x)?, sampler, &LoaderConfig::new(10))?;
    /// assert_eq!(loader.num_batches(), 3);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn with_sampler(dataset: D, sampler: impl Sampler + 'static, cfg: &LoaderConfig) -> Result<Self> {
        if let Some(seed) = cfg.shuffle {
            let expected = "none beside a sampler, which has its own";
            return Err(Error::config("shuffle", seed, expected));
        }
        Self::with_batches(dataset, Plain::new(sampler, cfg.batch_size, cfg.drop_last)?)
    }

    /// A loader of the batches that a sampler makes, such as [`Bucketed`](crate::Bucketed).
    ///
    /// # Errors
    /// A sampler that doesn't fit the set.
    pub fn with_batches(dataset: D, sampler: impl BatchSampler + 'static) -> Result<Self> {
        sampler.check(dataset.len())?;
        Ok(Self {
            dataset,
            sampler: Arc::new(sampler),
            collate: Stack,
        })
    }
}

impl<D: Dataset, C: Collate> Loader<D, C> {
    /// The same with another way to make a batch of samples.
    pub fn with_collate<N: Collate>(self, collate: N) -> Loader<D, N> {
        Loader {
            dataset: self.dataset,
            sampler: self.sampler,
            collate,
        }
    }

    /// The batches of one epoch, loaded on the calling thread.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_, D, C> {
        self.epoch_from(epoch, 0)
    }

    /// The batches of one epoch from a batch on, loaded on the calling thread: the rest of an epoch that was left in its
    /// middle. What comes before isn't loaded.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Loader, LoaderConfig, TensorDataset, candle_core::{Device, Tensor}};
    /// let x = Tensor::arange(0u32, 10, &Device::Cpu)?;
    /// let cfg = LoaderConfig { shuffle: Some(1), ..LoaderConfig::new(4) };
    /// let loader = Loader::new(TensorDataset::new(&x, &x)?, &cfg)?;
    /// let last = loader.epoch(3).last().unwrap()?.0.to_vec1::<u32>()?;
    /// let mut rest = loader.epoch_from(3, 2);
    /// assert_eq!((rest.len(), rest.next_batch()), (1, 2));
    /// assert_eq!(rest.next().unwrap()?.0.to_vec1::<u32>()?, last);
    /// assert!(rest.next().is_none());
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn epoch_from(&self, epoch: u64, first_batch: usize) -> Epoch<'_, D, C> {
        let batches = self.sampler.batches(self.dataset.len(), epoch);
        Epoch {
            end: batches.len(),
            loader: self,
            batches: Arc::new(batches),
            epoch,
            next: first_batch,
            pool: None,
            waited: Duration::ZERO,
        }
    }

    /// The batches of one epoch from a batch on, loaded ahead by worker threads of a scope.
    ///
    /// They are the same, in the same order, for any number of workers. When the iterator is dropped, the workers end after
    /// the batches that they have in hand. Each thread loads a whole batch at a time.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Loader, LoaderConfig, TensorDataset, Workers, candle_core::{Device, Tensor}};
    /// let x = Tensor::arange(0u32, 10, &Device::Cpu)?;
    /// let cfg = LoaderConfig { shuffle: Some(1), ..LoaderConfig::new(4) };
    /// let loader = Loader::new(TensorDataset::new(&x, &x)?, &cfg)?;
    /// std::thread::scope(|scope| {
    ///     for epoch in 0..3 {
    ///         let alone = loader.epoch(epoch);
    ///         for (batch, same) in loader.epoch_on(scope, &Workers::new(2), epoch, 0).zip(alone) {
    ///             assert_eq!(batch?.0.to_vec1::<u32>()?, same?.0.to_vec1::<u32>()?);
    ///         }
    ///     }
    ///     Ok::<(), sconce_data::Error>(())
    /// })?;
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn epoch_on<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        workers: &Workers,
        epoch: u64,
        first_batch: usize,
    ) -> Epoch<'scope, D, C> {
        let mut rest = self.epoch_from(epoch, first_batch);
        if workers.threads > 0 {
            let batches = Arc::clone(&rest.batches);
            let load = move |batch| self.load(&batches, epoch, batch);
            rest.pool = Pool::start(scope, workers, (first_batch, rest.end), load);
        }
        rest
    }

    fn load(&self, batches: &Batches, epoch: u64, batch: usize) -> candle_core::Result<C::Batch> {
        let indices = batches.get(batch).unwrap_or_default();
        guard::batch(&self.collate, &self.dataset, indices, (epoch, batch))
    }

    /// The number of batches in an epoch. Where a sampler's epochs differ in it, that of epoch 0; an [`Epoch`] knows its own.
    pub fn num_batches(&self) -> usize {
        self.sampler.num_batches(self.dataset.len(), 0)
    }

    /// The set that is loaded from.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

/// The batches of one epoch.
#[derive(Debug)]
pub struct Epoch<'a, D, C: Collate = Stack> {
    loader: &'a Loader<D, C>,
    batches: Arc<Batches>,
    epoch: u64,
    next: usize,
    /// One past the last batch; less after an error.
    end: usize,
    pool: Option<Pool<C::Batch>>,
    waited: Duration,
}

impl<D, C: Collate> Epoch<'_, D, C> {
    /// The batch that comes next, from 0: where [`Loader::epoch_from`] goes on.
    pub fn next_batch(&self) -> usize {
        self.next
    }

    /// How long the iterator has waited until now for batches that its workers hadn't loaded yet; without workers it never
    /// waits, but loads. What counts against the whole of an epoch is a sign that more workers, or less work a sample, would
    /// make it shorter.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The indices of the samples in each of the epoch's batches, also those before the first.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }
}

impl<D: Dataset, C: Collate> Iterator for Epoch<'_, D, C> {
    type Item = candle_core::Result<C::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let loaded = match &self.pool {
            Some(pool) => pool.next(&mut self.waited)?,
            None => self.loader.load(&self.batches, self.epoch, self.next),
        };
        match loaded {
            Ok(_) => self.next += 1,
            Err(_) => {
                self.end = self.next;
                // Its workers need load no more.
                self.pool = None;
            }
        }
        Some(loaded)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<D: Dataset, C: Collate> ExactSizeIterator for Epoch<'_, D, C> {}
impl<D: Dataset, C: Collate> std::iter::FusedIterator for Epoch<'_, D, C> {}
