//! Memory of a thread in which pieces of a large result are put together, before they go past the cache to where they belong.

use crate::simd::{Element, LINE, Simd};
use std::any::Any;
use std::cell::Cell;
use std::mem::MaybeUninit;

/// Some elements; they hold what was left there.
#[derive(Debug)]
pub(super) struct Stage<T: 'static>(Option<Box<Memory<T>>>);

#[derive(Debug)]
struct Memory<T>(Vec<T>);

thread_local! {
    /// The memory of the last stage, whatever its type.
    static LAST: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
}

impl<T: Element> Stage<T> {
    /// Bytes that it may be asked for at once: what stays in a first-level cache beside what is computed with.
    pub(super) const MOST: usize = 32 << 10;

    pub(super) fn new() -> Self {
        let last = LAST.take();
        Self(last.and_then(|last| last.downcast().ok()))
    }

    /// The first `count` elements.
    pub(super) fn elements(&mut self, count: usize) -> &mut [T] {
        let Memory(values) = &mut **self.0.get_or_insert_with(|| Box::new(Memory(Vec::new())));
        if values.len() < count {
            values.resize(count, T::ZERO);
        }
        &mut values[..count]
    }
}

impl<T> Drop for Stage<T> {
    fn drop(&mut self) {
        if let Some(memory) = self.0.take() {
            // A thread that is being taken down has no use for it.
            _ = LAST.try_with(|last| last.set(Some(memory)));
        }
    }
}

/// Copies past the cache, where the processor can.
#[inline(always)]
pub(super) fn stream<T: Element, S: Simd>(s: S, from: &[T], to: &mut [MaybeUninit<T>]) {
    assert!(
        from.len() == to.len(),
        "slices that go in lock-step differ in length"
    );
    let bytes = size_of_val(from);
    let (from, to) = (from.as_ptr().cast::<u8>(), to.as_mut_ptr().cast::<u8>());
    let head = to.align_offset(LINE).min(bytes);
    let tail = bytes - (bytes - head) % LINE;
    // SAFETY: both have `bytes` bytes, and don't overlap, since one of them is borrowed to be written. Between head and
    // tail are whole lines.
    unsafe {
        std::ptr::copy_nonoverlapping(from, to, head);
        for start in (head..tail).step_by(LINE) {
            s.stream_line(from.add(start), to.add(start));
        }
        std::ptr::copy_nonoverlapping(from.add(tail), to.add(tail), bytes - tail);
    }
}
