//! The way down: what every rule makes of a gradient first.

use candle_core::{Result, Tensor};

/// −1, 0 or 1; a NaN stays one, which in PyTorch becomes 0.
pub(crate) fn sign(x: &Tensor) -> Result<Tensor> {
    x.ne(x)?.where_cond(x, &x.sign()?)
}

/// g = ±∂L/∂θ + λθ
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slope {
    /// 1, or −1 to climb.
    pub(crate) sign: f64,
    /// λ
    pub(crate) weight_decay: f64,
}

impl Slope {
    pub(crate) fn new(maximize: bool, weight_decay: f64) -> Self {
        Self {
            sign: if maximize { -1. } else { 1. },
            weight_decay,
        }
    }

    pub(crate) fn at(&self, parameter: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let gradient = (gradient * self.sign)?;
        if self.weight_decay == 0. {
            // 0·θ is NaN where θ is infinite.
            return Ok(gradient);
        }
        gradient + (parameter * self.weight_decay)?
    }
}
