//! Which samples an epoch has, in which order and in which batches.
//!
//! An epoch's order is a function of the sampler's options, the number of samples and the epoch's number, and of nothing
//! else: no sampler has a state that would have to be saved. To go on in the middle of an epoch,
//! [`Loader::epoch_from`](crate::Loader::epoch_from) takes two numbers, the epoch and the batch.

mod bucketed;
mod distributed;
pub(crate) mod draws;
#[cfg(test)]
mod tests;
mod weighted;

use crate::{Error, Result};
pub use bucketed::{BatchSize, Bucketed, BucketedConfig};
pub use distributed::Distributed;
use std::fmt::Debug;
use std::sync::Arc;
pub use weighted::{Weighted, WeightedConfig};

/// The order of an epoch's samples.
///
/// # Example
/// ```
/// use sconce_data::{Result, Sampler};
/// /// The set from its end to its start.
/// #[derive(Debug)]
/// struct Backwards;
/// impl Sampler for Backwards {
///     fn count(&self, samples: usize) -> Result<usize> {
///         Ok(samples)
///     }
///     fn order(&self, samples: usize, _epoch: u64) -> Vec<usize> {
///         (0..samples).rev().collect()
///     }
/// }
/// assert_eq!(Backwards.order(3, 0), [2, 1, 0]);
/// ```
///
/// # Debug
/// A checkpoint tells by this text whether a run goes on with the sampler that it began with: it has to show every option that
/// decides what comes in which order, and to be the same in every process, which that of a `HashSet` isn't.
pub trait Sampler: Debug + Send + Sync {
    /// How many samples an epoch has, of a set of so many.
    ///
    /// # Errors
    /// The sampler doesn't fit such a set.
    fn count(&self, samples: usize) -> Result<usize>;

    /// The indices of an epoch's samples. It depends on the arguments and the sampler's options alone.
    fn order(&self, samples: usize, epoch: u64) -> Vec<usize>;
}

/// The batches of an epoch's samples. What [`Sampler`] says of `Debug` holds here too.
pub trait BatchSampler: Debug + Send + Sync {
    /// Whether the sampler fits a set of so many samples.
    ///
    /// # Errors
    /// It doesn't.
    fn check(&self, samples: usize) -> Result<()>;

    /// An epoch's batches. They depend on the arguments and the sampler's options alone.
    fn batches(&self, samples: usize, epoch: u64) -> Batches;

    /// The number of batches in an epoch.
    fn num_batches(&self, samples: usize, epoch: u64) -> usize {
        self.batches(samples, epoch).len()
    }
}

/// So that a sampler can be chosen while the program runs, and shared.
impl<S: BatchSampler + ?Sized> BatchSampler for Arc<S> {
    fn check(&self, samples: usize) -> Result<()> {
        (**self).check(samples)
    }

    fn batches(&self, samples: usize, epoch: u64) -> Batches {
        (**self).batches(samples, epoch)
    }

    fn num_batches(&self, samples: usize, epoch: u64) -> usize {
        (**self).num_batches(samples, epoch)
    }
}

/// An epoch's samples, in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches {
    order: Vec<usize>,
    /// Where each batch ends.
    ends: Vec<usize>,
}

impl Batches {
    /// These samples, `size` to a batch; with `drop_last`, without a last batch that is smaller.
    ///
    /// A size of 0 is taken for 1.
    pub fn of_size(order: Vec<usize>, size: usize, drop_last: bool) -> Self {
        let (len, count) = (order.len(), count(order.len(), size, drop_last));
        let ends = (1..=count).map(|batch| batch.saturating_mul(size.max(1)).min(len));
        Self {
            ends: ends.collect(),
            order,
        }
    }

    /// These batches.
    pub fn new(batches: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let (mut order, mut ends) = (Vec::new(), Vec::new());
        for batch in batches {
            order.extend(batch);
            ends.push(order.len());
        }
        Self { order, ends }
    }

    /// The samples of a batch.
    pub fn get(&self, batch: usize) -> Option<&[usize]> {
        let end = *self.ends.get(batch)?;
        let start = batch.checked_sub(1).and_then(|before| self.ends.get(before));
        self.order.get(start.copied().unwrap_or(0)..end)
    }

    /// The batches, from the first on.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        (0..self.len()).map(|batch| self.get(batch).unwrap_or_default())
    }

    /// The number of batches.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn count(samples: usize, size: usize, drop_last: bool) -> usize {
    if drop_last {
        samples / size.max(1)
    } else {
        samples.div_ceil(size.max(1))
    }
}

/// The set's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequential;

impl Sampler for Sequential {
    fn count(&self, samples: usize) -> Result<usize> {
        Ok(samples)
    }

    fn order(&self, samples: usize, _epoch: u64) -> Vec<usize> {
        (0..samples).collect()
    }
}

/// Every sample once, in an order that a seed decides, another one in every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffled {
    seed: u64,
}

impl Shuffled {
    /// The orders of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Sampler for Shuffled {
    fn count(&self, samples: usize) -> Result<usize> {
        Ok(samples)
    }

    fn order(&self, samples: usize, epoch: u64) -> Vec<usize> {
        draws::of_epoch(self.seed, epoch).permutation(samples)
    }
}

/// A sampler's samples in batches of one size.
#[derive(Debug, Clone)]
pub(crate) struct Plain<S> {
    sampler: S,
    size: usize,
    drop_last: bool,
}

impl<S> Plain<S> {
    pub(crate) fn new(sampler: S, size: usize, drop_last: bool) -> Result<Self> {
        if size == 0 {
            return Err(Error::config("batch_size", 0, "at least 1"));
        }
        Ok(Self {
            sampler,
            size,
            drop_last,
        })
    }
}

impl<S: Sampler> BatchSampler for Plain<S> {
    fn check(&self, samples: usize) -> Result<()> {
        self.sampler.count(samples).map(drop)
    }

    fn batches(&self, samples: usize, epoch: u64) -> Batches {
        Batches::of_size(self.sampler.order(samples, epoch), self.size, self.drop_last)
    }

    fn num_batches(&self, samples: usize, epoch: u64) -> usize {
        match self.sampler.count(samples) {
            Ok(samples) => count(samples, self.size, self.drop_last),
            Err(_) => self.batches(samples, epoch).len(),
        }
    }
}
