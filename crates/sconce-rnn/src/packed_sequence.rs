//! Sequences of different lengths in one batch.

use candle_core::{Result, Tensor};
use sconce_core::Error;
use std::sync::Arc;

/// Sequences of different lengths, packed: the rows of step 0 of all sequences, from the longest sequence to the shortest,
/// then those of step 1 of all that are long enough, and so on.
///
/// Made by [`pack_padded_sequence`] or [`pack_sequence`], unmade by [`pad_packed_sequence`]. [`Rnn`](crate::Rnn),
/// [`Lstm`](crate::Lstm) and [`Gru`](crate::Gru) take it in a tensor's place and give one back; their states stay in the
/// order in which the sequences were given.
///
/// # Source
/// `torch.nn.utils.rnn.PackedSequence`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_rnn::pack_sequence;
/// let sequence = |values: &[f32]| Tensor::new(values, &Device::Cpu);
/// let packed = pack_sequence(&[sequence(&[1., 2.])?, sequence(&[3., 4., 5.])?], false)?;
/// assert_eq!(packed.data().to_vec1::<f32>()?, [3., 1., 4., 2., 5.]);
/// assert_eq!(packed.batch_sizes(), [2, 2, 1]);
/// assert_eq!(packed.sorted_indices(), Some(vec![1, 0]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedSequence {
    data: Tensor,
    sizes: Arc<[usize]>,
    order: Option<Arc<Order>>,
}

/// From the batch's order to that of lengths, and back.
#[derive(Debug)]
pub struct Order {
    /// Where the k-th longest sequence stands in the batch.
    sorted: Vec<u32>,
    /// How many sequences stand before the batch's k-th in the order of lengths.
    unsorted: Vec<u32>,
}

impl Order {
    /// From the longest to the shortest, those of one length as they come.
    fn of(lengths: &[usize]) -> Self {
        let mut sorted: Vec<usize> = (0..lengths.len()).collect();
        sorted.sort_by_key(|&k| std::cmp::Reverse(lengths.get(k).copied()));
        let mut places: Vec<(usize, usize)> = sorted.iter().copied().zip(0..).collect();
        places.sort_unstable();
        Self {
            sorted: sorted.into_iter().map(|k| k as u32).collect(),
            unsorted: places.into_iter().map(|(_, place)| place as u32).collect(),
        }
    }

    /// An axis of the batch in the order of lengths.
    pub(crate) fn sort(&self, x: &Tensor, axis: usize) -> Result<Tensor> {
        select(x, &self.sorted, axis)
    }

    /// An axis in the order of lengths in the batch's order.
    pub(crate) fn unsort(&self, x: &Tensor, axis: usize) -> Result<Tensor> {
        select(x, &self.unsorted, axis)
    }
}

fn select(x: &Tensor, rows: &[u32], axis: usize) -> Result<Tensor> {
    x.contiguous()?
        .index_select(&Tensor::new(rows, x.device())?, axis)
}

impl PackedSequence {
    pub(crate) fn of(data: Tensor, sizes: Arc<[usize]>, order: Option<Arc<Order>>) -> Self {
        Self { data, sizes, order }
    }

    pub(crate) fn sizes(&self) -> &Arc<[usize]> {
        &self.sizes
    }

    pub(crate) fn order(&self) -> Option<&Arc<Order>> {
        self.order.as_ref()
    }

    /// All rows, `[total, *]`.
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// How many sequences have a row at each step.
    pub fn batch_sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Where in the batch the k-th longest sequence stands; none if the sequences were given sorted.
    pub fn sorted_indices(&self) -> Option<Vec<usize>> {
        let order = self.order.as_ref()?;
        Some(order.sorted.iter().map(|&k| k as usize).collect())
    }

    /// Where in the order of lengths the batch's k-th sequence stands; none if the sequences were given sorted.
    pub fn unsorted_indices(&self) -> Option<Vec<usize>> {
        let order = self.order.as_ref()?;
        Some(order.unsorted.iter().map(|&k| k as usize).collect())
    }

    /// The sequences' lengths in the order in which they were given.
    pub fn lengths(&self) -> Vec<usize> {
        let batch = self.sizes.first().copied().unwrap_or(0);
        let of = |place: usize| self.sizes.iter().take_while(|&&size| size > place).count();
        match &self.order {
            Some(order) => order.unsorted.iter().map(|&place| of(place as usize)).collect(),
            None => (0..batch).map(of).collect(),
        }
    }

    /// The same sequences with other rows, such as what a layer that looks at one row at a time made of them.
    ///
    /// # Errors
    /// Another number of rows.
    pub fn with_data(&self, data: Tensor) -> Result<Self> {
        let rows: usize = self.sizes.iter().sum();
        if data.dims().first() != Some(&rows) {
            let expected = format!("[total = {rows}, *]");
            return Err(Error::shape("PackedSequence", "data", expected, data.dims()).into());
        }
        Ok(Self::of(data, self.sizes.clone(), self.order.clone()))
    }
}

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

#[cfg(test)]
mod tests;
