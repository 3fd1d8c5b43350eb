//! Initial values of parameters, by PyTorch's formulas.

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
                fill_truncated(&mut values, generator, mean, std, lo, hi);
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
                values = orthogonal(&values, rows);
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

/// By inversion: a uniform number between the cuts' probabilities, through the normal quantile function.
fn fill_truncated(values: &mut [f64], generator: &Generator, mean: f64, std: f64, lo: f64, hi: f64) {
    if lo > mean {
        // Near 1 probabilities lie too far apart: the lower tail, mirrored, has them near 0.
        fill_truncated(values, generator, mean, std, 2. * mean - hi, 2. * mean - lo);
        for value in values {
            *value = (2. * mean - *value).clamp(lo, hi);
        }
        return;
    }
    let [from, to] = [lo, hi].map(|cut| normal_cdf((cut - mean) / std));
    generator.fill_uniform(values, from, to);
    for value in values {
        *value = (mean + std * normal_quantile(*value)).clamp(lo, hi);
    }
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * (1. + sconce_kernels::math::erf_f64(x / 2f64.sqrt()))
}

/// The inverse of [`normal_cdf`]: Abramowitz and Stegun 26.2.23 (error below 4.5e-4), then Newton's steps.
fn normal_quantile(p: f64) -> f64 {
    if p <= 0. || p >= 1. {
        return if p <= 0. { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let tail = p.min(1. - p);
    let t = (-2. * tail.ln()).sqrt();
    let size = t
        - (2.515517 + t * (0.802853 + t * 0.010328)) / (1. + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    let mut x = if p < 0.5 { -size } else { size };
    for _ in 0..3 {
        let density = (-0.5 * x * x).exp() / (2. * std::f64::consts::PI).sqrt();
        x -= (normal_cdf(x) - p) / density.max(f64::MIN_POSITIVE);
    }
    x
}

/// The orthogonal factor of a row-major matrix of `rows` rows: orthonormal rows, or columns where there are fewer columns.
///
/// Modified Gram–Schmidt, twice, in f64; its triangular factor has a positive diagonal, which is the sign convention that
/// makes the factor uniformly distributed.
fn orthogonal(matrix: &[f64], rows: usize) -> Vec<f64> {
    let columns = matrix.len().checked_div(rows).unwrap_or(0);
    let at = |r: usize, c: usize| matrix.get(r * columns + c).copied().unwrap_or(0.);
    let by_rows = rows <= columns;
    let mut vectors: Vec<Vec<f64>> = if by_rows {
        (0..rows)
            .map(|r| (0..columns).map(|c| at(r, c)).collect())
            .collect()
    } else {
        (0..columns)
            .map(|c| (0..rows).map(|r| at(r, c)).collect())
            .collect()
    };
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        let Some(vector) = rest.first_mut() else { continue };
        for other in done.iter().chain(done.iter()) {
            let overlap = dot(vector, other);
            vector.iter_mut().zip(other).for_each(|(v, o)| *v -= overlap * o);
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
    if by_rows {
        vectors.concat()
    } else {
        (0..rows)
            .flat_map(|r| vectors.iter().map(move |v| v.get(r).copied().unwrap_or(0.)))
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: (usize, usize, usize) = (40, 30, 25);

    fn draw(init: Init, shape: impl Into<Shape>) -> Vec<f64> {
        let tensor = init
            .tensor(shape, DType::F64, &Device::Cpu, &Generator::new(7))
            .unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn spread_follows_the_formulas() {
        let (fan_in, fan_out) = (30. * 25., 40. * 25.);
        let uniform = 1. / 3f64.sqrt();
        let cases: &[(Init, f64, Option<f64>)] = &[
            (Init::Uniform { lo: -2., hi: 2. }, 2. * uniform, Some(2.)),
            (Init::Normal { mean: 0., std: 0.5 }, 0.5, None),
            (
                Init::XavierUniform { gain: 2. },
                2. * (2f64 / (fan_in + fan_out)).sqrt(),
                Some(2. * (6f64 / (fan_in + fan_out)).sqrt()),
            ),
            (
                Init::XavierNormal { gain: 1. },
                (2f64 / (fan_in + fan_out)).sqrt(),
                None,
            ),
            (
                Init::KaimingUniform {
                    fan: Fan::In,
                    gain: 1.,
                },
                (1f64 / fan_in).sqrt(),
                Some((3f64 / fan_in).sqrt()),
            ),
            (
                Init::KaimingUniform {
                    fan: Fan::Out,
                    gain: 1.,
                },
                (1f64 / fan_out).sqrt(),
                Some((3f64 / fan_out).sqrt()),
            ),
            (
                Init::KaimingNormal {
                    fan: Fan::Out,
                    gain: 2f64.sqrt(),
                },
                (2f64 / fan_out).sqrt(),
                None,
            ),
            (Init::default_uniform(100), 0.1 * uniform, Some(0.1)),
        ];
        for &(init, std, bound) in cases {
            let values = draw(init, SHAPE);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            // 30 000 draws: the standard error of the spread is below 0.6 %, that of the mean below std/170.
            assert!(
                (spread / std - 1.).abs() < 0.03,
                "{init:?}: {spread} against {std}"
            );
            assert!(mean.abs() < std / 30., "{init:?}: mean {mean}");
            let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
            assert!(
                bound.is_none_or(|bound| largest <= bound && largest > 0.99 * bound),
                "{init:?}: {largest}"
            );
        }
    }

    #[test]
    fn truncated_normal_is_cut_and_follows_the_density() {
        let values = draw(
            Init::TruncNormal {
                mean: 1.,
                std: 2.,
                lo: 0.,
                hi: 2.,
            },
            20_000,
        );
        assert!(values.iter().all(|v| (0. ..=2.).contains(v)));
        // Within half a deviation on each side: variance of the cut distribution by its closed form.
        let (a, density, mass) = (0.5f64, 0.352_065_326_764_299_5, 0.382_924_922_548_026);
        let variance = 4. * (1. - 2. * a * density / mass);
        let mean = values.iter().sum::<f64>() / 20_000.;
        let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.;
        assert!(
            (mean - 1.).abs() < 0.02 && (spread / variance - 1.).abs() < 0.03,
            "{mean} {spread} {variance}"
        );
    }

    #[test]
    fn quantile_inverts_the_distribution() {
        for x in [-6., -2.5, -1., -0.1, 0., 0.3, 1.7, 4.] {
            assert!((normal_quantile(normal_cdf(x)) - x).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn orthogonal_rows_or_columns() {
        for (rows, columns) in [(3, 7), (7, 3), (5, 5), (1, 4)] {
            let q = draw(Init::Orthogonal { gain: 2. }, (rows, columns));
            let n = rows.min(columns);
            let at = |i: usize, k: usize| {
                if rows <= columns {
                    q[i * columns + k]
                } else {
                    q[k * columns + i]
                }
            };
            for i in 0..n {
                for j in 0..n {
                    let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    assert!(
                        (product - if i == j { 4. } else { 0. }).abs() < 1e-12,
                        "{rows}×{columns}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_has_no_fans_is_an_error() {
        let generator = Generator::new(0);
        for init in [Init::XavierUniform { gain: 1. }, Init::Orthogonal { gain: 1. }] {
            assert!(matches!(
                init.tensor(5, DType::F32, &Device::Cpu, &generator),
                Err(Error::Shape { .. })
            ));
        }
        let turned = Init::Uniform { lo: 1., hi: 0. };
        assert!(matches!(
            turned.tensor(5, DType::F32, &Device::Cpu, &generator),
            Err(Error::Config { .. })
        ));
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let draw = |init: Init, shape: &[usize], dtype| {
            init.tensor(shape, dtype, &Device::Cpu, &Generator::new(0))
                .unwrap_err()
                .to_string()
        };
        let uniform = Init::Uniform { lo: -3., hi: 3. };
        assert!(draw(uniform, &[4], DType::I64).contains("dtype I64"));
        for std in [f64::NAN, -1., f64::INFINITY] {
            assert!(draw(Init::Normal { mean: 0., std }, &[4], DType::F32).contains("std is"));
        }
        let huge = [1 << 40, 1 << 40];
        for init in [uniform, Init::Const(0.), Init::Orthogonal { gain: 1. }] {
            assert!(draw(init, &huge, DType::F32).contains("fits into memory"));
            assert!(draw(init, &[1 << 30, 1 << 20], DType::F32).contains("fits into memory"));
        }
    }

    #[test]
    fn truncated_tails_are_mirror_images() {
        let draw = |lo, hi| {
            let init = Init::TruncNormal {
                mean: 1.,
                std: 2.,
                lo,
                hi,
            };
            let values = init
                .tensor(1000, DType::F64, &Device::Cpu, &Generator::new(5))
                .unwrap();
            values.to_vec1::<f64>().unwrap()
        };
        let (upper, lower) = (draw(12., 14.), draw(-12., -10.));
        assert!(
            upper
                .iter()
                .zip(&lower)
                .all(|(u, l)| (u - 1. + (l - 1.)).abs() < 1e-9)
        );
        let mut distinct = upper.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        assert!(distinct.len() > 950, "{}", distinct.len());
    }
}
