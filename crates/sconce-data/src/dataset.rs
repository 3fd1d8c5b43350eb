//! What a data set is, and how one is cut into parts.

use crate::{Error, Result};
use candle_core::Tensor;
use sconce_core::Generator;

/// Samples by index, each of features and a target.
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
pub trait Dataset {
    /// The number of samples.
    fn len(&self) -> usize;

    /// A sample's features and target.
    ///
    /// # Errors
    /// There is no such sample, or it can't be read.
    fn get(&self, index: usize) -> candle_core::Result<(Tensor, Tensor)>;

    /// Samples with a batch axis in front; a set that has a faster way than one by one has it here.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); samples of different shapes.
    fn batch(&self, indices: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
        let samples = indices.iter().map(|&index| self.get(index));
        let (features, targets): (Vec<_>, Vec<_>) = samples
            .collect::<candle_core::Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        Ok((Tensor::stack(&features, 0)?, Tensor::stack(&targets, 0)?))
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
        split(
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
        // The part that is drawn is rounded up, unless it is a whole number but for its last bits.
        let drawn = (len as f64 * fraction * (1. - 1e-12)).ceil();
        let order = Generator::new(seed).permutation(len);
        let (mut rest, mut drawn) = split(self, order, fraction, len as f64 - drawn)?;
        rest.indices.sort_unstable();
        drawn.indices.sort_unstable();
        Ok((rest, drawn))
    }
}

fn split<D: Dataset + Clone>(
    dataset: &D,
    mut order: Vec<usize>,
    fraction: f64,
    first: f64,
) -> Result<(Subset<D>, Subset<D>)> {
    if !(fraction > 0. && fraction < 1.) {
        return Err(Error::config("fraction", fraction, "above 0 and below 1"));
    }
    let first = first as usize;
    if first == 0 || first == order.len() {
        let expected = format!("one that leaves samples in both parts of {}", order.len());
        return Err(Error::config("fraction", fraction, expected));
    }
    let last = order.split_off(first);
    Ok((dataset.clone().subset(order)?, dataset.clone().subset(last)?))
}

/// Some samples of a set, as [`Dataset::subset`] and the splits give them.
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
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
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> candle_core::Result<(Tensor, Tensor)> {
        self.dataset.get(self.whole(index)?)
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
        let whole = indices.iter().map(|&index| self.whole(index));
        self.dataset
            .batch(&whole.collect::<candle_core::Result<Vec<_>>>()?)
    }
}

impl<D: Dataset + ?Sized> Dataset for &D {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn get(&self, index: usize) -> candle_core::Result<(Tensor, Tensor)> {
        (**self).get(index)
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
        (**self).batch(indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TensorDataset;
    use candle_core::Device;

    fn numbers(n: u32) -> TensorDataset {
        let x = Tensor::arange(0u32, n, &Device::Cpu).unwrap();
        TensorDataset::new(&x, &x).unwrap()
    }

    #[test]
    fn the_last_tenth_is_as_keras_cuts_it() {
        for (n, fraction, first) in [
            (60_000, 0.1, 54_000),
            (1797, 0.2, 1437),
            (10, 0.25, 7),
            (3, 0.5, 1),
        ] {
            let (rest, last) = numbers(n).split_last(fraction).unwrap();
            assert_eq!((rest.len(), last.indices()[0]), (first, first), "{n} {fraction}");
            assert_eq!(rest.len() + last.len(), n as usize);
        }
    }

    #[test]
    fn a_random_split_is_a_partition_that_the_seed_decides() {
        let set = numbers(100);
        let (rest, drawn) = set.split_random(0.2, 5).unwrap();
        let mut all = [rest.indices(), drawn.indices()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(drawn.len(), 20);
        assert_eq!(set.split_random(0.2, 5).unwrap().1.indices(), drawn.indices());
        assert_ne!(set.split_random(0.2, 6).unwrap().1.indices(), drawn.indices());
        let (x, y) = drawn.batch(&[0, 19]).unwrap();
        let ends = [drawn.indices()[0] as u32, drawn.indices()[19] as u32];
        assert_eq!(x.to_vec1::<u32>().unwrap(), ends);
        assert_eq!(y.to_vec1::<u32>().unwrap(), ends);
    }

    #[test]
    fn fractions_and_indices_that_make_no_sense_are_errors() {
        let set = numbers(3);
        for fraction in [0., 1., -0.1, 1.5, f64::NAN, 0.99] {
            assert!(set.split_last(fraction).is_err(), "{fraction}");
            assert!(set.split_random(fraction, 0).is_err(), "{fraction}");
        }
        assert!(numbers(0).split_last(0.5).is_err());
        let error = numbers(3).subset(vec![0, 3]).unwrap_err();
        assert_eq!(error.to_string(), "sample 3 of a set of 3");
        let part = numbers(3).subset(vec![2, 0]).unwrap();
        for bad in [part.get(2).err(), part.batch(&[0, 2]).err()] {
            assert_eq!(Error::from(bad.unwrap()).to_string(), "sample 2 of a set of 2");
        }
    }

    #[test]
    fn a_part_drawn_is_rounded_up_once() {
        for (len, fraction, expected) in [
            (100, 0.9, 90),
            (10, 0.9, 9),
            (1797, 0.2, 360),
            (10, 0.1, 1),
            (3, 0.5, 2),
        ] {
            let (rest, drawn) = numbers(len).split_random(fraction, 0).unwrap();
            assert_eq!(
                (rest.len() as u32, drawn.len() as u32),
                (len - expected, expected)
            );
        }
    }
}
