//! Statistics that are kept from batch to batch.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Buffer, Init, buffer};

/// Running mean and variance of each channel, and how many batches went into them.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) mean: Buffer,
    pub(crate) var: Buffer,
    num_batches_tracked: Buffer,
}

impl Running {
    pub(crate) fn new(vb: &VarBuilder, channels: usize) -> sconce_core::Result<Self> {
        let dtype = vb.dtype();
        Ok(Self {
            mean: buffer(vb, channels, "running_mean", &Init::Const(0.), dtype)?,
            var: buffer(vb, channels, "running_var", &Init::Const(1.), dtype)?,
            num_batches_tracked: buffer(vb, (), "num_batches_tracked", &Init::Const(0.), DType::I64)?,
        })
    }

    /// Counts one batch more, and says how many there are now.
    pub(super) fn count(&self) -> Result<i64> {
        let batches = self.num_batches_tracked.tensor();
        let count = batches.to_scalar::<i64>()? + 1;
        self.num_batches_tracked
            .set(&Tensor::new(count, batches.device())?)?;
        Ok(count)
    }

    /// Moves by `share` towards a mean and a biased variance over `count` values.
    pub(crate) fn update(&self, mean: &Tensor, var: &Tensor, count: usize, share: f64) -> Result<()> {
        let unbiased = (var * (count as f64 / (count as f64 - 1.)))?;
        for (running, new) in [(&self.mean, mean), (&self.var, &unbiased)] {
            let old = running.tensor();
            let next = ((old.to_dtype(new.dtype())? * (1. - share))? + (new * share)?)?;
            running.set(&next.to_dtype(old.dtype())?)?;
        }
        Ok(())
    }
}
