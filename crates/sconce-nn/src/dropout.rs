//! Dropout.

mod alpha;
mod channels;

use crate::kernels;
pub use alpha::{AlphaDropout, FeatureAlphaDropout};
use candle_core::{Device, ModuleT, Result, Shape, Tensor};
pub use channels::{Dropout1d, Dropout2d, Dropout3d};
use sconce_core::{Error, Generator, cpu, default_generator, dispatch_real, graph};

/// Zeroes each element with probability p while training, and divides the others by 1 − p.
///
/// Draws from the process's default generator ([`manual_seed`](sconce_core::manual_seed)), or from one of its own. The mask
/// isn't kept for the backward pass: it is drawn again from its counters.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\].
/// # Source
/// Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014; `torch.nn.Dropout`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::Dropout;
/// let dropout = Dropout::new(0.5)?;
/// let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
/// let y = dropout.forward_t(&x, true)?.to_vec1::<f32>()?;
/// assert!(y.iter().all(|&y| y == 0. || y == 2.));
/// assert_eq!(dropout.forward_t(&x, false)?.to_vec1::<f32>()?, vec![1.; 1000]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dropout(Chance);

/// With what probability something is dropped, and what that is drawn from.
#[derive(Debug, Clone)]
struct Chance {
    p: f64,
    generator: Option<Generator>,
}

impl Chance {
    fn new(layer: &str, p: f64) -> sconce_core::Result<Self> {
        if !(0. ..=1.).contains(&p) {
            return Err(Error::config(layer, "p", p, "a probability from 0 to 1"));
        }
        Ok(Self { p, generator: None })
    }

    fn drawn_from(self, generator: Generator) -> Self {
        Self {
            generator: Some(generator),
            ..self
        }
    }

    /// Whether a pass changes anything.
    fn applies(&self, train: bool) -> bool {
        train && self.p > 0.
    }

    /// The next mask for `len` elements.
    fn mask(&self, len: usize) -> kernels::dropout::Mask {
        let generator = self.generator.clone().unwrap_or_else(default_generator);
        kernels::dropout::Mask::draw(self.p, len, &generator)
    }

    /// A tensor like x, of 1/(1 − p) where something is kept and 0 elsewhere.
    fn factors(&self, shape: impl Into<Shape>, x: &Tensor) -> Result<Tensor> {
        let shape = shape.into();
        let len = shape.elem_count();
        Tensor::from_vec(self.mask(len).factors(len), shape, &Device::Cpu)?
            .to_dtype(x.dtype())?
            .to_device(x.device())
    }
}

/// The constructors that all dropouts have.
macro_rules! chance {
    ($layer:ident) => {
        impl $layer {
            /// The layer that drops with probability `p`.
            pub fn new(p: f64) -> sconce_core::Result<Self> {
                super::Chance::new(stringify!($layer), p).map(Self)
            }

            /// The same, drawing from a generator of its own.
            pub fn with_generator(self, generator: sconce_core::Generator) -> Self {
                Self(self.0.drawn_from(generator))
            }
        }
    };
}
use chance;

impl Dropout {
    /// Dropout with probability `p`.
    pub fn new(p: f64) -> sconce_core::Result<Self> {
        Chance::new("Dropout", p).map(Self)
    }

    /// The same, drawing from a generator of its own.
    pub fn with_generator(self, generator: Generator) -> Self {
        Self(self.0.drawn_from(generator))
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = &crate::input("Dropout", x)?;
        if !self.0.applies(train) {
            return Ok(x.clone());
        }
        let mask = self.0.mask(x.elem_count());
        if cpu::has_kernel(x) {
            dispatch_real!(x, kernels::dropout::forward(x, mask))
        } else {
            composite(x, &mask)
        }
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(x: &Tensor, mask: &kernels::dropout::Mask) -> Result<Tensor> {
    let factors = Tensor::from_vec(mask.factors(x.elem_count()), x.shape(), &Device::Cpu)?;
    let y = (x * factors.to_dtype(x.dtype())?.to_device(x.device())?)?;
    graph::note("dropout", &[x], std::slice::from_ref(&y));
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};

    #[test]
    fn kernel_equals_composite_and_scales_the_gradient_alike() {
        let x = Var::randn(0f64, 1., (13, 77), &Device::Cpu).unwrap();
        for p in [0.1, 0.5, 0.9, 1.] {
            let generator = Generator::new(3);
            let mask = kernels::dropout::Mask::draw(p, x.elem_count(), &generator);
            let ours = kernels::dropout::forward::<f64>(&x, mask.clone()).unwrap();
            let oracle = composite(&x, &mask).unwrap();
            let grad = |y: &Tensor| {
                let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                grads.get(&x).unwrap().to_vec2::<f64>().unwrap()
            };
            assert_eq!(ours.to_vec2::<f64>().unwrap(), oracle.to_vec2::<f64>().unwrap());
            assert_eq!(grad(&ours), grad(&oracle));
        }
    }

    #[test]
    fn keeps_the_right_share_and_every_call_draws_anew() {
        let dropout = Dropout::new(0.3).unwrap().with_generator(Generator::new(1));
        let x = Tensor::ones(100_000, DType::F32, &Device::Cpu).unwrap();
        let draw = || dropout.forward_t(&x, true).unwrap().to_vec1::<f32>().unwrap();
        let (a, b) = (draw(), draw());
        let kept = a.iter().filter(|&&y| y != 0.).count();
        // Five standard deviations of a binomial count.
        assert!(kept.abs_diff(70_000) < 725, "{kept}");
        assert_ne!(a, b);
        assert!(a.iter().all(|&y| y == 0. || (y - 1. / 0.7).abs() < 1e-6));
    }

    #[test]
    fn a_probability_out_of_range_is_an_error() {
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(Dropout::new(p), Err(Error::Config { field: "p", .. })));
        }
    }
}
