//! Layers one after the other.

use candle_core::{ModuleT, Result, Tensor};

/// Feeds each layer's output to the next.
///
/// Takes whatever implements candle's `Module` or `ModuleT`; what differs in training is told so.
///
/// # Shapes
/// input: the first layer's; output: the last's
/// # Errors
/// Those of its layers.
/// # Source
/// `torch.nn.Sequential`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{Dropout, Linear, LinearConfig, Relu, Sequential};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let vb = store.builder();
/// let net = Sequential::new()
///     .push(Linear::new(&LinearConfig::new(8, 16), vb.pp("0"))?)
///     .push(Relu)
///     .push(Dropout::new(0.1)?)
///     .push(Linear::new(&LinearConfig::new(16, 2), vb.pp("3"))?);
/// let x = Tensor::zeros((5, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, true)?.dims(), [5, 2]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn ModuleT + Send + Sync>>,
}

impl Sequential {
    /// No layers: the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more layer at the end.
    #[must_use]
    pub fn push(mut self, layer: impl ModuleT + Send + Sync + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl ModuleT for Sequential {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.layers
            .iter()
            .try_fold(x.clone(), |x, layer| layer.forward_t(&x, train))
    }
}

impl std::fmt::Debug for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sequential of {} layers", self.layers.len())
    }
}
