//! Ctrl-C and SIGTERM, as something that a loop looks at.

mod disposition;

use crate::Result;
use disposition::{Disposition, disposition};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the process's handlers set, once they are there.
static HANDLERS: Mutex<Option<Handlers>> = Mutex::new(None);

struct Handlers {
    /// The signal that came while a run heeded them; 0 if none did.
    asked: Arc<AtomicUsize>,
    /// Whether the next one does what it does where nobody heeds it. Every signal sets it, so that the second one does. The
    /// program's own handlers are called in any case, and where they can be seen, whether it ends is theirs to say.
    by_default: Arc<AtomicBool>,
    /// The signals that would end the process if nobody heeded them.
    ending: Vec<i32>,
    /// Runs that heed them now.
    runs: usize,
}

/// Whether a run was asked to stop.
pub(crate) struct Stop {
    asked: Option<Arc<AtomicUsize>>,
    /// Whether the run knows.
    seen: bool,
}

impl Stop {
    /// One that no signal sets.
    pub(crate) fn never() -> Self {
        Self {
            asked: None,
            seen: false,
        }
    }

    /// One that is set by the next Ctrl-C or SIGTERM; the one after that ends the process, as if nobody had heeded it. So does
    /// every one that comes when this is dropped.
    pub(crate) fn on_signals() -> Result<Self> {
        let mut handlers = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
        if handlers.is_none() {
            *handlers = Some(Handlers::install()?);
        }
        let asked = handlers.as_mut().map(|handlers| {
            if handlers.runs == 0 {
                handlers.asked.store(0, Ordering::SeqCst);
                handlers.by_default.store(false, Ordering::SeqCst);
            }
            handlers.runs += 1;
            Arc::clone(&handlers.asked)
        });
        Ok(Self { asked, seen: false })
    }

    pub(crate) fn is_asked(&mut self) -> bool {
        let asked = self.asked.as_ref();
        self.seen |= asked.is_some_and(|asked| asked.load(Ordering::Relaxed) != 0);
        self.seen
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let Some(asked) = &self.asked else {
            return;
        };
        let mut handlers = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handlers) = handlers.as_mut() {
            handlers.runs -= 1;
            if handlers.runs == 0 {
                handlers.by_default.store(true, Ordering::SeqCst);
            }
        }
        let signal = asked.load(Ordering::SeqCst) as i32;
        let ends = handlers
            .as_ref()
            .is_some_and(|handlers| handlers.ending.contains(&signal));
        if ends && !self.seen {
            // It came when the run no longer looked. Where that fails, a second one will do.
            _ = low_level::emulate_default_handler(signal);
        }
    }
}

impl Handlers {
    fn install() -> Result<Self> {
        let (asked, by_default): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
        let mut ending = Vec::new();
        for signal in [SIGINT, SIGTERM] {
            let found = disposition(signal);
            // In the background of a script Ctrl-C is meant for others.
            if found == Disposition::Ignored {
                continue;
            }
            // In this order, so that the first one that is heeded only leaves word.
            let mut registered = Ok(());
            if found == Disposition::Ends {
                ending.push(signal);
                registered = flag::register_conditional_default(signal, Arc::clone(&by_default)).map(|_| ());
            }
            registered
                .and_then(|()| flag::register_usize(signal, Arc::clone(&asked), signal as usize))
                .and_then(|_| flag::register(signal, Arc::clone(&by_default)))
                .map_err(candle_core::Error::from)?;
        }
        Ok(Self {
            asked,
            by_default,
            ending,
            runs: 0,
        })
    }
}
