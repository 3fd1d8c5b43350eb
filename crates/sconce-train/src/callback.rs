//! What a program does between epochs.

use crate::{EpochRecord, Result, Watched};
use candle_core::Tensor;
use std::ops::ControlFlow;

/// Called between epochs; closures that take an epoch's record are callbacks too.
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
    /// Before the first epoch of a run.
    ///
    /// # Errors
    /// What the callback wants to stop the run with.
    fn on_fit_start(&mut self) -> Result<()> {
        Ok(())
    }

    /// The figure that it goes by, if any: a run that won't have it is refused at its start.
    fn watches(&self) -> Option<Watched> {
        None
    }

    /// Sees what came of the epoch; a break ends the run after it. Where the trainer averages the parameters, the averages stand in
    /// the store meanwhile, since they are what was validated.
    ///
    /// # Errors
    /// What the callback wants to stop the run with.
    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>>;

    /// What it remembers, for a checkpoint.
    ///
    /// # Errors
    /// Those of candle's copy.
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Takes over what [`state`](Self::state) gave, after [`on_fit_start`](Self::on_fit_start).
    ///
    /// # Errors
    /// It is another callback's.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        match state.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(
                    sconce_core::Error::config("callback", "state", name, "none, since it remembers nothing")
                        .into(),
                )
            }
        }
    }

    /// At the end of a run that has begun, whether it came by itself, by a break or by an error. One that was refused at its
    /// start, such as for a checkpoint of another, has none.
    ///
    /// # Errors
    /// What the callback wants the run to end with; an error that ended it goes before.
    fn on_fit_end(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<F: FnMut(&EpochRecord) -> Result<ControlFlow<()>>> Callback for F {
    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
        self(record)
    }
}
