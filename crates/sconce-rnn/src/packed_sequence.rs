//! Sequences of different lengths in one batch.

mod pack;
mod pad;
#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor};
pub use pack::{pack_padded_sequence, pack_sequence};
pub use pad::pad_packed_sequence;
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
