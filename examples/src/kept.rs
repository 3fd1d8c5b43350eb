//! What a program draws at its end, kept over a resume.

use sconce::candle_core::Tensor;
use sconce::train::{Callback, EpochRecord, Error, Result};
use std::cell::RefCell;
use std::ops::ControlFlow;

/// Tensors by the epoch, from 1, after which they were made.
pub type Album = RefCell<Vec<(usize, Tensor)>>;

/// Asks a function after each epoch for a tensor, and has checkpoints hold those that it gave.
pub struct Keeper<'k, F> {
    album: &'k Album,
    make: F,
}

impl<'k, F: FnMut(&EpochRecord) -> Result<Option<Tensor>>> Keeper<'k, F> {
    /// One that puts them into an album.
    pub fn new(album: &'k Album, make: F) -> Self {
        Self { album, make }
    }
}

impl<F: FnMut(&EpochRecord) -> Result<Option<Tensor>>> Callback for Keeper<'_, F> {
    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
        if let Some(tensor) = (self.make)(record)? {
            self.album.borrow_mut().push((record.epoch, tensor));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let album = self.album.borrow();
        let named = album
            .iter()
            .map(|(epoch, tensor)| (epoch.to_string(), tensor.clone()));
        Ok(named.collect())
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let one = |(name, tensor): &(String, Tensor)| match name.parse() {
            Ok(epoch) => Ok((epoch, tensor.clone())),
            Err(_) => Err(Error::from(sconce::core::Error::UnknownName(name.clone()))),
        };
        let mut all = state.iter().map(one).collect::<Result<Vec<_>>>()?;
        all.sort_by_key(|(epoch, _)| *epoch);
        self.album.replace(all);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sconce::candle_core::Device;

    fn record(epoch: usize) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: 0.,
            train_metrics: Vec::new(),
            turns: Vec::new(),
            validation: None,
            learning_rate: 0.,
            seconds: 0.,
        }
    }

    #[test]
    fn what_was_made_before_is_there_in_its_order() {
        let make = |record: &EpochRecord| {
            let number = Tensor::new(record.epoch as u32, &Device::Cpu)?;
            Ok(record.epoch.is_multiple_of(2).then_some(number))
        };
        let (first, second) = (Album::default(), Album::default());
        let mut keeper = Keeper::new(&first, make);
        for epoch in 1..=10 {
            assert!(keeper.on_epoch_end(&record(epoch)).unwrap().is_continue());
        }
        let mut later = Keeper::new(&second, make);
        let mut state = keeper.state().unwrap();
        state.sort_by(|a, b| a.0.cmp(&b.0));
        later.load_state(&state).unwrap();
        assert!(later.on_epoch_end(&record(12)).unwrap().is_continue());
        let kept = second.borrow();
        let kept = kept
            .iter()
            .map(|(epoch, tensor)| (*epoch, tensor.to_scalar::<u32>().unwrap()));
        assert!(kept.eq([2, 4, 6, 8, 10, 12].map(|epoch| (epoch, epoch as u32))));
        state.push(("x".into(), state[0].1.clone()));
        assert!(later.load_state(&state).is_err());
    }
}
