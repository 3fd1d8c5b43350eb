//! PReLU.

use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, graph, layer_path, param};

/// Options of [`Prelu`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreluConfig {
    /// 1 slope for all, or one for each channel.
    pub num_parameters: usize,
    /// How the slopes start.
    pub init: f64,
}

impl Default for PreluConfig {
    fn default() -> Self {
        Self {
            num_parameters: 1,
            init: 0.25,
        }
    }
}

/// y = x for x > 0, else weight·x, with a learned slope.
///
/// The slope at 0 is the weight, as in PyTorch.
///
/// # Shapes
/// input `[*]` with one parameter, else `[batch, channels, *]`; output the same
/// # Parameters
/// `weight`: `[num_parameters]`
/// # Errors
/// `new`: no parameters. `forward`: several parameters, and another number of channels; an input of another dtype than the
/// weight.
/// # Source
/// He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.PReLU`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{Prelu, PreluConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = Prelu::new(&PreluConfig::default(), store.builder().pp("act"))?;
/// let x = Tensor::new(&[-2f32, 2.], &Device::Cpu)?;
/// assert_eq!(layer.forward(&x)?.to_vec1::<f32>()?, [-0.5, 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Prelu {
    weight: Param,
    num_parameters: usize,
    path: String,
}

impl Prelu {
    /// The layer whose parameter stands at `vb`.
    pub fn new(cfg: &PreluConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Prelu");
        if cfg.num_parameters == 0 {
            return Err(Error::config(path, "num_parameters", 0, "at least 1"));
        }
        let weight = param(&vb, cfg.num_parameters, "weight", &Init::Const(cfg.init))?;
        Ok(Self {
            weight,
            num_parameters: cfg.num_parameters,
            path,
        })
    }
}

impl Module for Prelu {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.tensor();
        if weight.dtype() != x.dtype() {
            return Err(sconce_core::Error::parameter_dtype(
                self.path.as_str(),
                "input",
                weight.dtype(),
                x.dtype(),
            )
            .into());
        }
        let x = &crate::input(&self.path, x)?;
        let mut shape = vec![1; x.rank()];
        if self.num_parameters > 1 {
            if x.dims().get(1) != Some(&self.num_parameters) {
                let expected = format!("[batch, channels = {}, *]", self.num_parameters);
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
            if let Some(channels) = shape.get_mut(1) {
                *channels = self.num_parameters;
            }
        }
        let (positive, negative) = super::split(x)?;
        let y = positive.where_cond(x, &negative.broadcast_mul(&weight.reshape(shape)?)?)?;
        graph::note("prelu", &[x, &weight], std::slice::from_ref(&y));
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use sconce_core::{ParamStore, backward};

    #[test]
    fn a_huge_value_above_zero_leaves_the_weights_gradient_alone() {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let layer = Prelu::new(&PreluConfig::default(), store.builder()).unwrap();
        let x = Tensor::new(&[f64::INFINITY, -2., 0.], &Device::Cpu).unwrap();
        let gradients = backward(&layer.forward(&x).unwrap().sum_all().unwrap(), &store).unwrap();
        assert_eq!(gradients.get("weight").unwrap().to_vec1::<f64>().unwrap(), [-2.]);
    }

    #[test]
    fn bad_input_is_named() {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let new = |num_parameters| {
            let cfg = PreluConfig {
                num_parameters,
                ..PreluConfig::default()
            };
            Prelu::new(&cfg, store.builder().pp(format!("act{num_parameters}")))
        };
        let error = new(0).unwrap_err().to_string();
        assert_eq!(error, "act0 (Prelu): num_parameters is 0, expected at least 1");
        let layer = new(3).unwrap();
        for shape in [&[3][..], &[2, 4], &[]] {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            let error = Error::from(layer.forward(&x).unwrap_err()).to_string();
            assert!(
                error.starts_with("act3 (Prelu): input has shape")
                    && error.ends_with("expected [batch, channels = 3, *]"),
                "{error}"
            );
        }
        let double = Tensor::zeros((2, 3), DType::F64, &Device::Cpu).unwrap();
        assert!(matches!(
            Error::from(layer.forward(&double).unwrap_err()),
            Error::DType { .. }
        ));
    }
}
