//! Activations: functions of one value, element by element.

mod elu;
mod gelu;
mod leaky_relu;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

use candle_core::{Module, Result, Tensor};
use sconce_core::Error;
use sconce_kernels::simd::Vector;
use std::str::FromStr;

pub use elu::Elu;
pub use gelu::{Gelu, GeluForm};
pub use leaky_relu::LeakyRelu;
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use softplus::Softplus;
pub use tanh::Tanh;

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

    /// From candle operations: the oracle of the kernel, and what runs on other devices.
    fn composite(&self, x: &Tensor) -> Result<Tensor>;

    fn value<V: Vector>(&self, x: V) -> V;

    /// The derivative, from what is [`KEPT`](Self::KEPT).
    fn slope<V: Vector>(&self, kept: V) -> V;
}

fn forward<P: Pointwise>(function: P, x: &Tensor) -> Result<Tensor> {
    if sconce_core::cpu::has_kernel(x) {
        return sconce_core::dispatch_real!(x, crate::kernels::pointwise::forward(x, function));
    }
    let y = function.composite(x)?;
    sconce_core::graph::note(P::NAME, &[x], std::slice::from_ref(&y));
    Ok(y)
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
}

impl Activation {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 9] = [
        ("relu", Self::Relu),
        ("leaky_relu", Self::LeakyRelu),
        ("elu", Self::Elu),
        ("gelu", Self::Gelu),
        ("gelu_tanh", Self::GeluTanh),
        ("silu", Self::Silu),
        ("softplus", Self::Softplus),
        ("sigmoid", Self::Sigmoid),
        ("tanh", Self::Tanh),
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Values on both sides of every bend, on it, and where a careless formula overflows.
    const POINTS: [f64; 14] = [
        -1000., -50., -3., -1., -0.3, -1e-9, 0., 1e-9, 0.3, 1., 2.9, 3.1, 50., 1000.,
    ];

    fn check(function: impl Pointwise) {
        let x = Var::new(&POINTS, &Device::Cpu).unwrap();
        let of = |y: Tensor| {
            let grads = y.sum_all().unwrap().backward().unwrap();
            [
                y.to_vec1::<f64>().unwrap(),
                grads.get(&x).unwrap().to_vec1::<f64>().unwrap(),
            ]
        };
        let name = name_of(&function);
        let (ours, oracle) = (
            of(forward(function, &x).unwrap()),
            of(function.composite(&x).unwrap()),
        );
        for (a, b) in ours.iter().flatten().zip(oracle.iter().flatten()) {
            assert!(
                (a - b).abs() <= 1e-14 * (1. + b.abs()),
                "{name}: {ours:?} {oracle:?}"
            );
        }
    }

    fn name_of<P: Pointwise>(_: &P) -> &'static str {
        P::NAME
    }

    #[test]
    fn kernels_equal_composites() {
        check(Relu);
        check(LeakyRelu { negative_slope: 0.3 });
        check(Elu { alpha: 0.7 });
        check(Gelu {
            approximate: GeluForm::None,
        });
        check(Gelu {
            approximate: GeluForm::Tanh,
        });
        check(Silu);
        check(Softplus::default());
        check(Softplus {
            beta: 2.,
            threshold: 6.,
        });
        check(Sigmoid);
        check(Tanh);
    }

    #[test]
    fn slope_at_zero_is_pytorchs() {
        let x = Var::new(&[0f64], &Device::Cpu).unwrap();
        let cases: [(Activation, f64); 4] = [
            (Activation::Relu, 0.),
            (Activation::LeakyRelu, 0.01),
            (Activation::Elu, 1.),
            (Activation::Sigmoid, 0.25),
        ];
        for (activation, slope) in cases {
            let grads = activation
                .forward(&x)
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap();
            assert_eq!(
                grads.get(&x).unwrap().to_vec1::<f64>().unwrap(),
                [slope],
                "{activation:?}"
            );
        }
    }

    #[test]
    fn not_a_number_passes_through() {
        let x = Tensor::new(&[f64::NAN], &Device::Cpu).unwrap();
        for (name, activation) in Activation::ALL {
            assert!(
                activation.forward(&x).unwrap().to_vec1::<f64>().unwrap()[0].is_nan(),
                "{name}"
            );
        }
    }

    #[test]
    fn names() {
        for (name, activation) in Activation::ALL {
            assert_eq!(name.parse::<Activation>().unwrap(), activation);
        }
        assert!(
            "swish"
                .parse::<Activation>()
                .unwrap_err()
                .to_string()
                .contains("one of relu, leaky_relu")
        );
    }
}
