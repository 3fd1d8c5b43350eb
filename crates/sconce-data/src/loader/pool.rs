//! Worker threads that load batches ahead.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// How an epoch is loaded ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// Threads that load; the calling thread does if there are none.
    pub threads: usize,
    /// How many batches at most are loaded, or being loaded, beyond those that were taken: at least 1.
    pub prefetch: usize,
}

impl Workers {
    /// So many threads, with twice as many batches ahead, as in PyTorch.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            prefetch: threads.saturating_mul(2),
        }
    }
}

type Loaded<B> = candle_core::Result<B>;

/// What workers and the iterator share.
#[derive(Debug)]
struct Shared<B> {
    state: Mutex<State<B>>,
    /// A batch became ready, for the iterator; room for one, or the end, for the workers.
    ready: Condvar,
    room: Condvar,
    prefetch: usize,
}

#[derive(Debug)]
struct State<B> {
    /// The next batch to load.
    next: usize,
    /// The next batch to hand out.
    taken: usize,
    /// One past the last batch to load; 0 when nobody waits for batches any more.
    end: usize,
    batches: BTreeMap<usize, Loaded<B>>,
}

impl<B> Shared<B> {
    /// Nothing that can panic runs while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room and gives the next batch to load, or `None` at the end.
    fn claim(&self) -> Option<usize> {
        let full = |state: &mut State<B>| {
            state.next < state.end && state.next >= state.taken.saturating_add(self.prefetch)
        };
        let waited = self.room.wait_while(self.lock(), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.next >= state.end {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    fn put(&self, batch: usize, loaded: Loaded<B>) {
        let mut state = self.lock();
        if batch < state.end {
            state.batches.insert(batch, loaded);
        }
        drop(state);
        self.ready.notify_one();
    }
}

/// The iterator's side of a pool. Dropped, it ends the workers after the batches that they have in hand.
#[derive(Debug)]
pub(super) struct Pool<B>(Arc<Shared<B>>);

impl<B: Send> Pool<B> {
    /// Starts the workers, each of which calls `load` for one batch after the other of `first..end`; `None` if not even one
    /// thread could be started.
    pub(super) fn start<'scope, L>(
        scope: &'scope Scope<'scope, '_>,
        workers: &Workers,
        (first, end): (usize, usize),
        load: L,
    ) -> Option<Self>
    where
        L: Fn(usize) -> Loaded<B> + Clone + Send + 'scope,
        B: 'scope,
    {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                next: first,
                taken: first,
                end,
                batches: BTreeMap::new(),
            }),
            ready: Condvar::new(),
            room: Condvar::new(),
            prefetch: workers.prefetch.max(1),
        });
        let mut threads = 0;
        // More threads than batches that may be loaded at a time would only wait.
        let useful = workers.threads.min(workers.prefetch.max(1));
        while threads < useful.min(end.saturating_sub(first)) {
            let (shared, load) = (Arc::clone(&shared), load.clone());
            let work = move || {
                while let Some(batch) = shared.claim() {
                    shared.put(batch, load(batch));
                }
            };
            // The batches don't depend on how many threads the system has to give.
            if Builder::new()
                .name("sconce-data".into())
                .spawn_scoped(scope, work)
                .is_err()
            {
                break;
            }
            threads += 1;
        }
        (threads > 0).then_some(Self(shared))
    }

    /// Waits for the next batch, and adds to `waited` how long if it wasn't loaded yet; `None` at the end.
    pub(super) fn next(&self, waited: &mut Duration) -> Option<Loaded<B>> {
        let mut state = self.0.lock();
        let mut since = None;
        loop {
            let next = state.taken;
            if next >= state.end {
                return None;
            }
            if let Some(loaded) = state.batches.remove(&next) {
                state.taken += 1;
                drop(state);
                *waited += since.as_ref().map_or(Duration::ZERO, Instant::elapsed);
                self.0.room.notify_one();
                return Some(loaded);
            }
            since.get_or_insert_with(Instant::now);
            let woken = self.0.ready.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<B> Drop for Pool<B> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.end = 0;
        // Dropped when the lock is free again.
        let batches = std::mem::take(&mut state.batches);
        drop(state);
        self.0.room.notify_all();
        drop(batches);
    }
}
