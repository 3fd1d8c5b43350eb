//! Activations: functions of one value, element by element, and their neighbours that gate or have parameters.

mod celu;
mod elu;
mod gelu;
mod glu;
mod hardshrink;
mod hardsigmoid;
mod hardswish;
mod hardtanh;
mod leaky_relu;
mod log_sigmoid;
mod mish;
mod prelu;
mod relu;
mod relu6;
mod rrelu;
mod selu;
mod sigmoid;
mod silu;
mod softplus;
mod softshrink;
mod softsign;
mod tanh;
mod tanhshrink;
#[cfg(test)]
mod tests;
mod threshold;

use candle_core::{Module, Result, Tensor};
use sconce_core::Error;
use sconce_kernels::simd::Vector;
use std::str::FromStr;

pub use celu::Celu;
pub use elu::Elu;
pub use gelu::{Gelu, GeluForm};
pub use glu::Glu;
pub use hardshrink::Hardshrink;
pub use hardsigmoid::Hardsigmoid;
pub use hardswish::Hardswish;
pub use hardtanh::Hardtanh;
pub use leaky_relu::LeakyRelu;
pub use log_sigmoid::LogSigmoid;
pub use mish::Mish;
pub use prelu::{Prelu, PreluConfig};
pub use relu::Relu;
pub use relu6::Relu6;
pub use rrelu::{Rrelu, RreluConfig};
pub use selu::Selu;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use softplus::Softplus;
pub use softshrink::Softshrink;
pub use softsign::Softsign;
pub use tanh::Tanh;
pub use tanhshrink::Tanhshrink;
pub use threshold::Threshold;

/// What a pointwise function's slope is computed from; it is all that the backward pass keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Input,
    Output,
}

/// A function of one value, from which its layer, kernel and backward are made.
pub(crate) trait Pointwise: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const KEPT: Kept;

    /// Whether the options are such as the function is made for.
    fn check(&self) -> sconce_core::Result<()> {
        Ok(())
    }

    /// From candle operations: the oracle of the kernel, and what runs on other devices.
    fn composite(&self, x: &Tensor) -> Result<Tensor>;

    fn value<V: Vector>(&self, x: V) -> V;

    /// The derivative, from what is [`KEPT`](Self::KEPT).
    fn slope<V: Vector>(&self, kept: V) -> V;
}

fn forward<P: Pointwise>(function: P, x: &Tensor) -> Result<Tensor> {
    function.check()?;
    let x = &crate::input(P::NAME, x)?;
    if sconce_core::cpu::has_kernel(x) {
        return sconce_core::dispatch_real!(x, crate::kernels::pointwise::forward(x, function));
    }
    if let Some(y) = sconce_core::widened(x, |wide| forward(function, &wide(x)?))? {
        return Ok(y);
    }
    let y = function.composite(x)?;
    sconce_core::graph::note(P::NAME, &[x], std::slice::from_ref(&y));
    Ok(y)
}

/// Where x is positive, and x with zeros there: what a branch may be computed from that must not overflow where it isn't
/// taken, since infinity times a gradient of 0 is NaN.
fn split(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let positive = x.gt(0.)?;
    let negative = positive.where_cond(&x.zeros_like()?, x)?;
    Ok((positive, negative))
}

macro_rules! pointwise_module {
    ($layer:ident) => {
        impl candle_core::Module for $layer {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                super::forward(*self, x)
            }
        }
    };
}
use pointwise_module;

/// An activation by name, for options and flags; the layers themselves are [`Relu`] and its neighbours.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `from_str`: an unknown name; the message lists the known ones.
/// # Source
/// `torch.nn`
/// # Example
/// ```
/// use sconce_nn::{Activation, candle_core::{Device, Module, Tensor}};
/// let activation: Activation = "relu".parse()?;
/// let x = Tensor::new(&[-1f32, 2.], &Device::Cpu)?;
/// assert_eq!(activation.forward(&x)?.to_vec1::<f32>()?, [0., 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// [`Relu`]
    Relu,
    /// [`LeakyRelu`] with slope 0.01
    LeakyRelu,
    /// [`Elu`] with α = 1
    Elu,
    /// [`Gelu`] in its exact form
    Gelu,
    /// [`Gelu`] in its tanh form
    GeluTanh,
    /// [`Silu`]
    Silu,
    /// [`Softplus`] with β = 1
    Softplus,
    /// [`Sigmoid`]
    Sigmoid,
    /// [`Tanh`]
    Tanh,
    /// [`Relu6`]
    Relu6,
    /// [`Selu`]
    Selu,
    /// [`Celu`] with α = 1
    Celu,
    /// [`Mish`]
    Mish,
    /// [`Hardswish`]
    Hardswish,
    /// [`Hardsigmoid`]
    Hardsigmoid,
    /// [`Hardtanh`] from −1 to 1
    Hardtanh,
    /// [`Hardshrink`] with λ = 0.5
    Hardshrink,
    /// [`Softshrink`] with λ = 0.5
    Softshrink,
    /// [`Tanhshrink`]
    Tanhshrink,
    /// [`Softsign`]
    Softsign,
    /// [`LogSigmoid`]
    LogSigmoid,
}

impl Activation {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 21] = [
        ("relu", Self::Relu),
        ("leaky_relu", Self::LeakyRelu),
        ("elu", Self::Elu),
        ("gelu", Self::Gelu),
        ("gelu_tanh", Self::GeluTanh),
        ("silu", Self::Silu),
        ("softplus", Self::Softplus),
        ("sigmoid", Self::Sigmoid),
        ("tanh", Self::Tanh),
        ("relu6", Self::Relu6),
        ("selu", Self::Selu),
        ("celu", Self::Celu),
        ("mish", Self::Mish),
        ("hardswish", Self::Hardswish),
        ("hardsigmoid", Self::Hardsigmoid),
        ("hardtanh", Self::Hardtanh),
        ("hardshrink", Self::Hardshrink),
        ("softshrink", Self::Softshrink),
        ("tanhshrink", Self::Tanhshrink),
        ("softsign", Self::Softsign),
        ("logsigmoid", Self::LogSigmoid),
    ];
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> sconce_core::Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|&(_, activation)| activation).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::config("Activation", "name", name, format!("one of {}", names.join(", ")))
        })
    }
}

impl Module for Activation {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Relu => Relu.forward(x),
            Self::LeakyRelu => LeakyRelu::default().forward(x),
            Self::Elu => Elu::default().forward(x),
            Self::Gelu => Gelu::default().forward(x),
            Self::GeluTanh => Gelu {
                approximate: GeluForm::Tanh,
            }
            .forward(x),
            Self::Silu => Silu.forward(x),
            Self::Softplus => Softplus::default().forward(x),
            Self::Sigmoid => Sigmoid.forward(x),
            Self::Tanh => Tanh.forward(x),
            Self::Relu6 => Relu6.forward(x),
            Self::Selu => Selu.forward(x),
            Self::Celu => Celu::default().forward(x),
            Self::Mish => Mish.forward(x),
            Self::Hardswish => Hardswish.forward(x),
            Self::Hardsigmoid => Hardsigmoid.forward(x),
            Self::Hardtanh => Hardtanh::default().forward(x),
            Self::Hardshrink => Hardshrink::default().forward(x),
            Self::Softshrink => Softshrink::default().forward(x),
            Self::Tanhshrink => Tanhshrink.forward(x),
            Self::Softsign => Softsign.forward(x),
            Self::LogSigmoid => LogSigmoid.forward(x),
        }
    }
}
