//! From packed rows to padded sequences.

use super::{PackedSequence, select};
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// Pads packed sequences to one length and gives their lengths beside, both in the order in which they were packed.
///
/// # Shapes
/// the packed rows `[total, *]`; output `[time, batch, *]`, or `[batch, time, *]` if `batch_first`, with time that of the
/// longest sequence, or `total_length`
/// # Errors
/// `total_length` is below the longest sequence's length.
/// # Source
/// `torch.nn.utils.rnn.pad_packed_sequence`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_rnn::{pack_padded_sequence, pad_packed_sequence};
/// let x = Tensor::new(&[[1f32, 2., 0.], [3., 4., 5.]], &Device::Cpu)?;
/// let packed = pack_padded_sequence(&x, &[2, 3], true, false)?;
/// let (y, lengths) = pad_packed_sequence(&packed, true, -1., Some(4))?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1., 2., -1., -1.], [3., 4., 5., -1.]]);
/// assert_eq!(lengths, [2, 3]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn pad_packed_sequence(
    packed: &PackedSequence,
    batch_first: bool,
    padding_value: f64,
    total_length: Option<usize>,
) -> Result<(Tensor, Vec<usize>)> {
    let longest = packed.sizes.len();
    let time = total_length.unwrap_or(longest);
    if time < longest {
        let expected = format!("at least the longest sequence's length, {longest}");
        return Err(Error::config("pad_packed_sequence", "total_length", time, expected).into());
    }
    let lengths = packed.lengths();
    let batch = lengths.len();
    // Rows are counted in 32 bits.
    if time
        .checked_mul(batch)
        .is_none_or(|rows| rows > u32::MAX as usize)
    {
        let expected = format!("at most {}", u32::MAX as usize / batch.max(1));
        return Err(Error::config("pad_packed_sequence", "total_length", time, expected).into());
    }
    let mut starts = Vec::with_capacity(longest);
    let mut total = 0;
    for size in packed.sizes.iter() {
        starts.push(total);
        total += size;
    }
    let place = |k: usize| match &packed.order {
        Some(order) => order.unsorted.get(k).map(|&place| place as usize),
        None => Some(k),
    };
    // The row of the k-th sequence at a step; the one after all rows holds the padding.
    let row = |k: usize, step: usize| {
        let within = lengths.get(k).is_some_and(|&length| step < length);
        match (place(k), starts.get(step)) {
            (Some(place), Some(start)) if within => (start + place) as u32,
            _ => total as u32,
        }
    };
    let mut rows = Vec::with_capacity(time * batch);
    if batch_first {
        (0..batch).for_each(|k| rows.extend((0..time).map(|step| row(k, step))));
    } else {
        (0..time).for_each(|step| rows.extend((0..batch).map(|k| row(k, step))));
    }
    let data = &packed.data;
    let (mut one_row, mut dims) = (data.dims().to_vec(), data.dims().to_vec());
    if let Some(first) = one_row.first_mut() {
        *first = 1;
    }
    let axes = if batch_first { [batch, time] } else { [time, batch] };
    dims.splice(..1, axes);
    let padding = Tensor::full(padding_value, one_row, data.device())?.to_dtype(data.dtype())?;
    let padded = select(&Tensor::cat(&[data, &padding], 0)?, &rows, 0)?.reshape(dims)?;
    Ok((padded, lengths))
}
