//! Samples that are kept once they were computed.

use super::{Dataset, Sample};
use crate::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A set whose samples stay in memory, as [`Dataset::cache`] and [`Dataset::cache_at_most`] give it. Clones share them.
#[derive(Debug, Clone)]
pub struct Cache<D> {
    dataset: D,
    kept: Arc<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// A lock each, so that threads which want the same sample compute it once, and others don't wait.
    samples: Vec<Mutex<Option<Sample>>>,
    /// How many more may be kept.
    room: AtomicUsize,
}

impl<D: Dataset> Cache<D> {
    pub(super) fn new(dataset: D, capacity: usize) -> Self {
        let samples = (0..dataset.len()).map(|_| Mutex::new(None)).collect();
        Self {
            dataset,
            kept: Arc::new(Kept {
                samples,
                room: AtomicUsize::new(capacity),
            }),
        }
    }

    /// How many samples are kept at present.
    pub fn kept(&self) -> usize {
        let full = |sample: &&Mutex<Option<Sample>>| lock(sample).is_some();
        self.kept.samples.iter().filter(full).count()
    }
}

/// A sample that wasn't finished because its set panicked is still none.
fn lock(sample: &Mutex<Option<Sample>>) -> std::sync::MutexGuard<'_, Option<Sample>> {
    sample.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Dataset> Dataset for Cache<D> {
    fn len(&self) -> usize {
        self.kept.samples.len()
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        let len = self.len();
        let slot = self.kept.samples.get(index);
        let mut slot = lock(slot.ok_or(Error::Index { index, len })?);
        if let Some(sample) = &*slot {
            return Ok(sample.clone());
        }
        let room = &self.kept.room;
        let less = |left: usize| left.checked_sub(1);
        if room.load(Ordering::Relaxed) == 0 {
            // Nothing to wait for: threads may compute it side by side.
            drop(slot);
            return self.dataset.get(index);
        }
        let sample = self.dataset.get(index)?;
        if room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
        {
            *slot = Some(sample.clone());
        }
        Ok(sample)
    }
}
