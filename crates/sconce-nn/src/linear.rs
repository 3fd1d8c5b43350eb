//! Fully connected layer.

use crate::kernels;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, cpu, dispatch_real, function, graph, layer_path, param};

/// Options of [`Linear`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearConfig {
    /// Length of an input vector.
    pub in_features: usize,
    /// Length of an output vector.
    pub out_features: usize,
    /// Whether a learned vector is added.
    pub bias: bool,
    /// How the weight starts; PyTorch's U(±1/√in_features) if `None`.
    pub weight_init: Option<Init>,
    /// How the bias starts; PyTorch's U(±1/√in_features) if `None`.
    pub bias_init: Option<Init>,
}

impl LinearConfig {
    /// A layer with bias.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self {
            in_features,
            out_features,
            bias: true,
            weight_init: None,
            bias_init: None,
        }
    }
}

/// Multiplies by a learned matrix and adds a learned vector: y = x·Wᵀ + b.
///
/// # Shapes
/// input `[*, in_features]`, output `[*, out_features]`
/// # Parameters
/// `weight`: `[out_features, in_features]`; `bias`: `[out_features]`, if `bias`
/// # Errors
/// `new`: a size is 0. `forward`: the last axis isn't `in_features` long, or the dtype isn't the weight's.
/// # Source
/// `torch.nn.Linear`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{Linear, LinearConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = Linear::new(&LinearConfig::new(3, 2), store.builder().pp("fc1"))?;
/// let x = Tensor::zeros((4, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward(&x)?.dims(), [4, 2]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Param,
    bias: Option<Param>,
    path: String,
}

impl Linear {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &LinearConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Linear");
        for (field, size) in [
            ("in_features", cfg.in_features),
            ("out_features", cfg.out_features),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        let default = Init::default_uniform(cfg.in_features);
        let weight_init = cfg.weight_init.unwrap_or(default);
        let weight = param(&vb, (cfg.out_features, cfg.in_features), "weight", &weight_init)?;
        let bias_init = cfg.bias_init.unwrap_or(default);
        let bias = cfg
            .bias
            .then(|| param(&vb, cfg.out_features, "bias", &bias_init))
            .transpose()?;
        Ok(Self { weight, bias, path })
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.tensor();
        let in_features = weight.dim(1)?;
        if x.dims().last() != Some(&in_features) {
            let expected = format!("[*, in_features = {in_features}]");
            return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
        }
        if x.dtype() != weight.dtype() {
            return Err(sconce_core::Error::parameter_dtype(
                self.path.as_str(),
                "input",
                weight.dtype(),
                x.dtype(),
            )
            .into());
        }
        linear(x, &weight, self.bias.as_ref().map(Param::tensor).as_ref())
    }
}

/// x·weightᵀ + bias, as [`Linear`] with parameters from elsewhere (shared or generated ones).
///
/// # Shapes
/// x `[*, in_features]`, weight `[out_features, in_features]`, bias `[out_features]`, output `[*, out_features]`
/// # Errors
/// The shapes don't fit.
/// # Source
/// `torch.nn.functional.linear`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[3f32, 4.], [5., 6.]], &Device::Cpu)?;
/// let bias = Tensor::new(&[0f32, 1.], &Device::Cpu)?;
/// assert_eq!(sconce_nn::linear(&x, &weight, Some(&bias))?.to_vec2::<f32>()?, [[11., 18.]]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (out_features, in_features) = weight.dims2()?;
    let mut dims = x.dims().to_vec();
    if dims.pop() != Some(in_features) {
        let expected = format!("[*, in_features = {in_features}]");
        return Err(Error::shape("linear", "input", expected, x.dims()).into());
    }
    if let Some(bias) = bias
        && bias.dims() != [out_features]
    {
        let expected = format!("[out_features = {out_features}]");
        return Err(Error::shape("linear", "bias", expected, bias.dims()).into());
    }
    for (argument, tensor) in [("weight", Some(weight)), ("bias", bias)] {
        if let Some(tensor) = tensor.filter(|tensor| tensor.dtype() != x.dtype()) {
            let expected = format!("{:?}, that of the input", x.dtype());
            return Err(Error::DType {
                layer: "linear".to_string(),
                argument,
                expected,
                got: tensor.dtype(),
            }
            .into());
        }
    }
    let rows = dims.iter().product::<usize>();
    dims.push(out_features);
    if cpu::has_kernel(x) {
        let flat = function::reshape(x, (rows, in_features))?;
        let y = dispatch_real!(x, kernels::linear::forward(&flat, weight, bias))?;
        return function::reshape(&y, dims);
    }
    let narrow = sconce_core::widened(x, |wide| {
        linear(&wide(x)?, &wide(weight)?, bias.map(wide).transpose()?.as_ref())
    })?;
    if let Some(y) = narrow {
        return Ok(y);
    }
    let y = composite(x, weight, bias, rows)?.reshape(dims)?;
    graph::note("linear", &[x, weight], std::slice::from_ref(&y));
    Ok(y)
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, rows: usize) -> Result<Tensor> {
    let y = x.reshape((rows, weight.dim(1)?))?.matmul(&weight.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}
