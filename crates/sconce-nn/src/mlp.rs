//! The fully connected network.

use crate::{Activation, Dropout, Linear, LinearConfig};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, layer_path};

/// Options of [`Mlp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Length of an input vector.
    pub in_features: usize,
    /// Lengths of the hidden layers' vectors; none gives a linear model.
    pub hidden: Vec<usize>,
    /// Length of an output vector.
    pub out_features: usize,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Probability with which each hidden unit is dropped in training.
    pub dropout: f64,
    /// How weights start; PyTorch's U(±1/√in) if `None`.
    pub weight_init: Option<Init>,
    /// How biases start; PyTorch's U(±1/√in) if `None`.
    pub bias_init: Option<Init>,
}

impl MlpConfig {
    /// A network with ReLU and no dropout.
    pub fn new(in_features: usize, hidden: impl Into<Vec<usize>>, out_features: usize) -> Self {
        Self {
            in_features,
            hidden: hidden.into(),
            out_features,
            activation: Activation::Relu,
            dropout: 0.,
            weight_init: None,
            bias_init: None,
        }
    }
}

/// Input, any number of hidden layers, output: linear maps with an activation between each two.
///
/// hᵢ = f(Wᵢ·hᵢ₋₁ + bᵢ); the output layer has no activation.
///
/// # Shapes
/// input `[*, in_features]`, output `[*, out_features]`
/// # Parameters
/// `layers.{i}.weight`: `[out, in]`; `layers.{i}.bias`: `[out]`, for each linear map in order
/// # Errors
/// `new`: a size is 0, or dropout isn't a probability. `forward_t`: the input's last axis isn't `in_features` long.
/// # Source
/// Rumelhart et al., "Learning representations by back-propagating errors", 1986
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{Mlp, MlpConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let net = Mlp::new(&MlpConfig::new(2, [16, 16], 1), store.builder())?;
/// let x = Tensor::zeros((5, 2), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, true)?.dims(), [5, 1]);
/// assert_eq!(store.num_parameters(), 2 * 16 + 16 + 16 * 16 + 16 + 16 + 1);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mlp {
    hidden: Vec<Linear>,
    output: Linear,
    activation: Activation,
    dropout: Dropout,
}

impl Mlp {
    /// The network whose parameters stand at `vb`.
    pub fn new(cfg: &MlpConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        if let Some(i) = cfg.hidden.iter().position(|&size| size == 0) {
            return Err(Error::config(
                layer_path(&vb, "Mlp"),
                "hidden",
                format!("0 at {i}"),
                "at least 1",
            ));
        }
        let vb = vb.pp("layers");
        let linear = |i: usize, in_features, out_features| {
            let (weight_init, bias_init) = (cfg.weight_init, cfg.bias_init);
            let layer = LinearConfig {
                weight_init,
                bias_init,
                ..LinearConfig::new(in_features, out_features)
            };
            Linear::new(&layer, vb.pp(i))
        };
        let mut width = cfg.in_features;
        let mut hidden = Vec::with_capacity(cfg.hidden.len());
        for (i, &size) in cfg.hidden.iter().enumerate() {
            hidden.push(linear(i, width, size)?);
            width = size;
        }
        let output = linear(hidden.len(), width, cfg.out_features)?;
        Ok(Self {
            hidden,
            output,
            activation: cfg.activation,
            dropout: Dropout::new(cfg.dropout)?,
        })
    }
}

impl ModuleT for Mlp {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.hidden.iter().try_fold(x.clone(), |x, layer| {
            self.dropout
                .forward_t(&self.activation.forward(&layer.forward(&x)?)?, train)
        })?;
        self.output.forward(&hidden)
    }
}
