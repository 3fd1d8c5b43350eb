//! What a program does between epochs.

use crate::EpochRecord;
use std::ops::ControlFlow;

/// Called after every epoch; closures are callbacks too.
///
/// # Example
/// ```
/// use sconce_train::{Callback, EpochRecord};
/// use std::ops::ControlFlow;
/// fn accept(_: impl Callback) {}
/// accept(|epoch: &EpochRecord| {
///     Ok(if epoch.train_loss < 0.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
/// });
/// ```
pub trait Callback {
    /// Sees what came of the epoch; a break ends the run after it.
    ///
    /// # Errors
    /// What the callback wants to stop the run with.
    fn on_epoch_end(&mut self, record: &EpochRecord) -> candle_core::Result<ControlFlow<()>>;
}

impl<F: FnMut(&EpochRecord) -> candle_core::Result<ControlFlow<()>>> Callback for F {
    fn on_epoch_end(&mut self, record: &EpochRecord) -> candle_core::Result<ControlFlow<()>> {
        self(record)
    }
}
