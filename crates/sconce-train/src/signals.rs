//! Ctrl-C and SIGTERM, as a flag that a loop looks at.

use crate::Result;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Set by the process's handlers, once they are there.
static ASKED: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

/// Whether the run was asked to stop.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that no signal sets.
    pub(crate) fn never() -> Self {
        Self::default()
    }

    /// One that is set by the next Ctrl-C or SIGTERM; the one after that ends the process, as if nobody had heeded it.
    pub(crate) fn on_signals() -> Result<Self> {
        let mut installed = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &*installed {
            asked.store(false, Ordering::SeqCst);
            return Ok(Self(asked.clone()));
        }
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that the first signal only sets the flag.
            flag::register_conditional_default(signal, asked.clone()).map_err(candle_core::Error::from)?;
            flag::register(signal, asked.clone()).map_err(candle_core::Error::from)?;
        }
        *installed = Some(asked.clone());
        Ok(Self(asked))
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
