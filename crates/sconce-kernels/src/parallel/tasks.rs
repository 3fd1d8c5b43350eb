//! The one place where work is given to other threads.

use super::linger;
use crate::simd::{self, Level};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

/// How often the calling thread looks whether its helpers are done before it goes to sleep: some tens of microseconds,
/// about what sleeping and being woken takes.
const PATIENCE: usize = 2000;

/// Runs `f(0), …, f(count − 1)`, on as many threads as the current rayon pool has, the calling one among them.
///
/// Threads take the next number when they are free. The caller never waits for a helper that hasn't begun by the time the
/// last number is taken, so that a thread that is slow to wake costs nothing. Each task should be worth some
/// microseconds, and all together some tens: whether that is so only the caller can tell.
pub fn tasks(count: usize, f: impl Fn(usize) + Sync) {
    let helpers = if count > 1 {
        rayon::current_num_threads().min(count) - 1
    } else {
        0
    };
    if helpers == 0 {
        (0..count).for_each(f);
        return;
    }
    let f: &(dyn Fn(usize) + Sync) = &f;
    // SAFETY: only the lifetime changes. The region calls `f` from threads that have joined it, none can join after
    // `close`, and `close` returns when all have left; it runs below on every way out of this function.
    let f = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(f) };
    let region = Arc::new(Region {
        f,
        count,
        next: AtomicUsize::new(0),
        inside: AtomicUsize::new(0),
        level: simd::forced(),
        panic: Mutex::new(None),
        caller: std::thread::current(),
    });
    // Helpers that are still about from the region before need no waking.
    let about = linger::post(&region);
    for _ in about..helpers {
        let region = region.clone();
        rayon::spawn(move || {
            region.help();
            linger::linger();
        });
    }
    let own = catch_unwind(AssertUnwindSafe(|| region.work()));
    region.close();
    let theirs = region.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(panic) = own.err().or(theirs) {
        resume_unwind(panic);
    }
}

/// The numbers that are left, and who is at work on them.
pub(super) struct Region {
    /// To be called by threads that are inside only.
    f: &'static (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// Helpers that have joined and not left, and [`CLOSED`].
    inside: AtomicUsize,
    level: Option<Level>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    caller: Thread,
}

/// Set when nobody may join any more.
const CLOSED: usize = 1 << (usize::BITS - 1);

impl Region {
    fn work(&self) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.count {
                break;
            }
            (self.f)(task);
        }
    }

    /// What a helper does, if it isn't too late; whether it wasn't.
    pub(super) fn help(&self) -> bool {
        let join = |inside| (inside & CLOSED == 0).then_some(inside + 1);
        if self
            .inside
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, join)
            .is_err()
        {
            return false;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| simd::force(self.level, || self.work()))) {
            // The others needn't go on.
            self.next.store(self.count, Ordering::Relaxed);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        if self.inside.fetch_sub(1, Ordering::Release) == CLOSED + 1 {
            self.caller.unpark();
        }
        true
    }

    /// Lets nobody in any more, and waits until all have left.
    fn close(&self) {
        self.inside.fetch_or(CLOSED, Ordering::Relaxed);
        let mut looks = 0;
        while self.inside.load(Ordering::Acquire) != CLOSED {
            looks += 1;
            if looks < PATIENCE {
                std::hint::spin_loop();
            } else {
                std::thread::park();
            }
        }
    }
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
