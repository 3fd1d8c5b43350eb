//! The losses of an epoch's steps.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use sconce_core::cast;

/// Losses on another device than the CPU are read this many at a time: each reading waits for the device.
const UNREAD_ELSEWHERE: usize = 32;

/// Sums up losses, and stops at the first that isn't finite.
pub(super) struct Losses {
    most_unread: usize,
    /// Each with the number of its samples.
    unread: Vec<(Tensor, usize)>,
    read: usize,
    sum: f64,
    samples: usize,
}

impl Losses {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            most_unread: if device.is_cpu() { 1 } else { UNREAD_ELSEWHERE },
            unread: Vec::new(),
            read: 0,
            sum: 0.,
            samples: 0,
        }
    }

    /// Takes in a step's loss, a mean over so many samples, in the epoch of this number, from 0.
    pub(super) fn push(&mut self, loss: &Tensor, samples: usize, epoch: usize) -> Result<()> {
        // Detached: the graph must not live longer than its step.
        self.unread.push((loss.detach(), samples));
        if self.unread.len() >= self.most_unread {
            self.read_all(epoch)?;
        }
        Ok(())
    }

    /// What a checkpoint holds of it: the sum, the samples and the steps.
    pub(super) fn sums(&mut self, epoch: usize) -> Result<(f64, usize, usize)> {
        self.read_all(epoch)?;
        Ok((self.sum, self.samples, self.read))
    }

    /// Goes on from [`sums`](Self::sums).
    pub(super) fn set_sums(&mut self, (sum, samples, read): (f64, usize, usize)) {
        (self.sum, self.samples, self.read) = (sum, samples, read);
    }

    /// The mean loss of a sample, over the steps that were read.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.samples as f64
    }

    pub(super) fn finish(mut self, epoch: usize) -> Result<f64> {
        self.read_all(epoch)?;
        Ok(self.mean())
    }

    fn read_all(&mut self, epoch: usize) -> Result<()> {
        for (loss, samples) in self.unread.drain(..) {
            let loss = value(&loss)?;
            self.read += 1;
            if !loss.is_finite() {
                return Err(Error::NotFinite {
                    loss,
                    epoch: epoch + 1,
                    step: self.read,
                    turn: None,
                    names: Vec::new(),
                });
            }
            self.sum += loss * samples as f64;
            self.samples += samples;
        }
        Ok(())
    }
}

/// A loss as a number.
pub(super) fn value(loss: &Tensor) -> Result<f64> {
    if loss.elem_count() != 1 {
        let expected = "one element: reduce it with a mean";
        return Err(sconce_core::Error::shape("Trainer", "loss", expected, loss.dims()).into());
    }
    let loss = loss.detach().reshape(())?;
    Ok(match loss.dtype() {
        DType::F32 => f64::from(loss.to_scalar::<f32>()?),
        _ => cast(&loss, DType::F64)?.to_scalar()?,
    })
}
