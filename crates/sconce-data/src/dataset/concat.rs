//! Several sets as one.

use super::{Dataset, Sample, one_shape};
use crate::Error;
use candle_core::Tensor;

/// The samples of several sets, one set after the other.
///
/// Sets of different types go in as `Box<dyn Dataset>`.
///
/// # Example
/// ```
/// use sconce_data::{Concat, Dataset, TensorDataset, candle_core::{Device, Tensor}};
/// let part = |start: f32| {
///     let x = Tensor::arange(start, start + 10., &Device::Cpu)?;
///     TensorDataset::new(&x, &x)
/// };
/// let all = Concat::new(vec![part(0.)?, part(10.)?, part(20.)?]);
/// assert_eq!((all.len(), all.get(23)?.1.to_scalar::<f32>()?), (30, 23.));
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Concat<D> {
    datasets: Vec<D>,
    /// Where each set ends in the whole.
    ends: Vec<usize>,
}

impl<D: Dataset> Concat<D> {
    /// These sets, in this order.
    pub fn new(datasets: Vec<D>) -> Self {
        let lengths = datasets.iter().map(Dataset::len);
        let ends = lengths.scan(0, |end: &mut usize, len| {
            *end = end.saturating_add(len);
            Some(*end)
        });
        Self {
            ends: ends.collect(),
            datasets,
        }
    }

    /// The set that a sample is in, where that set starts in the whole, and where it ends.
    fn find(&self, index: usize) -> candle_core::Result<(&D, usize, usize)> {
        let place = self.ends.partition_point(|&end| end <= index);
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        match (self.datasets.get(place), self.ends.get(place)) {
            (Some(dataset), Some(&end)) => Ok((dataset, start.copied().unwrap_or(0), end)),
            _ => Err(Error::Index {
                index,
                len: self.len(),
            }
            .into()),
        }
    }

    /// A batch whose stretches from one set are loaded by that set's way to load batches.
    fn stretches(
        &self,
        mut indices: &[usize],
        load: impl Fn(&D, &[usize]) -> candle_core::Result<Sample>,
    ) -> candle_core::Result<Sample> {
        let (mut features, mut targets) = (Vec::new(), Vec::new());
        while let Some(&first) = indices.first() {
            let (dataset, start, end) = self.find(first)?;
            let inside = |index: &&usize| (start..end).contains(*index);
            let (stretch, rest) = indices.split_at(indices.iter().take_while(inside).count());
            let own: Vec<usize> = stretch.iter().map(|index| index - start).collect();
            let (x, y) = load(dataset, &own)?;
            features.push(x);
            targets.push(y);
            indices = rest;
        }
        match (features.pop(), targets.pop()) {
            (Some(x), Some(y)) if features.is_empty() => Ok((x, y)),
            (x, y) => {
                features.extend(x);
                targets.extend(y);
                Ok((joined("features", &features)?, joined("targets", &targets)?))
            }
        }
    }
}

/// Stretches of a batch as one.
fn joined(name: &'static str, stretches: &[Tensor]) -> candle_core::Result<Tensor> {
    let samples = stretches
        .iter()
        .map(|all| all.dims().get(1..).unwrap_or_default());
    one_shape(name, samples)?;
    Tensor::cat(stretches, 0)
}

impl<D: Dataset> Dataset for Concat<D> {
    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        let (dataset, start, _) = self.find(index)?;
        dataset.get(index - start)
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<Sample> {
        self.stretches(indices, |dataset, own| dataset.batch(own))
    }

    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        let (dataset, start, _) = self.find(index)?;
        dataset.get_at(index - start, epoch)
    }

    fn batch_at(&self, indices: &[usize], epoch: u64) -> candle_core::Result<Sample> {
        self.stretches(indices, |dataset, own| dataset.batch_at(own, epoch))
    }
}
