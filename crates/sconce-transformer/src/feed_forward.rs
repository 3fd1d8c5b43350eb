//! The two linear layers of a transformer layer, which act on each position alone.

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::Init;
use sconce_nn::{Activation, Dropout, Linear, LinearConfig};

/// linear2(dropout(activation(linear1(x)))); its layers stand at the transformer layer's own path.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    linear1: Linear,
    linear2: Linear,
    activation: Activation,
    dropout: Dropout,
}

/// Options of [`FeedForward`].
pub(crate) struct FeedForwardConfig {
    pub(crate) d_model: usize,
    pub(crate) dim_feedforward: usize,
    pub(crate) activation: Activation,
    pub(crate) bias: bool,
    pub(crate) weight_init: Option<Init>,
}

impl FeedForward {
    pub(crate) fn new(
        cfg: &FeedForwardConfig,
        dropout: Dropout,
        vb: &VarBuilder,
    ) -> sconce_core::Result<Self> {
        let linear = |inputs, outputs, name| {
            let cfg = LinearConfig {
                bias: cfg.bias,
                weight_init: cfg.weight_init,
                ..LinearConfig::new(inputs, outputs)
            };
            Linear::new(&cfg, vb.pp(name))
        };
        Ok(Self {
            linear1: linear(cfg.d_model, cfg.dim_feedforward, "linear1")?,
            linear2: linear(cfg.dim_feedforward, cfg.d_model, "linear2")?,
            activation: cfg.activation,
            dropout,
        })
    }

    pub(crate) fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.activation.forward(&self.linear1.forward(x)?)?;
        self.linear2.forward(&self.dropout.forward_t(&hidden, train)?)
    }
}
