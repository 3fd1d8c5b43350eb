//! Group normalisation.

use crate::{batch_norm, layer_norm};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, function, layer_path, param};

/// Options of [`GroupNorm`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNormConfig {
    /// Into how many groups the channels are split.
    pub num_groups: usize,
    /// The number of channels.
    pub num_channels: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Whether each channel has a learned scale and shift.
    pub affine: bool,
}

impl GroupNormConfig {
    /// With scale and shift.
    pub fn new(num_groups: usize, num_channels: usize) -> Self {
        Self {
            num_groups,
            num_channels,
            eps: 1e-5,
            affine: true,
        }
    }
}

/// Normalises every group of channels of every sample, then scales and shifts each channel.
///
/// y = (x − E\[x\]) / √(Var\[x\] + ε) · weight + bias, with mean and biased variance over a group's channels and all positions.
/// A group of a single value gives the bias, at every batch size; PyTorch refuses it at batch 1 alone.
///
/// # Shapes
/// input `[batch, channels, *positions]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`
/// # Errors
/// `new`: `num_groups` or `num_channels` is 0, `num_channels` isn't a multiple of `num_groups`, ε is negative. `forward`: fewer
/// than two axes, another number of channels, or another dtype than the weight's.
/// # Source
/// Wu and He, "Group Normalization", 2018; `torch.nn.GroupNorm`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{GroupNorm, GroupNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = GroupNorm::new(&GroupNormConfig::new(2, 4), store.builder().pp("norm1"))?;
/// let x = Tensor::new(&[[1f32, 3., 50., 70.]], &Device::Cpu)?;
/// let y = norm.forward(&x)?.to_vec2::<f32>()?;
/// assert!(y[0].iter().zip([-1., 1., -1., 1.]).all(|(y, z)| (y - z).abs() < 1e-4));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupNorm {
    affine: Option<(Param, Param)>,
    cfg: GroupNormConfig,
    path: String,
}

impl GroupNorm {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &GroupNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "GroupNorm");
        let channels = cfg.num_channels;
        for (field, size) in [("num_groups", cfg.num_groups), ("num_channels", channels)] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        if !channels.is_multiple_of(cfg.num_groups) {
            let expected = format!("a multiple of num_groups = {}", cfg.num_groups);
            return Err(Error::config(path, "num_channels", channels, expected));
        }
        if cfg.eps < 0. || cfg.eps.is_nan() {
            return Err(Error::config(path, "eps", cfg.eps, "0 or more"));
        }
        let affine = if cfg.affine {
            let weight = param(&vb, channels, "weight", &Init::Const(1.))?;
            Some((weight, param(&vb, channels, "bias", &Init::Const(0.))?))
        } else {
            None
        };
        Ok(Self {
            affine,
            cfg: cfg.clone(),
            path,
        })
    }
}

impl Module for GroupNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let &[batch, channels, ..] = x.dims() else {
            return Err(self.shape_error(x));
        };
        if channels != self.cfg.num_channels {
            return Err(self.shape_error(x));
        }
        let affine = self.affine.as_ref().map(|(w, b)| (w.tensor(), b.tensor()));
        if let Some((weight, _)) = &affine
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
        let rows = batch * self.cfg.num_groups;
        let y = match x.elem_count() {
            0 => x.clone(),
            count => {
                let flat = function::reshape(x, (rows, count / rows))?;
                let y = layer_norm::rows("group_norm", &flat, None, None, self.cfg.eps)?;
                function::reshape(&y, x.shape())?
            }
        };
        match affine {
            Some((weight, bias)) => batch_norm::scale_and_shift("scale_and_shift", &y, &weight, &bias),
            None => Ok(y),
        }
    }
}

impl GroupNorm {
    fn shape_error(&self, x: &Tensor) -> candle_core::Error {
        let expected = format!("[batch, channels = {}, *positions]", self.cfg.num_channels);
        Error::shape(&self.path, "input", expected, x.dims()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use sconce_core::ParamStore;
    use sconce_testkit::Random;

    /// One group is a layer norm over channels and positions; a group for each channel an instance norm.
    #[test]
    fn one_group_is_a_layer_norm() {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let x = Random::new(1).normal((3, 4, 2, 5), DType::F64).unwrap();
        let plain = GroupNormConfig {
            affine: false,
            ..GroupNormConfig::new(1, 4)
        };
        let cfg = crate::LayerNormConfig {
            elementwise_affine: false,
            ..crate::LayerNormConfig::new([4, 2, 5])
        };
        let y = GroupNorm::new(&plain, store.builder())
            .unwrap()
            .forward(&x)
            .unwrap();
        let layer = crate::LayerNorm::new(&cfg, store.builder()).unwrap();
        crate::tests::assert_close(&y, &layer.forward(&x).unwrap(), 1e-14);
    }

    #[test]
    fn a_group_of_one_value_gives_the_bias() {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let norm = GroupNorm::new(&GroupNormConfig::new(2, 2), store.builder()).unwrap();
        store
            .set("bias", &Tensor::new(&[3f64, 4.], &Device::Cpu).unwrap())
            .unwrap();
        let x = Tensor::new(&[[7f64, 9.]], &Device::Cpu).unwrap();
        assert_eq!(norm.forward(&x).unwrap().to_vec2::<f64>().unwrap(), [[3., 4.]]);
    }

    #[test]
    fn bad_options_and_input_are_named() {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let new = |groups, channels, eps| {
            let cfg = GroupNormConfig {
                eps,
                ..GroupNormConfig::new(groups, channels)
            };
            GroupNorm::new(&cfg, store.builder().pp("gn"))
        };
        for (groups, channels, eps, message) in [
            (0, 4, 1e-5, "num_groups is 0"),
            (2, 0, 1e-5, "num_channels is 0"),
            (
                3,
                4,
                1e-5,
                "num_channels is 4, expected a multiple of num_groups = 3",
            ),
            (2, 4, -1., "eps is -1"),
            (2, 4, f64::NAN, "eps is NaN"),
        ] {
            let error = new(groups, channels, eps).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("gn (GroupNorm): {message}")),
                "{error}"
            );
        }
        let norm = new(2, 4, 1e-5).unwrap();
        for shape in [&[4][..], &[], &[2, 3, 5]] {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            let error = Error::from(norm.forward(&x).unwrap_err()).to_string();
            assert!(
                error.ends_with("expected [batch, channels = 4, *positions]"),
                "{error}"
            );
        }
        let double = Tensor::zeros((2, 4), DType::F64, &Device::Cpu).unwrap();
        assert!(norm.forward(&double).is_err());
        for shape in [&[0, 4][..], &[2, 4, 0], &[0, 4, 0]] {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(norm.forward(&x).unwrap().dims(), shape);
        }
    }
}
