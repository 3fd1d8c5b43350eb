//! Initial values of parameters, by PyTorch's formulas.

mod orthogonal;
mod truncated_normal;

use crate::random::Generator;
use crate::{Error, Result};
use candle_core::{DType, Device, Shape, Tensor};

/// How a parameter starts.
///
/// For a tensor of shape `[out, in, *positions]`, `fan_in` is `in` times the number of positions and `fan_out` is `out`
/// times it, as PyTorch counts.
///
/// # Source
/// `torch.nn.init`; Glorot and Bengio 2010 (Xavier), He et al. 2015 (Kaiming), Saxe et al. 2014 (orthogonal).
///
/// # Example
/// ```
/// use sconce_core::{Fan, Generator, Init, Nonlinearity};
/// use sconce_core::candle_core::{DType, Device};
/// let init = Init::KaimingUniform { fan: Fan::In, gain: Nonlinearity::Relu.gain() };
/// let weight = init.tensor((64, 32), DType::F32, &Device::Cpu, &Generator::new(0))?;
/// let bound = 2f32.sqrt() * (3f32 / 32.).sqrt();
/// assert!(weight.abs()?.max_all()?.to_scalar::<f32>()? <= bound);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Const(f64),
    /// U(lo, hi).
    Uniform {
        /// Lower bound, included.
        lo: f64,
        /// Upper bound, excluded.
        hi: f64,
    },
    /// N(mean, std²).
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// N(mean, std²) restricted to [lo, hi], as `trunc_normal_`.
    TruncNormal {
        /// Mean of the normal distribution before it is cut.
        mean: f64,
        /// Its standard deviation.
        std: f64,
        /// Lower cut.
        lo: f64,
        /// Upper cut.
        hi: f64,
    },
    /// U(−a, a) with a = gain·√(6 / (fan_in + fan_out)).
    XavierUniform {
        /// See [`Nonlinearity::gain`].
        gain: f64,
    },
    /// N(0, σ²) with σ = gain·√(2 / (fan_in + fan_out)).
    XavierNormal {
        /// See [`Nonlinearity::gain`].
        gain: f64,
    },
    /// U(−a, a) with a = gain·√(3 / fan).
    KaimingUniform {
        /// Which fan.
        fan: Fan,
        /// See [`Nonlinearity::gain`].
        gain: f64,
    },
    /// N(0, σ²) with σ = gain / √fan.
    KaimingNormal {
        /// Which fan.
        fan: Fan,
        /// See [`Nonlinearity::gain`].
        gain: f64,
    },
    /// A (semi-)orthogonal matrix, times gain; axes after the first count as one.
    Orthogonal {
        /// See [`Nonlinearity::gain`].
        gain: f64,
    },
}

/// The number that Kaiming initialisation keeps the variance over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// Inputs of a unit: keeps activations' variance.
    In,
    /// Outputs of a unit: keeps gradients' variance.
    Out,
}

/// What follows a layer, for [`Nonlinearity::gain`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, a convolution, or a sigmoid: 1.
    Linear,
    /// 5/3.
    Tanh,
    /// √2.
    Relu,
    /// √(2 / (1 + slope²)).
    LeakyRelu {
        /// Slope below zero.
        negative_slope: f64,
    },
    /// 3/4.
    Selu,
}

impl Nonlinearity {
    /// PyTorch's `calculate_gain`.
    pub fn gain(self) -> f64 {
        match self {
            Self::Linear => 1.,
            Self::Tanh => 5. / 3.,
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu { negative_slope } => (2. / (1. + negative_slope * negative_slope)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}

impl Init {
    /// PyTorch's default for the weights and biases of linear and convolution layers: U(±1/√fan_in).
    pub fn default_uniform(fan_in: usize) -> Self {
        let bound = if fan_in == 0 {
            0.
        } else {
            1. / (fan_in as f64).sqrt()
        };
        Self::Uniform {
            lo: -bound,
            hi: bound,
        }
    }

    /// A tensor of initial values, drawn from `generator`.
    ///
    /// The values are computed in f64 and then rounded, so they are the same in every dtype.
    ///
    /// # Errors
    /// A tensor of fewer than two axes has no fans and can't be orthogonal; bounds that are the wrong way round; a dtype
    /// that isn't a float where values are drawn.
    pub fn tensor(
        &self,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
        generator: &Generator,
    ) -> Result<Tensor> {
        let shape = shape.into();
        if let Self::Const(value) = *self {
            drop(self.room(&shape)?);
            return Ok(Tensor::full(value, shape, device)?.to_dtype(dtype)?);
        }
        if !dtype.is_float() {
            return Err(Error::DType {
                layer: self.name().to_string(),
                argument: "tensor",
                expected: "a floating-point type".to_string(),
                got: dtype,
            });
        }
        let values = self.values(&shape, generator)?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)?)
    }

    fn values(&self, shape: &Shape, generator: &Generator) -> Result<Vec<f64>> {
        let mut values = self.room(shape)?;
        let (fan_in, fan_out) = fans(shape);
        let fan = |fan| match fan {
            Fan::In => fan_in,
            Fan::Out => fan_out,
        };
        if !matches!(
            self,
            Self::Uniform { .. } | Self::Normal { .. } | Self::TruncNormal { .. }
        ) && shape.rank() < 2
        {
            return Err(Error::shape(
                self.name(),
                "tensor",
                "[out, in, *positions]",
                shape.dims(),
            ));
        }
        match *self {
            Self::Const(value) => values.fill(value),
            Self::Uniform { lo, hi } => {
                self.check_order("lo", lo, hi)?;
                generator.fill_uniform(&mut values, lo, hi);
            }
            Self::Normal { mean, std } => {
                self.check_normal(mean, std)?;
                generator.fill_normal(&mut values, mean, std);
            }
            Self::TruncNormal { mean, std, lo, hi } => {
                self.check_normal(mean, std)?;
                self.check_order("lo", lo, hi)?;
                truncated_normal::fill(&mut values, generator, mean, std, lo, hi);
            }
            Self::XavierUniform { gain } => {
                let bound = gain * (6. / (fan_in + fan_out)).sqrt();
                generator.fill_uniform(&mut values, -bound, bound);
            }
            Self::XavierNormal { gain } => {
                generator.fill_normal(&mut values, 0., gain * (2. / (fan_in + fan_out)).sqrt());
            }
            Self::KaimingUniform { fan: mode, gain } => {
                let bound = gain * (3. / fan(mode)).sqrt();
                generator.fill_uniform(&mut values, -bound, bound);
            }
            Self::KaimingNormal { fan: mode, gain } => {
                generator.fill_normal(&mut values, 0., gain / fan(mode).sqrt());
            }
            Self::Orthogonal { gain } => {
                generator.fill_normal(&mut values, 0., 1.);
                let rows = shape.dims().first().copied().unwrap_or(1);
                values = orthogonal::factor(&values, rows);
                values.iter_mut().for_each(|value| *value *= gain);
            }
        }
        Ok(values)
    }

    /// Zeros, if the memory for them is to be had.
    fn room(&self, shape: &Shape) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        let size = shape
            .dims()
            .iter()
            .try_fold(1usize, |size, &axis| size.checked_mul(axis));
        match size.filter(|&size| values.try_reserve_exact(size).is_ok()) {
            Some(size) => {
                values.resize(size, 0.);
                Ok(values)
            }
            None => Err(Error::shape(
                self.name(),
                "tensor",
                "a size that fits into memory",
                shape.dims(),
            )),
        }
    }

    fn check_normal(&self, mean: f64, std: f64) -> Result<()> {
        if !mean.is_finite() {
            return Err(Error::config(self.name(), "mean", mean, "a finite number"));
        }
        if !(std.is_finite() && std >= 0.) {
            return Err(Error::config(
                self.name(),
                "std",
                std,
                "a finite number from 0 on",
            ));
        }
        Ok(())
    }

    fn check_order(&self, field: &'static str, lo: f64, hi: f64) -> Result<()> {
        if lo <= hi {
            Ok(())
        } else {
            Err(Error::config(self.name(), field, lo, format!("at most {hi}")))
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Const(_) => "constant initialisation",
            Self::Uniform { .. } => "uniform initialisation",
            Self::Normal { .. } => "normal initialisation",
            Self::TruncNormal { .. } => "truncated normal initialisation",
            Self::XavierUniform { .. } | Self::XavierNormal { .. } => "Xavier initialisation",
            Self::KaimingUniform { .. } | Self::KaimingNormal { .. } => "Kaiming initialisation",
            Self::Orthogonal { .. } => "orthogonal initialisation",
        }
    }
}

/// `(fan_in, fan_out)` of a weight of shape `[out, in, *positions]`.
fn fans(shape: &Shape) -> (f64, f64) {
    match shape.dims() {
        [out, inputs, positions @ ..] => {
            let positions: usize = positions.iter().product();
            ((inputs * positions) as f64, (out * positions) as f64)
        }
        _ => (1., 1.),
    }
}

#[cfg(test)]
mod tests;
