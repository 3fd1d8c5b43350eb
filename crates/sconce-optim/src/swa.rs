//! The plain mean over the end of the training.

use crate::average::{Averages, averaged};
use crate::batch_norm::update_bn;
use candle_core::Tensor;
use sconce_core::{Parameters, Result};

/// Options of [`Swa`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SwaConfig {
    /// Whether buffers of floating point are averaged too; else they are copied.
    pub use_buffers: bool,
}

/// Stochastic weight averaging: the mean of a model's parameters over the last epochs, at a rate that
/// [`SwaLr`](crate::schedule::SwaLr) keeps up.
///
/// θ̄ ← θ̄ + (θ − θ̄)/(n + 1) at each [`update`](Self::update), where n counts those before; the first is a copy. Buffers are
/// copied; a batch norm's statistics belong to no average, so [`update_bn`](Self::update_bn) gathers them anew in the end.
///
/// # Errors
/// `update`: the averages are in the store; a tensor is gone, or has another shape.
///
/// # Source
/// Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018;
/// `torch.optim.swa_utils.AveragedModel`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_optim::{Swa, SwaConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(0.))?;
/// let mut swa = Swa::new(&SwaConfig::default());
/// for value in [1., 2., 6.] {
///     store.set("w", &Tensor::new(&[value], &Device::Cpu)?)?;
///     swa.update(&store)?;
/// }
/// assert_eq!(swa.within(&store, || w.value().to_vec1::<f64>())??, [3.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Swa {
    averages: Averages,
}

impl Swa {
    /// With nothing in it yet.
    pub fn new(cfg: &SwaConfig) -> Self {
        Self {
            averages: Averages::new("Swa", cfg.use_buffers),
        }
    }

    /// Takes in the parameters as they are.
    ///
    /// # Errors
    /// See [`Swa`]; then nothing was changed.
    pub fn update<P: Parameters + ?Sized>(&mut self, parameters: &P) -> Result<()> {
        self.averages.update(parameters, |n| 1. / (n + 1) as f64)
    }

    /// Gathers the statistics of the averaged model's batch norms by [`update_bn`], and keeps them with the averages.
    ///
    /// # Errors
    /// Those of [`swap_in`](Self::swap_in) and of [`update_bn`]; the store has the training's values again in any case.
    pub fn update_bn<P: Parameters + ?Sized, E>(
        &mut self,
        parameters: &P,
        batches: impl IntoIterator<Item = std::result::Result<Tensor, E>>,
        forward: impl FnMut(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<usize>
    where
        sconce_core::Error: From<E>,
    {
        self.averages
            .within(parameters, || update_bn(parameters, batches, forward))?
    }
}

averaged!(Swa);
