//! Batches of samples of like length.

use super::{BatchSampler, Batches, draws};
use crate::{Error, Result};
use sconce_core::Generator;

/// How large a batch of [`Bucketed`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// So many samples.
    Samples(usize),
    /// As many samples as there is room for, when all are padded to the longest, in so many tokens.
    Tokens(usize),
}

/// Options of [`Bucketed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketedConfig {
    /// How large a batch is.
    pub batch_size: BatchSize,
    /// The seed of the order; from the shortest to the longest if `None`.
    pub shuffle: Option<u64>,
    /// How many samples are sorted together by their lengths; the whole set if `None`. A smaller number mixes the samples
    /// better, a larger one pads less. It is rounded up to whole batches.
    pub pool: Option<usize>,
    /// With a number of samples: leave out, at random if shuffled, the samples that don't fill a batch.
    pub drop_last: bool,
}

impl BucketedConfig {
    /// Shuffled by the seed 0, all samples sorted together, none left out.
    pub fn new(batch_size: BatchSize) -> Self {
        Self {
            batch_size,
            shuffle: Some(0),
            pool: None,
            drop_last: false,
        }
    }
}

/// Batches of samples of like length, so that little is padded; the batches in random order.
///
/// Samples are shuffled, cut into pools, sorted within each by length and cut into batches, which are shuffled. Samples of
/// the same length stay in random order. With a budget of tokens and a [`pool`](BucketedConfig::pool), the number of batches
/// differs from epoch to epoch.
///
/// # Errors
/// `new`: a batch size or a pool of 0; a sample that is longer than the budget; `drop_last` with a budget. In a loader:
/// another number of lengths than of samples.
///
/// # Example
/// ```
/// use sconce_data::{BatchSampler, BatchSize, Bucketed, BucketedConfig};
/// let lengths = vec![9, 2, 3, 8, 2, 8];
/// let sampler = Bucketed::new(lengths, &BucketedConfig::new(BatchSize::Tokens(18)))?;
/// let mut batches: Vec<Vec<usize>> = sampler.batches(6, 0).iter().map(<[usize]>::to_vec).collect();
/// for batch in &mut batches {
///     batch.sort_unstable();
/// }
/// batches.sort_unstable();
/// assert_eq!(batches, [vec![0], vec![1, 2, 4], vec![3, 5]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bucketed {
    lengths: Vec<usize>,
    cfg: BucketedConfig,
}

impl Bucketed {
    /// A sampler by these lengths, one for each sample.
    pub fn new(lengths: Vec<usize>, cfg: &BucketedConfig) -> Result<Self> {
        match cfg.batch_size {
            BatchSize::Samples(0) | BatchSize::Tokens(0) => {
                return Err(Error::config("batch_size", 0, "at least 1"));
            }
            BatchSize::Tokens(_) if cfg.drop_last => {
                let expected = "false with a budget of tokens, which has no batch size to fill";
                return Err(Error::config("drop_last", true, expected));
            }
            BatchSize::Tokens(budget) => {
                let long = lengths.iter().enumerate().find(|(_, length)| **length > budget);
                if let Some((index, length)) = long {
                    let value = format!("{length} at {index}");
                    let expected = format!("at most the budget of {budget} tokens");
                    return Err(Error::config("lengths", value, expected));
                }
            }
            BatchSize::Samples(_) => {}
        }
        if cfg.pool == Some(0) {
            return Err(Error::config("pool", 0, "at least 1"));
        }
        Ok(Self {
            lengths,
            cfg: cfg.clone(),
        })
    }

    fn length(&self, index: usize) -> usize {
        self.lengths.get(index).copied().unwrap_or(0)
    }

    /// The samples, pool by pool from the shortest to the longest, and how many a pool has.
    fn sorted(&self, generator: Option<&Generator>) -> (Vec<usize>, usize) {
        let len = self.lengths.len();
        let mut order = generator.map_or_else(|| (0..len).collect(), |draw| draw.permutation(len));
        let mut pool = self.cfg.pool.unwrap_or(len).max(1);
        if let BatchSize::Samples(size) = self.cfg.batch_size {
            if self.cfg.drop_last {
                order.truncate(len / size * size);
            }
            pool = pool.checked_next_multiple_of(size).unwrap_or(usize::MAX);
        }
        for pool in order.chunks_mut(pool) {
            pool.sort_by_key(|&index| self.length(index));
        }
        (order, pool)
    }

    /// How many of these samples, which get longer, make up the first batch.
    fn first(&self, samples: &[usize]) -> usize {
        match self.cfg.batch_size {
            BatchSize::Samples(size) => size.min(samples.len()),
            BatchSize::Tokens(budget) => {
                let fits = |&(rows, &index): &(usize, &usize)| {
                    let longest = self.length(index).max(1);
                    rows.saturating_mul(longest) <= budget
                };
                // That one alone fits was checked.
                (1..).zip(samples).take_while(fits).count().max(1)
            }
        }
    }
}

impl BatchSampler for Bucketed {
    fn check(&self, samples: usize) -> Result<()> {
        if self.lengths.len() != samples {
            return Err(Error::Count {
                features: samples,
                feature_name: "samples".into(),
                targets: self.lengths.len(),
                target_name: "lengths".into(),
            });
        }
        Ok(())
    }

    fn batches(&self, _samples: usize, epoch: u64) -> Batches {
        let generator = self.cfg.shuffle.map(|seed| draws::of_epoch(seed, epoch));
        let (order, pool) = self.sorted(generator.as_ref());
        let mut batches = Vec::new();
        for mut left in order.chunks(pool) {
            while !left.is_empty() {
                let (batch, rest) = left.split_at(self.first(left));
                batches.push(batch);
                left = rest;
            }
        }
        let count = batches.len();
        let places = generator.map_or_else(|| (0..count).collect(), |draw| draw.permutation(count));
        Batches::new(
            places
                .into_iter()
                .filter_map(|place| batches.get(place).map(|b| b.to_vec())),
        )
    }
}
