//! An average that forgets.

use crate::average::{Averages, averaged};
use sconce_core::{Error, Parameters, Result};

/// Options of [`Ema`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmaConfig {
    /// How much of the average an update keeps, 0 to 1.
    pub decay: f64,
    /// Whether buffers of floating point are averaged too; else they are copied.
    pub use_buffers: bool,
}

impl Default for EmaConfig {
    fn default() -> Self {
        Self {
            decay: 0.999,
            use_buffers: false,
        }
    }
}

/// An exponential moving average of a model's parameters: mostly better to evaluate with than the last step's.
///
/// θ̄ ← d·θ̄ + (1 − d)·θ at each [`update`](Self::update), which is called after the optimiser's step; the first is a copy.
/// Buffers are copied. [`within`](Self::within) runs something with the averages in the place of the parameters. Those of half
/// precision are averaged in `f32`.
///
/// # Errors
/// `new`: `decay` isn't between 0 and 1. `update`: the averages are in the store; a tensor is gone, or has another shape.
///
/// # Source
/// Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992;
/// `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_optim::{Ema, EmaConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(1.))?;
/// let mut ema = Ema::new(&EmaConfig { decay: 0.75, ..EmaConfig::default() })?;
/// ema.update(&store)?;
/// store.set("w", &Tensor::new(&[5.], &Device::Cpu)?)?;
/// ema.update(&store)?;
/// let read = || w.value().to_vec1::<f64>();
/// assert_eq!(ema.within(&store, read)??, [2.]);
/// assert_eq!(read()?, [5.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Ema {
    decay: f64,
    averages: Averages,
}

impl Ema {
    /// With nothing in it yet.
    ///
    /// # Errors
    /// See [`Ema`].
    pub fn new(cfg: &EmaConfig) -> Result<Self> {
        if !(0. ..=1.).contains(&cfg.decay) {
            return Err(Error::config("Ema", "decay", cfg.decay, "0 to 1"));
        }
        Ok(Self {
            decay: cfg.decay,
            averages: Averages::new("Ema", cfg.use_buffers),
        })
    }

    /// Takes in the parameters as they are.
    ///
    /// # Errors
    /// See [`Ema`]; then nothing was changed.
    pub fn update<P: Parameters + ?Sized>(&mut self, parameters: &P) -> Result<()> {
        let weight = 1. - self.decay;
        self.averages.update(parameters, |_| weight)
    }
}

averaged!(Ema);
