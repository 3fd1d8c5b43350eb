//! GELU.

use super::{Kept, Pointwise, pointwise_module};
use candle_core::{Result, Tensor};
use sconce_kernels::simd::Vector;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// √(2/π).
const SCALE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBIC: f64 = 0.044715;

/// y = x·Φ(x) with the normal distribution function Φ, or its approximation by a tanh.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// Those of candle's operations.
/// # Source
/// Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016; `torch.nn.GELU`
/// # Example
/// ```
/// use sconce_nn::{Gelu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[-1f32, 1.], &Device::Cpu)?;
/// let y = Gelu::default().forward(&x)?.to_vec1::<f32>()?;
/// assert!((y[0] + 0.1586553).abs() < 1e-6 && (y[1] - 0.8413447).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gelu {
    /// Which form.
    pub approximate: GeluForm,
}

/// The two forms of [`Gelu`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeluForm {
    /// x·(1 + erf(x/√2))/2, PyTorch's default.
    #[default]
    None,
    /// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2, as in BERT's and GPT-2's first code.
    Tanh,
}

impl Pointwise for Gelu {
    const NAME: &'static str = "gelu";
    const KEPT: Kept = Kept::Input;

    fn composite(&self, x: &Tensor) -> Result<Tensor> {
        let inner = match self.approximate {
            GeluForm::None => (x * FRAC_1_SQRT_2)?.erf()?,
            GeluForm::Tanh => ((x + ((x.sqr()? * x)? * CUBIC)?)? * SCALE)?.tanh()?,
        };
        (x * 0.5)? * (inner + 1.)
    }

    #[inline(always)]
    fn value<V: Vector>(&self, x: V) -> V {
        let inner = match self.approximate {
            GeluForm::None => (x * x.same(FRAC_1_SQRT_2)).erf(),
            GeluForm::Tanh => ((x * x * x).mul_add(x.same(CUBIC), x) * x.same(SCALE)).tanh(),
        };
        x * x.same(0.5) * (inner + x.same(1.))
    }

    #[inline(always)]
    fn slope<V: Vector>(&self, kept: V) -> V {
        let (half, one) = (kept.same(0.5), kept.same(1.));
        let square = kept * kept;
        match self.approximate {
            GeluForm::None => {
                let distribution = ((kept * kept.same(FRAC_1_SQRT_2)).erf() + one) * half;
                let density = (-square * half).exp() * kept.same(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
                // Far out the density is 0, and x may be infinite.
                let far = kept.abs().gt(kept.same(100.));
                distribution + V::select(far, kept.same(0.), kept * density)
            }
            GeluForm::Tanh => {
                let inner = (square * kept).mul_add(kept.same(CUBIC), kept) * kept.same(SCALE);
                let slope = square.mul_add(kept.same(3. * CUBIC), one) * kept.same(SCALE);
                let tanh = inner.tanh();
                let far = kept.abs().gt(kept.same(100.));
                let bend = V::select(far, kept.same(0.), kept * slope * (one - tanh * tanh));
                half * (one + tanh + bend)
            }
        }
    }
}

pointwise_module!(Gelu);
