//! Batch normalisation.

mod running;
#[cfg(test)]
mod tests;

use crate::kernels;
use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
pub(crate) use running::Running;
use sconce_core::{Error, Init, Param, cast, cpu, dispatch_real, graph, layer_path, param};

/// Options of the batch norms; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormConfig {
    /// The number of channels.
    pub num_features: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Share of the new statistics in the running ones; `None` averages over all batches so far.
    pub momentum: Option<f64>,
    /// Whether each channel has a learned scale and shift.
    pub affine: bool,
    /// Whether running statistics are kept, and used in evaluation; else each batch's own serve there too.
    pub track_running_stats: bool,
}

impl BatchNormConfig {
    /// With scale, shift and running statistics.
    pub fn new(num_features: usize) -> Self {
        Self {
            num_features,
            eps: 1e-5,
            momentum: Some(0.1),
            affine: true,
            track_running_stats: true,
        }
    }
}

/// Normalises each channel over the batch, for inputs without positions or with one axis of them.
///
/// y = (x − E\[x\]) / √(Var\[x\] + ε) · weight + bias. In training, mean and biased variance are the batch's, and the running
/// ones move towards the batch's mean and *unbiased* variance; in evaluation the running ones are used.
///
/// # Shapes
/// input `[batch, channels]` or `[batch, channels, length]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// `new`: no channels, ε negative, momentum outside \[0, 1\]. `forward_t`: another number of axes or channels; in training,
/// a single value a channel, whose variance says nothing; an input of another dtype than the parameters.
/// # Source
/// Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm1d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{BatchNorm1d, BatchNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = BatchNorm1d::new(&BatchNormConfig::new(2), store.builder().pp("bn1"))?;
/// let x = Tensor::new(&[[1f32, 10.], [3., 30.]], &Device::Cpu)?;
/// let y = norm.forward_t(&x, true)?.to_vec2::<f32>()?;
/// assert!((y[0][0] + 1.).abs() < 1e-4 && (y[1][1] - 1.).abs() < 1e-4);
/// assert_eq!(store.get("bn1.running_mean")?.to_vec1::<f32>()?, [0.2, 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm1d(BatchNorm);

/// Normalises each channel over the batch and both axes of positions.
///
/// What [`BatchNorm1d`] says of statistics holds.
///
/// # Shapes
/// input `[batch, channels, height, width]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// Those of [`BatchNorm1d`].
/// # Source
/// Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm2d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{BatchNorm2d, BatchNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = BatchNorm2d::new(&BatchNormConfig::new(3), store.builder().pp("bn1"))?;
/// let x = Tensor::zeros((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.dims(), [2, 3, 4, 5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm2d(BatchNorm);

/// Normalises each channel over the batch and all three axes of positions.
///
/// What [`BatchNorm1d`] says of statistics holds.
///
/// # Shapes
/// input `[batch, channels, depth, height, width]`, output the same
/// # Parameters
/// `weight`, `bias`: `[channels]`, if `affine`. Buffers, if `track_running_stats`: `running_mean`, `running_var`:
/// `[channels]`; `num_batches_tracked`: one int64
/// # Errors
/// Those of [`BatchNorm1d`].
/// # Source
/// Ioffe and Szegedy, "Batch Normalization", 2015; `torch.nn.BatchNorm3d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_nn::{BatchNorm3d, BatchNormConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let norm = BatchNorm3d::new(&BatchNormConfig::new(3), store.builder().pp("bn1"))?;
/// let x = Tensor::zeros((2, 3, 2, 4, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(norm.forward_t(&x, true)?.dims(), [2, 3, 2, 4, 5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm3d(BatchNorm);

impl BatchNorm1d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &BatchNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        BatchNorm::new(cfg, vb, "BatchNorm1d").map(Self)
    }
}

impl BatchNorm2d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &BatchNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        BatchNorm::new(cfg, vb, "BatchNorm2d").map(Self)
    }
}

impl BatchNorm3d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &BatchNormConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        BatchNorm::new(cfg, vb, "BatchNorm3d").map(Self)
    }
}

impl ModuleT for BatchNorm1d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0
            .forward(x, train, 2..=3, "[batch, channels] or [batch, channels, length]")
    }
}

impl ModuleT for BatchNorm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0
            .forward(x, train, 4..=4, "[batch, channels, height, width]")
    }
}

impl ModuleT for BatchNorm3d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.0
            .forward(x, train, 5..=5, "[batch, channels, depth, height, width]")
    }
}

/// What the batch norms of all ranks share.
#[derive(Debug, Clone)]
struct BatchNorm {
    affine: Option<(Param, Param)>,
    running: Option<Running>,
    cfg: BatchNormConfig,
    path: String,
}

impl BatchNorm {
    fn new(cfg: &BatchNormConfig, vb: VarBuilder, name: &str) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, name);
        if cfg.num_features == 0 {
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
        let channels = cfg.num_features;
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

    fn forward(
        &self,
        x: &Tensor,
        train: bool,
        ranks: std::ops::RangeInclusive<usize>,
        axes: &str,
    ) -> Result<Tensor> {
        let channels = self.cfg.num_features;
        if !ranks.contains(&x.rank()) || x.dim(1)? != channels {
            let expected = format!("{axes} with channels = {channels}");
            return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
        }
        let affine = self
            .affine
            .as_ref()
            .map(|(weight, bias)| (weight.tensor(), bias.tensor()));
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
        let narrow = sconce_core::widened(x, |wide| {
            let affine = affine
                .as_ref()
                .map(|(weight, bias)| Ok::<_, candle_core::Error>((wide(weight)?, wide(bias)?)));
            self.normalise(&wide(x)?, affine.transpose()?, channels, train)
        })?;
        match narrow {
            Some(y) => Ok(y),
            None => self.normalise(x, affine, channels, train),
        }
    }

    fn normalise(
        &self,
        x: &Tensor,
        affine: Option<(Tensor, Tensor)>,
        channels: usize,
        train: bool,
    ) -> Result<Tensor> {
        let affine = affine.as_ref().map(|(weight, bias)| (weight, bias));
        let count = x.elem_count() / channels;
        let stats = match &self.running {
            Some(running) if !train => (
                cast(&running.mean.tensor(), x.dtype())?,
                cast(&running.var.tensor(), x.dtype())?,
            ),
            _ if count < 2 => {
                let expected = "more than one value a channel: a larger batch, or evaluation mode";
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
            running => {
                let (mean, var) = batch_stats(&x.detach())?;
                if let (Some(running), true) = (running, train) {
                    let batches = running.count()?;
                    let momentum = self.cfg.momentum.filter(|_| !sconce_core::is_cumulative());
                    let share = momentum.unwrap_or(1. / batches as f64);
                    running.update(&mean, &var, count, share)?;
                }
                if cpu::has_kernel(x) {
                    return dispatch_real!(
                        x,
                        kernels::batch_norm::train(x, affine, &mean, &var, self.cfg.eps)
                    );
                }
                return training_composite(x, affine, self.cfg.eps);
            }
        };
        with_stats("batch_norm", x, affine, &stats.0, &stats.1, self.cfg.eps)
    }
}

/// Normalises each channel of x `[batch, channels, *positions]` with statistics that x has no part in.
pub(crate) fn with_stats(
    name: &'static str,
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    if cpu::has_kernel(x) {
        return dispatch_real!(x, kernels::batch_norm::evaluate(name, x, affine, mean, var, eps));
    }
    composite(name, x, affine, mean, var, eps)
}

/// Scales and shifts each channel of x `[batch, channels, *positions]`.
pub(crate) fn scale_and_shift(
    name: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
) -> Result<Tensor> {
    let (mean, var) = (weight.detach().zeros_like()?, weight.detach().ones_like()?);
    with_stats(name, x, Some((weight, bias)), &mean, &var, 0.)
}

/// Mean and biased variance of each channel of x `[batch, channels, *positions]`.
pub(crate) fn batch_stats(x: &Tensor) -> Result<(Tensor, Tensor)> {
    if cpu::has_kernel(x) {
        return dispatch_real!(x, kernels::batch_norm::stats(x));
    }
    let by_channel = x.transpose(0, 1)?.flatten_from(1)?;
    let mean = by_channel.mean_keepdim(1)?;
    let var = by_channel.broadcast_sub(&mean)?.sqr()?.mean(1)?;
    Ok((mean.squeeze(1)?, var))
}

/// The same from candle operations: the oracle of the kernels, and what runs on other devices.
fn training_composite(x: &Tensor, affine: Option<(&Tensor, &Tensor)>, eps: f64) -> Result<Tensor> {
    let by_channel = x.transpose(0, 1)?.flatten_from(1)?;
    let mean = by_channel.mean_keepdim(1)?;
    let var = by_channel.broadcast_sub(&mean)?.sqr()?.mean(1)?;
    composite("batch_norm", x, affine, &mean.squeeze(1)?, &var, eps)
}

fn composite(
    name: &'static str,
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let mut per_channel = vec![1; x.rank()];
    if let Some(channels) = per_channel.get_mut(1) {
        *channels = x.dim(1)?;
    }
    let column = |t: &Tensor| t.reshape(per_channel.as_slice());
    let mut y = x
        .broadcast_sub(&column(mean)?)?
        .broadcast_div(&column(&(var + eps)?.sqrt()?)?)?;
    if let Some((weight, bias)) = affine {
        y = y.broadcast_mul(&column(weight)?)?.broadcast_add(&column(bias)?)?;
    }
    graph::note(name, &[x], std::slice::from_ref(&y));
    Ok(y)
}
