//! One process's share of an epoch.

use super::{BatchSampler, Batches, Sampler};
use crate::{Error, Result};

/// The share that one of `world` processes has of another sampler's epochs: of its samples, or, of a sampler of batches,
/// of its batches.
///
/// Process `rank` gets every `world`-th, from the `rank`-th on, so every process gets the same number. Where they don't come
/// out, the epoch is filled up from its start, or with `drop_last` cut. All processes must have the same sampler with the
/// same seed.
///
/// # Errors
/// `new`: a rank that isn't below the world's size.
///
/// # Source
/// PyTorch's `DistributedSampler`
///
/// # Example
/// ```
/// use sconce_data::{Distributed, Sampler, Sequential};
/// let of_rank = |rank| Ok::<_, sconce_data::Error>(Distributed::new(Sequential, rank, 2)?.order(5, 0));
/// assert_eq!((of_rank(0)?, of_rank(1)?), (vec![0, 2, 4], vec![1, 3, 0]));
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Distributed<S> {
    sampler: S,
    rank: usize,
    world: usize,
    drop_last: bool,
}

impl<S> Distributed<S> {
    /// The share of process `rank` of `world`, filled up from the epoch's start.
    pub fn new(sampler: S, rank: usize, world: usize) -> Result<Self> {
        if rank >= world {
            let expected = format!("below the size of the world, {world}");
            return Err(Error::config("rank", rank, expected));
        }
        Ok(Self {
            sampler,
            rank,
            world,
            drop_last: false,
        })
    }

    /// Leaves out what doesn't come out even.
    pub fn with_drop_last(self) -> Self {
        Self {
            drop_last: true,
            ..self
        }
    }

    fn count_of(&self, all: usize) -> usize {
        if self.drop_last {
            all / self.world
        } else {
            all.div_ceil(self.world)
        }
    }

    /// The places of this process's share in an epoch of so many.
    fn places(&self, all: usize) -> impl Iterator<Item = usize> {
        let (rank, world) = (self.rank, self.world);
        (0..self.count_of(all)).map(move |step| (step * world + rank) % all)
    }
}

impl<S: Sampler> Sampler for Distributed<S> {
    fn count(&self, samples: usize) -> Result<usize> {
        Ok(self.count_of(self.sampler.count(samples)?))
    }

    fn order(&self, samples: usize, epoch: u64) -> Vec<usize> {
        let all = self.sampler.order(samples, epoch);
        let places = self.places(all.len());
        places.filter_map(|place| all.get(place).copied()).collect()
    }
}

impl<S: BatchSampler> BatchSampler for Distributed<S> {
    fn check(&self, samples: usize) -> Result<()> {
        self.sampler.check(samples)
    }

    fn batches(&self, samples: usize, epoch: u64) -> Batches {
        let all = self.sampler.batches(samples, epoch);
        let places = self.places(all.len());
        Batches::new(places.filter_map(|place| all.get(place).map(<[usize]>::to_vec)))
    }

    fn num_batches(&self, samples: usize, epoch: u64) -> usize {
        self.count_of(self.sampler.num_batches(samples, epoch))
    }
}
