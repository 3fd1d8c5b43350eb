//! Working memory that outlives a step.

use sconce_core::cpu::Real;
use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Memory that steps lend and give back, so that only the first of them allocates.
#[derive(Default)]
pub(crate) struct Scratch(Mutex<Vec<Box<dyn Any + Send>>>);

impl Scratch {
    /// So many elements, which hold what was left there.
    pub(crate) fn lend<T: Real>(&self, count: usize) -> Lent<'_, T> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = free.iter().rposition(|memory| memory.is::<Memory<T>>());
        let memory = place.and_then(|place| free.swap_remove(place).downcast().ok());
        drop(free);
        let mut memory = memory.unwrap_or_else(|| Box::new(Memory(Vec::new())));
        if memory.0.len() < count {
            memory.0.resize(count, T::ZERO);
        }
        Lent {
            scratch: self,
            memory: Some(memory),
            count,
        }
    }
}

struct Memory<T>(Vec<T>);

/// Memory on loan.
pub(crate) struct Lent<'a, T: Real> {
    scratch: &'a Scratch,
    /// There until it is dropped.
    memory: Option<Box<Memory<T>>>,
    count: usize,
}

impl<T: Real> Deref for Lent<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let all = self.memory.as_ref();
        all.and_then(|all| all.0.get(..self.count)).unwrap_or_default()
    }
}

impl<T: Real> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let all = self.memory.as_mut();
        all.and_then(|all| all.0.get_mut(..self.count))
            .unwrap_or_default()
    }
}

impl<T: Real> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            let mut free = self.scratch.0.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(memory);
        }
    }
}
