//! Helpers that stay awake for the next piece of work.
//!
//! A training step is hundreds of short parallel stretches, and waking a thread takes as long as many of them last. So a
//! helper that has nothing left looks around for a little while before it goes back to rayon.

use super::tasks::Region;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a helper stays: longer than the serial work between two stretches, shorter than anyone would notice.
const STAY: Duration = Duration::from_micros(200);

/// The last region that was posted, and how many there have been.
static LATEST: Mutex<Option<Arc<Region>>> = Mutex::new(None);
static POSTED: AtomicUsize = AtomicUsize::new(0);

/// Helpers that look around at this moment.
static ABOUT: AtomicUsize = AtomicUsize::new(0);

/// Shows a region to the helpers that are about, and says how many there are.
pub(super) fn post(region: &Arc<Region>) -> usize {
    *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(region.clone());
    POSTED.fetch_add(1, Ordering::Release);
    ABOUT.load(Ordering::Relaxed)
}

thread_local! {
    static LINGERS: Cell<bool> = const { Cell::new(false) };
}

/// Helps with what is posted, until nothing has been for a while.
pub(super) fn linger() {
    // rayon may have this thread help elsewhere in the middle of it.
    if LINGERS.replace(true) {
        return;
    }
    let mut seen = 0;
    let mut since = Instant::now();
    ABOUT.fetch_add(1, Ordering::Relaxed);
    loop {
        let posted = POSTED.load(Ordering::Acquire);
        if posted != seen {
            seen = posted;
            ABOUT.fetch_sub(1, Ordering::Relaxed);
            let region = LATEST.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if region.is_some_and(|region| region.help()) {
                since = Instant::now();
            }
            ABOUT.fetch_add(1, Ordering::Relaxed);
        } else if since.elapsed() > STAY {
            break;
        } else if rayon::yield_now() != Some(rayon::Yield::Executed) {
            for _ in 0..16 {
                std::hint::spin_loop();
            }
        }
    }
    ABOUT.fetch_sub(1, Ordering::Relaxed);
    LINGERS.set(false);
}
