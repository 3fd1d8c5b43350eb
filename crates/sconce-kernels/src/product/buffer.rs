//! Memory on the boundary of a cache line, and each thread's piece of it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// A cache line.
const ALIGN: usize = 64;

/// A boxed slice of numbers that begins on a cache line.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its memory as a Box does.
unsafe impl<T: Send> Send for Aligned<T> {}
// SAFETY: as for a Box.
unsafe impl<T: Sync> Sync for Aligned<T> {}

impl<T: Copy> Aligned<T> {
    /// `len` elements with all bits zero; T is a number, for which that is 0.
    pub(super) fn zeros(len: usize) -> Self
    where
        T: Default,
    {
        let layout = Self::layout(len);
        if layout.size() == 0 {
            return Self {
                start: NonNull::dangling(),
                len: 0,
            };
        }
        // SAFETY: the layout isn't empty.
        let memory = unsafe { alloc_zeroed(layout) };
        match NonNull::new(memory.cast()) {
            Some(start) => Self { start, len },
            None => handle_alloc_error(layout),
        }
    }

    fn layout(len: usize) -> Layout {
        let size = len.checked_mul(size_of::<T>());
        match size.and_then(|size| Layout::from_size_align(size, ALIGN).ok()) {
            Some(layout) => layout,
            None => handle_alloc_error(Layout::new::<T>()),
        }
    }
}

impl<T> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised elements, owned by self.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> std::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` initialised elements, owned by self.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Aligned<T> {
    fn drop(&mut self) {
        let size = self.len * size_of::<T>();
        if size != 0 {
            // SAFETY: allocated in `zeros` with this size and alignment.
            unsafe {
                dealloc(
                    self.start.as_ptr().cast(),
                    Layout::from_size_align_unchecked(size, ALIGN),
                )
            }
        }
    }
}

thread_local! {
    static TASK: Scratch = const { Cell::new(None) };
    static LEFT: Scratch = const { Cell::new(None) };
    static RIGHT: Scratch = const { Cell::new(None) };
}

type Scratch = Cell<Option<Aligned<u64>>>;

/// Whose scratch memory: a task's, or that of an operand which the tasks share.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    Task,
    Left,
    Right,
}

/// Lends `len` elements of this thread's scratch memory, which holds what was left there.
pub(super) fn with_scratch<T: crate::simd::Element, R>(
    owner: Owner,
    len: usize,
    f: impl FnOnce(&mut [T]) -> R,
) -> R {
    let slot = match owner {
        Owner::Task => &TASK,
        Owner::Left => &LEFT,
        Owner::Right => &RIGHT,
    };
    let bytes = len.checked_mul(size_of::<T>());
    assert!(bytes.is_some(), "scratch memory of {len} elements");
    let words = bytes.unwrap_or_default().div_ceil(size_of::<u64>());
    // A product inside a product's packing finds nothing here, and gets memory of its own.
    let mut memory = match slot.take() {
        Some(memory) if memory.len() >= words => memory,
        _ => Aligned::zeros(words),
    };
    // SAFETY: the memory is long enough and aligned for T, which is f32 or f64: any bits are a value of it.
    let result = f(unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), len) });
    slot.set(Some(memory));
    result
}
