//! References to sets, which are sets.

use super::{Dataset, Sample};
use std::sync::Arc;

macro_rules! forwards {
    ($($reference:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $reference {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn get(&self, index: usize) -> candle_core::Result<Sample> {
                (**self).get(index)
            }

            fn batch(&self, indices: &[usize]) -> candle_core::Result<Sample> {
                (**self).batch(indices)
            }

            fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
                (**self).get_at(index, epoch)
            }

            fn batch_at(&self, indices: &[usize], epoch: u64) -> candle_core::Result<Sample> {
                (**self).batch_at(indices, epoch)
            }
        }
    )*};
}
forwards!(&D, Box<D>, Arc<D>);
