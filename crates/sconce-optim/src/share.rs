//! How many small tensors share a parallel region.

use sconce_kernels::parallel;

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
