//! Batches in a seeded order.

use crate::{Dataset, Error, Result};
use candle_core::Tensor;
use sconce_core::Generator;

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
}

/// Turns a data set into batches, epoch by epoch.
///
/// The order of epoch e depends on the seed, e and the number of samples alone, so any epoch can be had again.
///
/// # Errors
/// `new`: the batch size is 0.
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
pub struct Loader<D> {
    dataset: D,
    cfg: LoaderConfig,
}

/// Epochs draw from the upper half of the seed's counters, each from a stretch of its own, so that an initialiser or a
/// dropout layer with the same seed draws other numbers.
const FIRST_COUNTER: u64 = 1 << 63;
const COUNTERS_OF_AN_EPOCH: u64 = 1 << 40;

impl<D: Dataset> Loader<D> {
    /// A loader of this set's batches.
    pub fn new(dataset: D, cfg: &LoaderConfig) -> Result<Self> {
        if cfg.batch_size == 0 {
            return Err(Error::config("batch_size", 0, "at least 1"));
        }
        Ok(Self {
            dataset,
            cfg: cfg.clone(),
        })
    }

    /// The batches of one epoch.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_, D> {
        let order = self.cfg.shuffle.map(|seed| {
            let generator = Generator::new(seed);
            let position = FIRST_COUNTER.wrapping_add(epoch.wrapping_mul(COUNTERS_OF_AN_EPOCH));
            generator.restore(seed, position);
            generator.permutation(self.dataset.len())
        });
        Epoch {
            loader: self,
            order,
            next: 0,
        }
    }

    /// The number of batches in an epoch.
    pub fn num_batches(&self) -> usize {
        let (n, size) = (self.dataset.len(), self.cfg.batch_size);
        if self.cfg.drop_last {
            n / size
        } else {
            n.div_ceil(size)
        }
    }

    /// The set that is loaded from.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

/// The batches of one epoch: features and targets.
#[derive(Debug)]
pub struct Epoch<'a, D> {
    loader: &'a Loader<D>,
    order: Option<Vec<usize>>,
    next: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = candle_core::Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.loader.num_batches() {
            return None;
        }
        let (dataset, size) = (&self.loader.dataset, self.loader.cfg.batch_size);
        let start = self.next * size;
        let end = start.saturating_add(size).min(dataset.len());
        self.next += 1;
        Some(match &self.order {
            Some(order) => dataset.batch(order.get(start..end).unwrap_or_default()),
            None => dataset.batch(&(start..end).collect::<Vec<_>>()),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.num_batches().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<'_, D> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TensorDataset;
    use candle_core::Device;

    fn loader(n: u32, cfg: &LoaderConfig) -> Loader<TensorDataset> {
        let x = Tensor::arange(0u32, n, &Device::Cpu).unwrap();
        let set = TensorDataset::new(&x.reshape((n as usize, 1)).unwrap(), &x).unwrap();
        Loader::new(set, cfg).unwrap()
    }

    fn order(loader: &Loader<TensorDataset>, epoch: u64) -> Vec<u32> {
        let batches = loader.epoch(epoch).map(|batch| batch.unwrap().1);
        batches.flat_map(|y| y.to_vec1::<u32>().unwrap()).collect()
    }

    #[test]
    fn sizes() {
        let cases = [
            (10, 4, false, vec![4, 4, 2]),
            (10, 4, true, vec![4, 4]),
            (8, 4, true, vec![4, 4]),
            (3, 100, false, vec![3]),
            (3, 100, true, vec![]),
            (3, usize::MAX, false, vec![3]),
            (0, 4, false, vec![]),
        ];
        for (n, batch_size, drop_last, expected) in cases {
            for shuffle in [None, Some(1)] {
                let loader = loader(
                    n,
                    &LoaderConfig {
                        batch_size,
                        drop_last,
                        shuffle,
                    },
                );
                let epoch = loader.epoch(0);
                assert_eq!(
                    (epoch.len(), loader.num_batches()),
                    (expected.len(), expected.len())
                );
                let sizes: Vec<_> = epoch.map(|batch| batch.unwrap().0.dims()[0]).collect();
                assert_eq!(sizes, expected, "{n} {batch_size} {drop_last}");
            }
        }
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone() {
        let shuffled = |seed, size| {
            let cfg = LoaderConfig {
                shuffle: Some(seed),
                ..LoaderConfig::new(size)
            };
            loader(100, &cfg)
        };
        let a = shuffled(1, 32);
        let (first, second) = (order(&a, 0), order(&a, 1));
        assert_ne!(first, second);
        // Neither on what was loaded before, nor on the size of batches.
        assert_eq!(order(&shuffled(1, 7), 1), second);
        assert_eq!(order(&a, 0), first);
        assert_ne!(order(&shuffled(2, 32), 0), first);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        let plain = loader(5, &LoaderConfig::new(2));
        assert_eq!(order(&plain, 3), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_batch_size_of_0_is_an_error() {
        let x = Tensor::arange(0u32, 3, &Device::Cpu).unwrap();
        let set = TensorDataset::new(&x, &x).unwrap();
        let error = Loader::new(set, &LoaderConfig::new(0)).unwrap_err();
        assert_eq!(error.to_string(), "batch_size is 0, expected at least 1");
    }
}
