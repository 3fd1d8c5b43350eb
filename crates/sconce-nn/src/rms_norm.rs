//! Root mean square normalisation.

use candle_core::{DType, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, function, graph, layer_path, param};

/// Options of [`RmsNorm`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNormConfig {
    /// Lengths of the last axes, over which is normalised.
    pub normalized_shape: Vec<usize>,
    /// Added to the mean square; `None` is the distance from 1 to the next number of the input's dtype (of f32 for the
    /// half-precision ones, which are computed in it).
    pub eps: Option<f64>,
    /// Whether each position has a learned scale.
    pub elementwise_affine: bool,
}

impl RmsNormConfig {
    /// Over the last axes, of these lengths, with scale.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> Self {
        Self {
            normalized_shape: normalized_shape.into(),
            eps: None,
            elementwise_affine: true,
        }
    }
}

/// Divides each sample by the root of its mean square over its last axes, then scales each position.
///
/// y = x / √(E\[x²\] + ε) · weight
///
/// # Shapes
/// input `[*, *normalized_shape]`, output the same
/// # Parameters
/// `weight`: `normalized_shape`, if `elementwise_affine`
/// # Errors
/// `new`: `normalized_shape` is empty or has a 0, ε is negative. `forward`: the input's last axes aren't `normalized_shape`, or
/// its dtype isn't the weight's.
/// # Source
/// Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019; `torch.nn.RMSNorm`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{RmsNorm, RmsNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = RmsNorm::new(&RmsNormConfig::new([2]), store.builder().pp("norm1"))?;
/// let x = Tensor::new(&[[7f32, 1.]], &Device::Cpu)?;
/// let y = norm.forward(&x)?.to_vec2::<f32>()?;
/// assert!((y[0][0] - 1.4).abs() < 1e-6 && (y[0][1] - 0.2).abs() < 1e-6);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RmsNorm {
    weight: Option<Param>,
    cfg: RmsNormConfig,
    path: String,
}

impl RmsNorm {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &RmsNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "RmsNorm");
        let shape = &cfg.normalized_shape;
        if shape.is_empty() || shape.contains(&0) {
            let expected = "one axis or more, none of length 0";
            return Err(Error::config(
                path,
                "normalized_shape",
                format!("{shape:?}"),
                expected,
            ));
        }
        if let Some(eps) = cfg.eps
            && (eps < 0. || eps.is_nan())
        {
            return Err(Error::config(path, "eps", eps, "0 or more"));
        }
        let weight = cfg
            .elementwise_affine
            .then(|| param(&vb, shape.clone(), "weight", &Init::Const(1.)))
            .transpose()?;
        Ok(Self {
            weight,
            cfg: cfg.clone(),
            path,
        })
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let shape = &self.cfg.normalized_shape;
        if !x.dims().ends_with(shape) {
            let expected = format!("[*, {}]", crate::join(shape));
            return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
        }
        let weight = self.weight.as_ref().map(Param::tensor);
        if let Some(weight) = &weight
            && weight.dtype() != x.dtype()
        {
            return Err(sconce_core::Error::parameter_dtype(
                self.path.as_str(),
                "input",
                weight.dtype(),
                x.dtype(),
            )
            .into());
        }
        let x = &crate::input(&self.path, x)?;
        let width: usize = shape.iter().product();
        let flat = function::reshape(x, (x.elem_count() / width, width))?;
        // Squares of half-precision numbers overflow soon.
        let dtype = if x.dtype() == DType::F64 {
            DType::F64
        } else {
            DType::F32
        };
        let wide = flat.to_dtype(dtype)?;
        let eps = self.cfg.eps.unwrap_or(match dtype {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        });
        let size = (wide.sqr()?.mean_keepdim(1)? + eps)?.sqrt()?;
        let mut y = wide.broadcast_div(&size)?.to_dtype(x.dtype())?;
        let mut inputs = vec![x];
        if let Some(weight) = &weight {
            y = y.broadcast_mul(&weight.reshape(width)?)?;
            inputs.push(weight);
        }
        let y = y.reshape(x.shape())?;
        graph::note("rms_norm", &inputs, std::slice::from_ref(&y));
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_core::ParamStore;

    /// PyTorch 2.15 gives 0.94524491 in f32 and 0.9453125 in both half precisions.
    #[test]
    fn the_default_eps_is_the_dtypes() {
        for (dtype, expected) in [
            (DType::F64, 1e-3 / (1e-6 + f64::EPSILON).sqrt()),
            (DType::F32, 0.94524491),
            (DType::F16, 0.9453125),
            (DType::BF16, 0.9453125),
        ] {
            let store = ParamStore::new(dtype, &Device::Cpu);
            let norm = RmsNorm::new(&RmsNormConfig::new([4]), store.builder()).unwrap();
            let x = Tensor::full(1e-3f64, (1, 4), &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            let y = norm.forward(&x).unwrap().to_dtype(DType::F64).unwrap();
            let y = y.to_vec2::<f64>().unwrap()[0][0];
            let bound = if dtype == DType::F64 { 1e-15 } else { 1e-7 };
            assert!((y - expected).abs() <= bound, "{dtype:?}: {y}");
        }
    }

    #[test]
    fn large_values_in_half_precision_dont_overflow() {
        let store = ParamStore::new(DType::F16, &Device::Cpu);
        let norm = RmsNorm::new(&RmsNormConfig::new([2]), store.builder()).unwrap();
        let x = Tensor::full(3e4f32, (1, 2), &Device::Cpu)
            .unwrap()
            .to_dtype(DType::F16)
            .unwrap();
        let y = norm.forward(&x).unwrap().to_dtype(DType::F32).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[1., 1.]]);
    }

    #[test]
    fn bad_options_and_input_are_named() {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let new = |shape: &[usize], eps| {
            let cfg = RmsNormConfig {
                eps,
                ..RmsNormConfig::new(shape)
            };
            RmsNorm::new(&cfg, store.builder().pp("norm"))
        };
        for (shape, eps, message) in [
            (&[][..], None, "normalized_shape is []"),
            (&[3, 0], None, "normalized_shape is [3, 0]"),
            (&[3], Some(-1.), "eps is -1"),
            (&[3], Some(f64::NAN), "eps is NaN"),
        ] {
            let error = new(shape, eps).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("norm (RmsNorm): {message}")),
                "{error}"
            );
        }
        let norm = new(&[3, 2], None).unwrap();
        for shape in [&[2][..], &[], &[3], &[4, 2, 3]] {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            let error = Error::from(norm.forward(&x).unwrap_err()).to_string();
            assert!(error.ends_with("expected [*, 3, 2]"), "{error}");
        }
        let double = Tensor::zeros((3, 2), DType::F64, &Device::Cpu).unwrap();
        assert!(norm.forward(&double).is_err());
        let empty = Tensor::zeros((0, 3, 2), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(norm.forward(&empty).unwrap().dims(), [0, 3, 2]);
    }
}
