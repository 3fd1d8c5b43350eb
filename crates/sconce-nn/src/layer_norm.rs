//! Layer normalisation.

use crate::kernels;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, cpu, dispatch_real, function, graph, layer_path, param};

/// Options of [`LayerNorm`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormConfig {
    /// Lengths of the last axes, over which is normalised.
    pub normalized_shape: Vec<usize>,
    /// Added to the variance.
    pub eps: f64,
    /// Whether each position has a learned scale.
    pub elementwise_affine: bool,
    /// Whether each position has a learned shift too; only with `elementwise_affine`.
    pub bias: bool,
}

impl LayerNormConfig {
    /// Over the last axes, of these lengths, with scale and shift.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> Self {
        Self {
            normalized_shape: normalized_shape.into(),
            eps: 1e-5,
            elementwise_affine: true,
            bias: true,
        }
    }
}

/// Normalises each sample over its last axes, then scales and shifts each position.
///
/// y = (x − E\[x\]) / √(Var\[x\] + ε) · weight + bias, with the biased variance.
///
/// # Shapes
/// input `[*, *normalized_shape]`, output the same
/// # Parameters
/// `weight`: `normalized_shape`, if `elementwise_affine`; `bias`: the same, if `bias` as well
/// # Errors
/// `new`: `normalized_shape` is empty or has a 0, ε is negative. `forward`: the input's last axes aren't `normalized_shape`,
/// or its dtype isn't the weight's.
/// # Source
/// Ba et al., "Layer Normalization", 2016; `torch.nn.LayerNorm`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{LayerNorm, LayerNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = LayerNorm::new(&LayerNormConfig::new([4]), store.builder().pp("norm1"))?;
/// let x = Tensor::new(&[[1f32, 2., 3., 4.]], &Device::Cpu)?;
/// assert!(norm.forward(&x)?.sum_all()?.to_scalar::<f32>()?.abs() < 1e-6);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Option<Param>,
    bias: Option<Param>,
    normalized_shape: Vec<usize>,
    eps: f64,
    path: String,
}

impl LayerNorm {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &LayerNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "LayerNorm");
        if cfg.normalized_shape.is_empty() || cfg.normalized_shape.contains(&0) {
            let value = format!("{:?}", cfg.normalized_shape);
            return Err(Error::config(
                path,
                "normalized_shape",
                value,
                "one axis or more, none of length 0",
            ));
        }
        if cfg.eps < 0. || cfg.eps.is_nan() {
            return Err(Error::config(path, "eps", cfg.eps, "0 or more"));
        }
        let shape = cfg.normalized_shape.clone();
        let one = |present: bool, name, value| {
            present
                .then(|| param(&vb, shape.clone(), name, &Init::Const(value)))
                .transpose()
        };
        let weight = one(cfg.elementwise_affine, "weight", 1.)?;
        let bias = one(cfg.elementwise_affine && cfg.bias, "bias", 0.)?;
        Ok(Self {
            weight,
            bias,
            normalized_shape: shape,
            eps: cfg.eps,
            path,
        })
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !x.dims().ends_with(&self.normalized_shape) {
            let expected = format!("[*, {}]", crate::join(&self.normalized_shape));
            return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
        }
        let (weight, bias) = (
            self.weight.as_ref().map(Param::tensor),
            self.bias.as_ref().map(Param::tensor),
        );
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
        let width: usize = self.normalized_shape.iter().product();
        let count = x.elem_count() / width;
        let flat = function::reshape(x, (count, width))?;
        let [weight, bias] = [weight, bias].map(|p| p.map(|p| function::reshape(&p, width)).transpose());
        let (weight, bias) = (weight?, bias?);
        let y = rows("layer_norm", &flat, weight.as_ref(), bias.as_ref(), self.eps)?;
        function::reshape(&y, x.shape())
    }
}

/// Normalises the rows of x `[rows, width]`, then scales and shifts each column.
pub(crate) fn rows(
    name: &'static str,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    if cpu::has_kernel(x) {
        return dispatch_real!(x, kernels::layer_norm::forward(name, x, weight, bias, eps));
    }
    let narrow = sconce_core::widened(x, |wide| {
        let [weight, bias] = [weight, bias].map(|parameter| parameter.map(wide).transpose());
        rows(name, &wide(x)?, weight?.as_ref(), bias?.as_ref(), eps)
    })?;
    match narrow {
        Some(y) => Ok(y),
        None => composite(name, x, weight, bias, eps),
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(
    name: &'static str,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    let mut y = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    if let Some(weight) = weight {
        y = y.broadcast_mul(weight)?;
    }
    if let Some(bias) = bias {
        y = y.broadcast_add(bias)?;
    }
    graph::note(name, &[x], std::slice::from_ref(&y));
    Ok(y)
}
