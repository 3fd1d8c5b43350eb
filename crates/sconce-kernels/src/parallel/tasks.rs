//! The one place where threads are started.

use crate::simd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often the calling thread looks for its helpers before it goes to sleep: some tens of microseconds, about what
/// sleeping and being woken takes.
const PATIENCE: usize = 2000;

/// Runs `f(0), …, f(count − 1)`, on as many threads as the current rayon pool has, the calling one among them.
///
/// Threads take the next number when they are free. The caller sees to it that each task is worth some microseconds and
/// all together some tens.
pub fn tasks(count: usize, f: impl Fn(usize) + Sync) {
    let helpers = if count > 1 { rayon::current_num_threads().min(count) - 1 } else { 0 };
    if helpers == 0 {
        (0..count).for_each(f);
        return;
    }
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let level = simd::forced();
    let work = || {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= count {
                break;
            }
            f(task);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|_| {
                simd::force(level, work);
                finished.fetch_add(1, Ordering::Release);
            });
        }
        work();
        // A worker of the pool looks for other work while it waits; a foreign thread would sleep at once.
        if rayon::current_thread_index().is_none() {
            for _ in 0..PATIENCE {
                if finished.load(Ordering::Acquire) == helpers {
                    break;
                }
                std::hint::spin_loop();
            }
        }
    });
}

/// Gives each item to a thread that is free: for lists of tasks that own what they work on.
///
/// Small items should come bundled: a task ought to be worth some microseconds.
pub fn for_each<I: Send>(items: Vec<I>, f: impl Fn(I) + Sync) {
    let slots: Vec<Mutex<Option<I>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    tasks(slots.len(), |i| {
        if let Some(item) = slots[i].lock().unwrap_or_else(PoisonError::into_inner).take() {
            f(item);
        }
    });
}
