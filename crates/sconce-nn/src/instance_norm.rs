//! Instance normalisation.

use crate::batch_norm::{self, Running};
use crate::layer_norm;
use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, function, layer_path, param};

#[cfg(test)]
mod tests;

/// Options of the instance norms; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceNormConfig {
    /// The number of channels.
    pub num_features: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Share of the new statistics in the running ones; `None` leaves them as they are, as in PyTorch.
    pub momentum: Option<f64>,
    /// Whether each channel has a learned scale and shift.
    pub affine: bool,
    /// Whether running statistics are kept, and used in evaluation; else each sample's own serve there too.
    pub track_running_stats: bool,
}

impl InstanceNormConfig {
    /// Without scale, shift and running statistics.
    pub fn new(num_features: usize) -> Self {
        Self {
            num_features,
            eps: 1e-5,
            momentum: Some(0.1),
            affine: false,
            track_running_stats: false,
        }
    }
}

/// Normalises each channel of each sample over the axis of positions.
///
/// y = (x − E\[x\]) / √(Var\[x\] + ε) · weight + bias, with a sample's own mean and biased variance. With
/// `track_running_stats`, training moves the running statistics towards the samples' mean of means and *unbiased* variances,
/// and evaluation uses them. `num_batches_tracked` stays 0, as in PyTorch.
///
/// # Shapes
/// input `[batch, channels, length]` or `[channels, length]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// `new`: no channels, ε negative, momentum outside \[0, 1\]. `forward_t`: another number of axes or channels; fewer than two
/// positions, whose variance says nothing, unless running statistics serve; an input of another dtype than the parameters.
/// # Source
/// Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016; `torch.nn.InstanceNorm1d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{InstanceNorm1d, InstanceNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = InstanceNormConfig { affine: true, ..InstanceNormConfig::new(3) };
/// let norm = InstanceNorm1d::new(&cfg, store.builder().pp("norm1"))?;
/// let x = Tensor::zeros((2, 3, 4), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.dims(), [2, 3, 4]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InstanceNorm1d(InstanceNorm);

/// Normalises each channel of each sample over both axes of positions.
///
/// What [`InstanceNorm1d`] says of statistics holds.
///
/// # Shapes
/// input `[batch, channels, height, width]` or `[channels, height, width]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// Those of [`InstanceNorm1d`].
/// # Source
/// Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016; `torch.nn.InstanceNorm2d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{InstanceNorm2d, InstanceNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = InstanceNormConfig { affine: true, ..InstanceNormConfig::new(3) };
/// let norm = InstanceNorm2d::new(&cfg, store.builder().pp("norm1"))?;
/// let x = Tensor::zeros((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.dims(), [2, 3, 4, 5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InstanceNorm2d(InstanceNorm);

/// Normalises each channel of each sample over all three axes of positions.
///
/// What [`InstanceNorm1d`] says of statistics holds.
///
/// # Shapes
/// input `[batch, channels, depth, height, width]` or `[channels, depth, height, width]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// Those of [`InstanceNorm1d`].
/// # Source
/// Ulyanov et al., "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016; `torch.nn.InstanceNorm3d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{InstanceNorm3d, InstanceNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = InstanceNormConfig { affine: true, ..InstanceNormConfig::new(3) };
/// let norm = InstanceNorm3d::new(&cfg, store.builder().pp("norm1"))?;
/// let x = Tensor::zeros((2, 3, 2, 4, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.dims(), [2, 3, 2, 4, 5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InstanceNorm3d(InstanceNorm);

impl InstanceNorm1d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &InstanceNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        InstanceNorm::new(cfg, vb, "InstanceNorm1d").map(Self)
    }
}

impl ModuleT for InstanceNorm1d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0.forward(x, train, 1, "length")
    }
}

impl InstanceNorm2d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &InstanceNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        InstanceNorm::new(cfg, vb, "InstanceNorm2d").map(Self)
    }
}

impl ModuleT for InstanceNorm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0.forward(x, train, 2, "height, width")
    }
}

impl InstanceNorm3d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &InstanceNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        InstanceNorm::new(cfg, vb, "InstanceNorm3d").map(Self)
    }
}

impl ModuleT for InstanceNorm3d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0.forward(x, train, 3, "depth, height, width")
    }
}

/// What the instance norms of all ranks share.
#[derive(Debug, Clone)]
struct InstanceNorm {
    affine: Option<(Param, Param)>,
    running: Option<Running>,
    cfg: InstanceNormConfig,
    path: String,
}

impl InstanceNorm {
    fn new(cfg: &InstanceNormConfig, vb: VarBuilder, name: &str) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, name);
        let channels = cfg.num_features;
        if channels == 0 {
            return Err(Error::config(path, "num_features", 0, "at least 1"));
        }
        if cfg.eps < 0. || cfg.eps.is_nan() {
            return Err(Error::config(path, "eps", cfg.eps, "0 or more"));
        }
        if let Some(momentum) = cfg.momentum
            && !(0. ..=1.).contains(&momentum)
        {
            return Err(Error::config(path, "momentum", momentum, "from 0 to 1"));
        }
        let affine = if cfg.affine {
            let weight = param(&vb, channels, "weight", &Init::Const(1.))?;
            Some((weight, param(&vb, channels, "bias", &Init::Const(0.))?))
        } else {
            None
        };
        let running = cfg
            .track_running_stats
            .then(|| Running::new(&vb, channels))
            .transpose()?;
        Ok(Self {
            affine,
            running,
            cfg: cfg.clone(),
            path,
        })
    }

    fn forward(&self, x: &Tensor, train: bool, positions: usize, axes: &str) -> Result<Tensor> {
        let channels = self.cfg.num_features;
        let batch = match x.dims() {
            dims if dims.len() == positions + 1 && dims.first() == Some(&channels) => 1,
            &[batch, c, ..] if x.rank() == positions + 2 && c == channels => batch,
            _ => {
                let expected =
                    format!("[batch, channels, {axes}] or [channels, {axes}] with channels = {channels}");
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
        };
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
        let affine = affine.as_ref().map(|(weight, bias)| (weight, bias));
        let count: usize = x.dims().iter().skip(x.rank() - positions).product();
        let by_channel = function::reshape(x, (batch, channels, count))?;
        let y = match &self.running {
            Some(running) if !train => {
                let (mean, var) = (running.mean.tensor(), running.var.tensor());
                batch_norm::with_stats("instance_norm", &by_channel, affine, &mean, &var, self.cfg.eps)?
            }
            _ if count < 2 => {
                let expected = "more than one position: a larger input";
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
            running => {
                if let (Some(running), Some(share)) = (running, self.cfg.momentum)
                    && batch > 0
                {
                    update(running, &by_channel.detach(), share)?;
                }
                let rows = function::reshape(&by_channel, (batch * channels, count))?;
                let y = layer_norm::rows("instance_norm", &rows, None, None, self.cfg.eps)?;
                let y = function::reshape(&y, (batch, channels, count))?;
                match affine {
                    Some((weight, bias)) => batch_norm::scale_and_shift("scale_and_shift", &y, weight, bias)?,
                    None => y,
                }
            }
        };
        function::reshape(&y, x.shape())
    }
}

/// Moves the running statistics by `share` towards the mean over samples of each channel's mean and variance.
fn update(running: &Running, x: &Tensor, share: f64) -> Result<()> {
    let (batch, channels, count) = x.dims3()?;
    let (mean, var) = batch_norm::batch_stats(&x.reshape((1, batch * channels, count))?)?;
    let average = |values: Tensor| values.reshape((batch, channels))?.mean(0);
    running.update(&average(mean)?, &average(var)?, count, share)
}
