//! From sequences to packed rows.

use super::{Order, PackedSequence, select};
use candle_core::{Result, Tensor};
use sconce_core::Error;
use std::sync::Arc;

/// Packs sequences that were padded to one length.
///
/// `lengths` are those of the batch's sequences. If `enforce_sorted`, they must fall from the first to the last; else the
/// sequences are sorted here, and whatever is made of them is put back into the order given.
///
/// # Shapes
/// input `[time, batch, *]`, or `[batch, time, *]` if `batch_first`; the packed rows `[Σ lengths, *]`
/// # Errors
/// The input has fewer than two axes; there is another number of lengths than sequences, or none; a length is 0 or above the
/// input's; with `enforce_sorted`, a length is above the one before it.
/// # Source
/// `torch.nn.utils.rnn.pack_padded_sequence`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_rnn::pack_padded_sequence;
/// let x = Tensor::new(&[[1i64, 2, 0], [3, 4, 5]], &Device::Cpu)?;
/// let packed = pack_padded_sequence(&x, &[2, 3], true, false)?;
/// assert_eq!(packed.data().to_vec1::<i64>()?, [3, 1, 4, 2, 5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn pack_padded_sequence(
    input: &Tensor,
    lengths: &[usize],
    batch_first: bool,
    enforce_sorted: bool,
) -> Result<PackedSequence> {
    const NAME: &str = "pack_padded_sequence";
    let (time, batch) = match (input.dims(), batch_first) {
        (&[time, batch, ..], false) | (&[batch, time, ..], true) => (time, batch),
        _ => {
            let expected = if batch_first {
                "[batch, time, *]"
            } else {
                "[time, batch, *]"
            };
            return Err(Error::shape(NAME, "input", expected, input.dims()).into());
        }
    };
    if lengths.len() != batch {
        let expected = format!("[batch = {batch}], as the input's {:?}", input.dims());
        return Err(Error::shape(NAME, "lengths", expected, &[lengths.len()]).into());
    }
    let (sizes, order) = sort(NAME, lengths, Some(time), enforce_sorted)?;
    let mut rows = Vec::with_capacity(sizes.iter().sum());
    for (step, &size) in sizes.iter().enumerate() {
        for place in order.sorted.iter().take(size) {
            let k = *place as usize;
            let row = if batch_first {
                k * time + step
            } else {
                step * batch + k
            };
            rows.push(row as u32);
        }
    }
    let data = select(&input.flatten_to(1)?, &rows, 0)?;
    let order = (!enforce_sorted).then(|| Arc::new(order));
    Ok(PackedSequence::of(data, sizes, order))
}

/// Packs sequences of different lengths.
///
/// # Shapes
/// each sequence `[its length, *]`, with the same axes after the first; the packed rows `[Σ lengths, *]`
/// # Errors
/// There is no sequence; one is empty, or differs from the first in its axes after the first or in its dtype; with
/// `enforce_sorted`, a length is above the one before it.
/// # Source
/// `torch.nn.utils.rnn.pack_sequence`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_rnn::pack_sequence;
/// let sequence = |steps: usize| Tensor::zeros((steps, 5), DType::F32, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(3)?, sequence(2)?], true)?;
/// assert_eq!((packed.data().dims(), packed.lengths()), (&[5, 5][..], vec![3, 2]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn pack_sequence(sequences: &[Tensor], enforce_sorted: bool) -> Result<PackedSequence> {
    const NAME: &str = "pack_sequence";
    let axes = sequences.first().and_then(|first| first.dims().get(1..));
    let mut lengths = Vec::with_capacity(sequences.len());
    for sequence in sequences {
        match (sequence.dims().split_first(), axes) {
            (Some((&length, rest)), Some(axes)) if rest == axes => lengths.push(length),
            _ => {
                let expected = format!(
                    "[time, *] with {:?} for *, as the first",
                    axes.unwrap_or_default()
                );
                return Err(Error::shape(NAME, "sequences", expected, sequence.dims()).into());
            }
        }
        if let Some(first) = sequences.first()
            && first.dtype() != sequence.dtype()
        {
            let error = Error::DType {
                layer: NAME.to_owned(),
                argument: "sequences",
                expected: format!("{:?}, that of the first", first.dtype()),
                got: sequence.dtype(),
            };
            return Err(error.into());
        }
    }
    let (sizes, order) = sort(NAME, &lengths, None, enforce_sorted)?;
    let mut start = 0;
    let starts: Vec<usize> = lengths
        .iter()
        .map(|length| {
            start += length;
            start - length
        })
        .collect();
    let mut rows = Vec::with_capacity(start);
    for (step, &size) in sizes.iter().enumerate() {
        let here = order.sorted.iter().take(size);
        rows.extend(here.filter_map(|&k| Some((starts.get(k as usize)? + step) as u32)));
    }
    let data = select(&Tensor::cat(sequences, 0)?, &rows, 0)?;
    let order = (!enforce_sorted).then(|| Arc::new(order));
    Ok(PackedSequence::of(data, sizes, order))
}

/// Rows of each step, and the order of lengths.
fn sort(
    function: &str,
    lengths: &[usize],
    longest: Option<usize>,
    enforce_sorted: bool,
) -> Result<(Arc<[usize]>, Order)> {
    if lengths.is_empty() {
        return Err(Error::config(function, "lengths", "empty", "at least one sequence").into());
    }
    let wrong = |index: usize, value: usize, expected: String| Error::Value {
        layer: function.to_owned(),
        argument: "lengths",
        index,
        value: value.to_string(),
        expected,
    };
    let mut before = usize::MAX;
    for (k, &length) in lengths.iter().enumerate() {
        let most = longest.unwrap_or(usize::MAX);
        if length == 0 || length > most {
            let expected = match longest {
                Some(longest) => format!("a length from 1 to the input's {longest}"),
                None => "at least 1".to_owned(),
            };
            return Err(wrong(k, length, expected).into());
        }
        if enforce_sorted && length > before {
            let expected = format!("at most the {before} before it, or enforce_sorted = false");
            return Err(wrong(k, length, expected).into());
        }
        before = length;
    }
    let most = lengths.iter().copied().max().unwrap_or(0);
    let sizes = (0..most).map(|step| lengths.iter().filter(|&&length| length > step).count());
    Ok((sizes.collect(), Order::of(lengths)))
}
