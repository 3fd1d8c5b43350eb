//! From samples to a batch.

use super::guard;
use crate::dataset::stack;
use crate::{Dataset, Sample};
use candle_core::{Result, Tensor};

/// Makes a batch of samples. A function of the samples is one.
///
/// # Example
/// ```
/// use sconce_data::{Loader, LoaderConfig, Sample, TensorDataset, candle_core::{Device, Result, Tensor}};
/// let x = Tensor::arange(0f32, 6., &Device::Cpu)?;
/// let set = TensorDataset::new(&x, &x)?;
/// // Batches of features alone.
/// let features = |samples: Vec<Sample>| {
///     let features: Vec<Tensor> = samples.into_iter().map(|(features, _)| features).collect();
///     Tensor::stack(&features, 0)
/// };
/// let loader = Loader::new(set, &LoaderConfig::new(4))?.with_collate(features);
/// let batches = loader.epoch(0).collect::<Result<Vec<_>>>()?;
/// assert_eq!(batches[1].to_vec1::<f32>()?, [4., 5.]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub trait Collate: Send + Sync {
    /// What a batch is.
    type Batch: Send;

    /// The batch of these samples.
    ///
    /// # Errors
    /// The samples don't go together.
    fn collate(&self, samples: Vec<Sample>) -> Result<Self::Batch>;

    /// The batch of a set's samples in an epoch; what has a faster way than one by one has it here.
    ///
    /// # Errors
    /// Those of [`collate`](Self::collate), and a sample that can't be loaded.
    fn load(&self, dataset: &dyn Dataset, indices: &[usize], epoch: u64) -> Result<Self::Batch> {
        let samples = indices.iter().map(|&index| guard::sample(dataset, index, epoch));
        self.collate(samples.collect::<Result<_>>()?)
    }
}

impl<F, B> Collate for F
where
    F: Fn(Vec<Sample>) -> Result<B> + Send + Sync,
    B: Send,
{
    type Batch = B;

    fn collate(&self, samples: Vec<Sample>) -> Result<B> {
        self(samples)
    }
}

/// Features with a batch axis in front, and targets likewise, as the set's own [`batch_at`](Dataset::batch_at) gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack;

impl Collate for Stack {
    type Batch = (Tensor, Tensor);

    fn collate(&self, samples: Vec<Sample>) -> Result<Self::Batch> {
        stack(samples.into_iter().map(Ok))
    }

    fn load(&self, dataset: &dyn Dataset, indices: &[usize], epoch: u64) -> Result<Self::Batch> {
        dataset.batch_at(indices, epoch)
    }
}
