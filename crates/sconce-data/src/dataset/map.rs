//! Samples that are computed from another set's.

use super::{Dataset, Sample};
use crate::samplers::draws;
use candle_core::Tensor;
use sconce_core::Generator;

/// What [`Map`] does to a sample.
pub trait Apply: Send + Sync {
    /// The new sample, from the one at this index in this epoch.
    ///
    /// # Errors
    /// Those of the function.
    fn apply(&self, sample: Sample, index: usize, epoch: u64) -> candle_core::Result<Sample>;
}

/// A function of features and target.
#[derive(Debug, Clone)]
pub struct Both<F>(pub(super) F);

/// A function of the features.
#[derive(Debug, Clone)]
pub struct Features<F>(pub(super) F);

/// A function of the target.
#[derive(Debug, Clone)]
pub struct Targets<F>(pub(super) F);

/// A function of features, target and a generator of the sample's own.
#[derive(Debug, Clone)]
pub struct Seeded<F> {
    pub(super) seed: u64,
    pub(super) f: F,
}

impl<F> Apply for Both<F>
where
    F: Fn(Tensor, Tensor) -> candle_core::Result<Sample> + Send + Sync,
{
    fn apply(&self, (features, target): Sample, _: usize, _: u64) -> candle_core::Result<Sample> {
        (self.0)(features, target)
    }
}

impl<F: Fn(Tensor) -> candle_core::Result<Tensor> + Send + Sync> Apply for Features<F> {
    fn apply(&self, (features, target): Sample, _: usize, _: u64) -> candle_core::Result<Sample> {
        Ok(((self.0)(features)?, target))
    }
}

impl<F: Fn(Tensor) -> candle_core::Result<Tensor> + Send + Sync> Apply for Targets<F> {
    fn apply(&self, (features, target): Sample, _: usize, _: u64) -> candle_core::Result<Sample> {
        Ok((features, (self.0)(target)?))
    }
}

impl<F> Apply for Seeded<F>
where
    F: Fn(Tensor, Tensor, &mut Generator) -> candle_core::Result<Sample> + Send + Sync,
{
    fn apply(&self, (features, target): Sample, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        (self.f)(features, target, &mut draws::of_sample(self.seed, epoch, index))
    }
}

/// Samples that are computed from another set's when they are asked for, as [`Dataset::map`], [`Dataset::map_features`],
/// [`Dataset::map_targets`] and [`Dataset::augment`] give them.
#[derive(Debug, Clone)]
pub struct Map<D, M> {
    dataset: D,
    map: M,
}

impl<D, M> Map<D, M> {
    pub(super) fn new(dataset: D, map: M) -> Self {
        Self { dataset, map }
    }

    /// The set that the samples are computed from.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D: Dataset, M: Apply> Dataset for Map<D, M> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        self.map.apply(self.dataset.get(index)?, index, 0)
    }

    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        self.map.apply(self.dataset.get_at(index, epoch)?, index, epoch)
    }
}
