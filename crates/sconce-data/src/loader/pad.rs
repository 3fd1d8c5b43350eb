//! Sequences of different lengths in one tensor.

use super::Collate;
use crate::dataset::stacked;
use crate::{Error, Result, Sample};
use candle_core::{DType, Device, Tensor};
use sconce_core::cast;

/// Sequences, padded to the longest of them.
#[derive(Debug, Clone)]
pub struct Padded {
    /// `[batch, longest, *]`
    pub values: Tensor,
    /// How long each sequence is.
    pub lengths: Vec<usize>,
}

impl Padded {
    /// Pads sequences with a value to the longest.
    ///
    /// # Shapes
    /// sequences `[length, *]`, values `[batch, longest, *]`
    ///
    /// # Errors
    /// No sequences, a scalar, sequences that differ in more than their lengths, or a value that their type doesn't have; of
    /// floating point, one that is too large for it.
    ///
    /// # Source
    /// PyTorch's `pad_sequence` with `batch_first`
    ///
    /// # Example
    /// ```
    /// use sconce_data::{Padded, candle_core::{Device, Tensor}};
    /// let (a, b) = (Tensor::new(&[5u32, 6, 7], &Device::Cpu)?, Tensor::new(&[8u32], &Device::Cpu)?);
    /// let padded = Padded::new(&[a, b], 0.)?;
    /// assert_eq!(padded.values.to_vec2::<u32>()?, [[5, 6, 7], [8, 0, 0]]);
    /// assert_eq!(padded.lengths, [3, 1]);
    /// assert_eq!(padded.key_padding_mask()?.to_vec2::<u8>()?, [[0, 0, 0], [0, 1, 1]]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn new(sequences: &[Tensor], value: f64) -> Result<Self> {
        let Some(first) = sequences.first() else {
            return Err(Error::config("sequences", "an empty list", "at least one"));
        };
        let wanted = first.dims().get(1..).unwrap_or_default();
        let mut lengths = Vec::with_capacity(sequences.len());
        for (place, sequence) in sequences.iter().enumerate() {
            match sequence.dims() {
                [length, rest @ ..] if rest == wanted && sequence.dtype() == first.dtype() => {
                    lengths.push(*length);
                }
                dims => {
                    let value = format!("{:?} of shape {dims:?} at {place}", sequence.dtype());
                    let sizes: String = wanted.iter().map(|size| format!(", {size}")).collect();
                    let expected = format!("{:?} of shape [length{sizes}]", first.dtype());
                    return Err(Error::config("sequences", value, expected));
                }
            }
        }
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let dims = |length: usize| [&[length], wanted].concat();
        let padding = Tensor::full(value, dims(longest), first.device())?.to_dtype(first.dtype())?;
        check(value, first.dtype())?;
        // All rows behind one another, then cut into sequences: the values are copied once.
        let mut rows = Vec::with_capacity(2 * sequences.len());
        for (sequence, length) in sequences.iter().zip(&lengths) {
            let padding = padding.narrow(0, 0, longest - length)?;
            rows.extend([sequence.clone(), padding]);
        }
        let whole = [&[sequences.len()], dims(longest).as_slice()].concat();
        Ok(Self {
            values: Tensor::cat(&rows, 0)?.reshape(whole)?,
            lengths,
        })
    }

    /// `[batch, longest]`, `u8`: 1 where a sequence is padded, as PyTorch's attention takes it.
    ///
    /// # Errors
    /// Those of candle.
    pub fn key_padding_mask(&self) -> Result<Tensor> {
        self.mask(|place, length| place >= length)
    }

    /// `[batch, longest]`, `u8`: 1 where a sequence has a value, as Hugging Face's models take it.
    ///
    /// # Errors
    /// Those of candle.
    pub fn attention_mask(&self) -> Result<Tensor> {
        self.mask(|place, length| place < length)
    }

    fn mask(&self, one: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        let one = &one;
        let row = |&length: &usize| (0..longest).map(move |place| u8::from(one(place, length)));
        let values: Vec<u8> = self.lengths.iter().flat_map(row).collect();
        let mask = Tensor::from_vec(values, (self.lengths.len(), longest), &Device::Cpu)?;
        Ok(mask.to_device(self.values.device())?)
    }
}

/// A value that turns into another one would be taken for a token, or a class, that it isn't.
fn check(value: f64, dtype: DType) -> Result<()> {
    let there = Tensor::new(value, &Device::Cpu)?.to_dtype(dtype)?;
    let there = cast(&there, DType::F64)?.to_scalar::<f64>()?;
    // Rounded is fine where all numbers are; infinite, a bias on what is padded would make NaN of it.
    if there == value || (dtype.is_float() && there.is_finite() == value.is_finite()) {
        return Ok(());
    }
    Err(Error::config("value", value, format!("one that {dtype:?} has")))
}

/// Pads features that are sequences; targets get a batch axis in front.
///
/// # Example
/// ```
/// use sconce_data::{Dataset, Loader, LoaderConfig, PadFeatures, TensorDataset, candle_core::{Device, Tensor}};
/// // 1, then 2 and 2, then 3, 3 and 3.
/// let counts = Tensor::new(&[1u32, 2, 3], &Device::Cpu)?;
/// let set = TensorDataset::new(&counts, &counts)?
///     .map_features(|count| count.broadcast_as(count.to_scalar::<u32>()? as usize));
/// let loader = Loader::new(set, &LoaderConfig::all())?.with_collate(PadFeatures { value: 0. });
/// for batch in loader.epoch(0) {
///     let (sequences, counts) = batch?;
///     assert_eq!(sequences.values.to_vec2::<u32>()?, [[1, 0, 0], [2, 2, 0], [3, 3, 3]]);
///     assert_eq!(sequences.lengths, [1, 2, 3]);
///     assert_eq!(counts.to_vec1::<u32>()?, [1, 2, 3]);
/// }
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PadFeatures {
    /// What stands behind a sequence's end.
    pub value: f64,
}

impl Collate for PadFeatures {
    type Batch = (Padded, Tensor);

    fn collate(&self, samples: Vec<Sample>) -> candle_core::Result<Self::Batch> {
        let (features, targets): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        Ok((Padded::new(&features, self.value)?, stacked("targets", &targets)?))
    }
}

/// Pads features and targets that are sequences, as for translation, or for a label for each token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PadBoth {
    /// What stands behind the end of features.
    pub features: f64,
    /// What stands behind the end of targets, such as the index that a loss ignores.
    pub targets: f64,
}

impl Collate for PadBoth {
    type Batch = (Padded, Padded);

    fn collate(&self, samples: Vec<Sample>) -> candle_core::Result<Self::Batch> {
        let (features, targets): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        Ok((
            Padded::new(&features, self.features)?,
            Padded::new(&targets, self.targets)?,
        ))
    }
}
