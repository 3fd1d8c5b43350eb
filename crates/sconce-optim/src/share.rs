//! How many tensors share the threads.

use sconce_kernels::parallel;
use std::sync::{Mutex, PoisonError};

/// Calls a function for each tensor, by its number of elements: large ones one after the other, since `f` cuts them among the
/// threads itself; small ones together in one parallel region. Gives one of the errors, after all were tried.
pub(crate) fn each<I: Send, E: Send>(
    items: Vec<I>,
    size: impl Fn(&I) -> usize,
    f: impl Fn(I) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let (large, small): (Vec<I>, Vec<I>) = items
        .into_iter()
        .partition(|item| size(item) >= parallel::THRESHOLD);
    let failure = Mutex::new(None);
    let try_one = |item| {
        if let Err(error) = f(item) {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    large.into_iter().for_each(try_one);
    parallel::for_each(into_tasks(small, size), |task| task.into_iter().for_each(try_one));
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Puts items into tasks of up to [`parallel::THRESHOLD`] elements, in their order; which items share a task depends on their
/// sizes alone. None is larger than a task.
pub(crate) fn into_tasks<I>(items: impl IntoIterator<Item = I>, size: impl Fn(&I) -> usize) -> Vec<Vec<I>> {
    let (mut tasks, mut room): (Vec<Vec<I>>, usize) = (Vec::new(), 0);
    for item in items {
        let size = size(&item);
        match tasks.last_mut() {
            Some(task) if size <= room => {
                task.push(item);
                room -= size;
            }
            _ => {
                tasks.push(vec![item]);
                room = parallel::THRESHOLD.saturating_sub(size);
            }
        }
    }
    tasks
}
