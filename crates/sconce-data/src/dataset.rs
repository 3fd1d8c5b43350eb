//! What a data set is, and what is made of one.

mod cache;
mod concat;
pub mod map;
mod padded;
mod shared;
mod split;
mod subset;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
pub use cache::Cache;
use candle_core::Tensor;
pub use concat::Concat;
use map::{Both, Features, Map, Seeded, Targets};
pub use padded::PaddedBatches;
use sconce_core::Generator;
use std::sync::Arc;
pub use subset::Subset;

/// A sample: its features and its target.
pub type Sample = (Tensor, Tensor);

/// Samples by index, each of features and a target.
///
/// Worker threads read a set side by side, so it is `Send` and `Sync`.
///
/// # What a set has of its own
/// | a set | its own, besides [`len`](Self::len) and [`get`](Self::get) |
/// |---|---|
/// | whose samples are the same in every epoch | nothing |
/// | that changes from epoch to epoch | [`get_at`](Self::get_at); `get` gives epoch 0 |
/// | that loads many samples faster than one by one | [`batch`](Self::batch), and [`batch_at`](Self::batch_at), which calls it |
/// | of other sets' samples, as [`subset`](Self::subset) and [`concat`](Self::concat) | all four, each calling the others' same |
/// | that changes or keeps another's, as [`map`](Self::map) and [`cache`](Self::cache) | `get`; `get_at` if it heeds the epoch |
///
/// The last makes its batches of samples one by one, whatever way the other set has: [`padded`](Self::padded) comes after it.
///
/// A [`Loader`](crate::Loader) that stacks samples asks for `batch_at` alone, one with another [`Collate`](crate::Collate)
/// for `get_at`. Each of the four that a set doesn't have gives the right samples, one by one.
///
/// # Example
/// ```
/// use sconce_data::{Dataset, candle_core::{Device, Result, Tensor}};
/// /// Numbers and their squares, made when asked for.
/// struct Squares;
/// impl Dataset for Squares {
///     fn len(&self) -> usize {
///         100
///     }
///     fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
///         let x = index as f32;
///         Ok((Tensor::new(x, &Device::Cpu)?, Tensor::new(x * x, &Device::Cpu)?))
///     }
/// }
/// let (_, targets) = Squares.batch(&[3, 5])?;
/// assert_eq!(targets.to_vec1::<f32>()?, [9., 25.]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub trait Dataset: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// A sample's features and target.
    ///
    /// # Errors
    /// There is no such sample, or it can't be read.
    fn get(&self, index: usize) -> candle_core::Result<Sample>;

    /// Samples with a batch axis in front: [`get`](Self::get) of each. A set that has a faster way than one by one has it
    /// here, and its own [`batch_at`](Self::batch_at) too.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); samples of different shapes.
    fn batch(&self, indices: &[usize]) -> candle_core::Result<Sample> {
        stack(indices.iter().map(|&index| self.get(index)))
    }

    /// A sample as it is in an epoch. Only sets that change from epoch to epoch, as [`augment`](Self::augment) makes them,
    /// and those made of other sets, need their own.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        let _ = epoch;
        self.get(index)
    }

    /// Samples as they are in an epoch, with a batch axis in front: [`get_at`](Self::get_at) of each. This is what a
    /// [`Loader`](crate::Loader) asks for, so that a set with a faster [`batch`](Self::batch) has its own.
    ///
    /// # Errors
    /// Those of [`batch`](Self::batch).
    fn batch_at(&self, indices: &[usize], epoch: u64) -> candle_core::Result<Sample> {
        stack(indices.iter().map(|&index| self.get_at(index, epoch)))
    }

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples at these indices, in this order.
    ///
    /// # Errors
    /// An index that the set doesn't have.
    fn subset(self, indices: Vec<usize>) -> Result<Subset<Self>>
    where
        Self: Sized,
    {
        let len = self.len();
        match indices.iter().find(|&&index| index >= len) {
            Some(&index) => Err(Error::Index { index, len }),
            None => Ok(Subset {
                dataset: self,
                indices,
            }),
        }
    }

    /// Cuts off the last `fraction` of the samples, as Keras does for validation: (the rest, the last).
    ///
    /// # Errors
    /// The fraction isn't above 0 and below 1, or one of the parts would be empty.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// let x = Tensor::arange(0f32, 10., &Device::Cpu)?;
    /// let set = TensorDataset::new(&x, &x)?;
    /// let (rest, last) = set.split_last(0.3)?;
    /// assert_eq!((rest.len(), last.len()), (7, 3));
    /// assert_eq!(last.get(0)?.0.to_scalar::<f32>()?, 7.);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn split_last(&self, fraction: f64) -> Result<(Subset<Self>, Subset<Self>)>
    where
        Self: Sized + Clone,
    {
        let len = self.len();
        split::in_order(
            self,
            (0..len).collect(),
            fraction,
            (len as f64 * (1. - fraction)).floor(),
        )
    }

    /// Draws `fraction` of the samples at random: (the rest, the drawn), each in their old order.
    ///
    /// The draw depends on the seed and the number of samples alone.
    ///
    /// # Errors
    /// Those of [`split_last`](Self::split_last).
    fn split_random(&self, fraction: f64, seed: u64) -> Result<(Subset<Self>, Subset<Self>)>
    where
        Self: Sized + Clone,
    {
        let len = self.len();
        let order = Generator::new(seed).permutation(len);
        let first = len as f64 - split::drawn(len, fraction);
        split::sorted(split::in_order(self, order, fraction, first)?)
    }

    /// Draws `fraction` of the samples at random, as large a share of each class: (the rest, the drawn), each in their old
    /// order.
    ///
    /// `classes` has each sample's class. The two parts are as large as those of [`split_random`](Self::split_random). A
    /// class whose share isn't a whole number is rounded so that the parts come out; between classes with equal remainders
    /// the seed decides. The draw depends on the seed, the classes and the fraction alone.
    ///
    /// # Errors
    /// Those of [`split_last`](Self::split_last); another number of classes than of samples; a class with one sample; a
    /// part with fewer samples than there are classes.
    ///
    /// # Source
    /// scikit-learn's `StratifiedShuffleSplit`, for the sizes
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, digits};
    /// let digits = digits()?;
    /// let set = TensorDataset::new(&digits.images, &digits.labels)?;
    /// let classes = digits.labels.to_vec1::<u32>()?;
    /// let (rest, drawn) = set.split_stratified(&classes, 0.2, 0)?;
    /// assert_eq!((rest.len(), drawn.len()), (1437, 360));
    /// let zeros = drawn.indices().iter().filter(|&&index| classes[index] == 0);
    /// assert_eq!(zeros.count(), 36); // of 178
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn split_stratified(
        &self,
        classes: &[u32],
        fraction: f64,
        seed: u64,
    ) -> Result<(Subset<Self>, Subset<Self>)>
    where
        Self: Sized + Clone,
    {
        split::stratified(self, classes, fraction, seed)
    }

    /// The samples with `f` of each, computed whenever a sample is asked for.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// let x = Tensor::arange(0f32, 4., &Device::Cpu)?;
    /// // Predict the number from its square.
    /// let set = TensorDataset::new(&x, &x)?.map(|features, _| Ok((features.sqr()?, features)));
    /// assert_eq!(set.batch(&[3, 2])?.0.to_vec1::<f32>()?, [9., 4.]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn map<F>(self, f: F) -> Map<Self, Both<F>>
    where
        Self: Sized,
        F: Fn(Tensor, Tensor) -> candle_core::Result<Sample> + Send + Sync,
    {
        Map::new(self, Both(f))
    }

    /// The samples with `f` of each one's features, computed whenever a sample is asked for.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{DType, Device, Tensor}};
    /// let (pixels, labels) = (Tensor::new(&[[0u8, 255]], &Device::Cpu)?, Tensor::new(&[3u32], &Device::Cpu)?);
    /// let set = TensorDataset::new(&pixels, &labels)?.map_features(|pixels| pixels.to_dtype(DType::F32)? / 255.);
    /// assert_eq!(set.get(0)?.0.to_vec1::<f32>()?, [0., 1.]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn map_features<F>(self, f: F) -> Map<Self, Features<F>>
    where
        Self: Sized,
        F: Fn(Tensor) -> candle_core::Result<Tensor> + Send + Sync,
    {
        Map::new(self, Features(f))
    }

    /// The samples with `f` of each one's target, computed whenever a sample is asked for.
    fn map_targets<F>(self, f: F) -> Map<Self, Targets<F>>
    where
        Self: Sized,
        F: Fn(Tensor) -> candle_core::Result<Tensor> + Send + Sync,
    {
        Map::new(self, Targets(f))
    }

    /// The samples with `f` of each, which may draw at random: anew in every epoch.
    ///
    /// The generator that `f` gets depends on `seed`, the epoch and the sample's index in this set alone: neither on the
    /// order of samples, nor on batches, nor on threads. [`get`](Self::get) and [`batch`](Self::batch) give the samples of
    /// epoch 0. Several augmentations of a set take different seeds, or they draw the same numbers. Cut off what is not to be
    /// augmented, such as the validation's part, before.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// let x = Tensor::zeros((10, 3), sconce_data::candle_core::DType::F64, &Device::Cpu)?;
    /// let set = TensorDataset::new(&x, &x)?.augment(7, |features, target, generator| {
    ///     let mut noise = [0.; 3];
    ///     generator.fill_normal(&mut noise, 0., 0.1);
    ///     Ok(((features + Tensor::new(&noise, &Device::Cpu)?)?, target))
    /// });
    /// let noise = |epoch| set.get_at(4, epoch)?.0.to_vec1::<f64>();
    /// assert_ne!(noise(0)?, noise(1)?);
    /// assert_eq!(noise(1)?, noise(1)?);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn augment<F>(self, seed: u64, f: F) -> Map<Self, Seeded<F>>
    where
        Self: Sized,
        F: Fn(Tensor, Tensor, &mut Generator) -> candle_core::Result<Sample> + Send + Sync,
    {
        Map::new(self, Seeded { seed, f })
    }

    /// The samples of this set, then those of another. [`Concat::new`] takes a list of sets.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// let x = Tensor::arange(0f32, 3., &Device::Cpu)?;
    /// let set = TensorDataset::new(&x, &x)?;
    /// let twice = set.clone().concat(set.map_features(|x| x.neg()));
    /// assert_eq!(twice.batch(&[1, 4, 2])?.0.to_vec1::<f32>()?, [1., -1., 2.]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn concat<'a>(self, other: impl Dataset + 'a) -> Concat<Arc<dyn Dataset + 'a>>
    where
        Self: Sized + 'a,
    {
        let (first, second): (Arc<dyn Dataset + 'a>, _) = (Arc::new(self), Arc::new(other));
        Concat::new(vec![first, second])
    }

    /// Keeps every sample in memory from when it is first asked for, so that each is computed once.
    ///
    /// What changes from epoch to epoch stays as it is in epoch 0: [`augment`](Self::augment) comes after the cache.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// let (x, computed) = (Tensor::arange(0f32, 4., &Device::Cpu)?, AtomicUsize::new(0));
    /// let slow = TensorDataset::new(&x, &x)?.map_features(|x| {
    ///     computed.fetch_add(1, Ordering::Relaxed);
    ///     x.sqrt()
    /// });
    /// let set = slow.cache();
    /// for _ in 0..3 {
    ///     set.batch(&[0, 2])?;
    /// }
    /// assert_eq!(computed.load(Ordering::Relaxed), 2);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn cache(self) -> Cache<Self>
    where
        Self: Sized,
    {
        Cache::new(self, usize::MAX)
    }

    /// A set of sequences of different lengths, whose batches are padded to the longest in them: features, targets or both, each
    /// with this value, or neither where it has one shape anyhow. A model tells from the value what is padded; a loss can pass
    /// over it, as cross-entropy over `ignore_index`.
    ///
    /// It comes last, after [`map`](Self::map), [`augment`](Self::augment), [`cache`](Self::cache) and [`concat`](Self::concat):
    /// padding is done to batches, and these would make batches of its samples, which are as long as they were. Only
    /// [`subset`](Self::subset) and the splits may follow.
    ///
    /// # Shapes
    /// samples `[length, *]`, batches `[batch, longest, *]`
    ///
    /// # Errors
    /// When a batch is asked for: sequences that differ in more than their lengths, or a value that their type doesn't have.
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Dataset, Sample, candle_core::{Device, Result, Tensor}};
    /// /// The numbers from 1 to n, and n.
    /// struct Counting;
    /// impl Dataset for Counting {
    ///     fn len(&self) -> usize {
    ///         9
    ///     }
    ///     fn get(&self, index: usize) -> Result<Sample> {
    ///         let n = index as u32 + 1;
    ///         Ok((Tensor::arange(1, n + 1, &Device::Cpu)?, Tensor::new(n, &Device::Cpu)?))
    ///     }
    /// }
    /// let (numbers, counts) = Counting.padded(Some(0.), None).batch(&[2, 0])?;
    /// assert_eq!(numbers.to_vec2::<u32>()?, [[1, 2, 3], [1, 0, 0]]);
    /// assert_eq!(counts.to_vec1::<u32>()?, [3, 1]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    fn padded(self, features: Option<f64>, targets: Option<f64>) -> PaddedBatches<Self>
    where
        Self: Sized,
    {
        PaddedBatches {
            dataset: self,
            features,
            targets,
        }
    }

    /// Like [`cache`](Self::cache), but keeps `samples` samples at most: those that are asked for first.
    ///
    /// They are never dropped for others: an epoch asks for every sample once, so that the one used longest ago is the one
    /// that is needed next.
    fn cache_at_most(self, samples: usize) -> Cache<Self>
    where
        Self: Sized,
    {
        Cache::new(self, samples)
    }
}

/// One batch of these samples.
pub(crate) fn stack(
    samples: impl Iterator<Item = candle_core::Result<Sample>>,
) -> candle_core::Result<Sample> {
    let (features, targets): (Vec<_>, Vec<_>) = samples
        .collect::<candle_core::Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    Ok((stacked("features", &features)?, stacked("targets", &targets)?))
}

/// Features or targets of samples, with a batch axis in front.
pub(crate) fn stacked(name: &'static str, all: &[Tensor]) -> candle_core::Result<Tensor> {
    one_shape(name, all.iter().map(Tensor::dims))?;
    Tensor::stack(all, 0)
}

/// That samples of these shapes make a batch. candle says of others that they can't be joined, but not what can be done.
fn one_shape<'a>(
    name: &'static str,
    shapes: impl IntoIterator<Item = &'a [usize]>,
) -> candle_core::Result<()> {
    let mut shapes = shapes.into_iter().enumerate();
    let Some((_, first)) = shapes.next() else {
        return Ok(());
    };
    let Some((place, other)) = shapes.find(|(_, shape)| *shape != first) else {
        return Ok(());
    };
    let value = format!("of shape {other:?} at {place}");
    let hint = match (first, other) {
        ([_, a @ ..], [_, b @ ..]) if a == b => {
            " (samples of different lengths: `Dataset::padded`, as the last step)"
        }
        _ => "",
    };
    let expected = format!("{first:?}, that of the batch's first{hint}");
    Err(Error::config(name, value, expected).into())
}
