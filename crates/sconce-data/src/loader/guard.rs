//! Loading that ends in an error, also where a set panics.

use super::Collate;
use crate::{Dataset, Error, Sample};
use candle_core::Result;
use sconce_core::no_grad;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many of a batch's samples a message names.
const NAMED: usize = 8;

/// A sample; an error names it.
pub(super) fn sample(dataset: &dyn Dataset, index: usize, epoch: u64) -> Result<Sample> {
    attempt(|| dataset.get_at(index, epoch)).map_err(|cause| {
        let cause = Box::new(Error::from(cause));
        Error::Sample { index, cause }.into()
    })
}

/// A batch; an error names the sample that is to blame, or else the batch.
///
/// A whole batch that fails doesn't tell by which sample, so they are tried one by one.
pub(super) fn batch<C: Collate>(
    collate: &C,
    dataset: &dyn Dataset,
    indices: &[usize],
    (epoch, batch): (u64, usize),
) -> Result<C::Batch> {
    // A thread of its own wouldn't know whether the caller's records a graph: none does.
    no_grad(|| {
        let cause = match attempt(|| collate.load(dataset, indices, epoch)) {
            Ok(batch) => return Ok(batch),
            Err(cause) => Error::from(cause),
        };
        if matches!(cause, Error::Sample { .. }) {
            return Err(cause.into());
        }
        for &index in indices {
            sample(dataset, index, epoch)?;
        }
        let named: Vec<_> = indices.iter().take(NAMED).map(usize::to_string).collect();
        let more = if indices.len() > NAMED { ", …" } else { "" };
        Err(Error::Batch {
            batch,
            epoch,
            samples: named.join(", ") + more,
            cause: Box::new(cause),
        }
        .into())
    })
}

/// What was caught is not used again: the epoch ends with its first error.
fn attempt<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result,
        Err(payload) => Err(Error::Panic(message(payload)).into()),
    }
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    match text.or_else(|| payload.downcast_ref::<String>().cloned()) {
        Some(text) => text,
        None => {
            // Dropped, it could panic again, and here nobody would catch it.
            std::mem::forget(payload);
            "a payload that is no text".into()
        }
    }
}
