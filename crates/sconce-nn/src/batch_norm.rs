//! Batch normalisation.

use crate::kernels;
use candle_core::{DType, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Buffer, Error, Init, Param, buffer, cpu, dispatch_real, graph, layer_path, param};

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

/// What the batch norms of all ranks share.
#[derive(Debug, Clone)]
struct BatchNorm {
    affine: Option<(Param, Param)>,
    running: Option<Running>,
    cfg: BatchNormConfig,
    path: String,
}

#[derive(Debug, Clone)]
struct Running {
    mean: Buffer,
    var: Buffer,
    num_batches_tracked: Buffer,
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
        let running = if cfg.track_running_stats {
            Some(Running {
                mean: buffer(&vb, channels, "running_mean", &Init::Const(0.), vb.dtype())?,
                var: buffer(&vb, channels, "running_var", &Init::Const(1.), vb.dtype())?,
                num_batches_tracked: buffer(&vb, (), "num_batches_tracked", &Init::Const(0.), DType::I64)?,
            })
        } else {
            None
        };
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
            return Err(crate::dtype_error(&self.path, "input", weight.dtype(), x.dtype()));
        }
        let affine = affine.as_ref().map(|(weight, bias)| (weight, bias));
        let count = x.elem_count() / channels;
        let stats = match &self.running {
            Some(running) if !train => (running.mean.tensor(), running.var.tensor()),
            _ if count < 2 => {
                let expected = "more than one value a channel: a larger batch, or evaluation mode";
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
            running => {
                let (mean, var) = batch_stats(&x.detach())?;
                if let (Some(running), true) = (running, train) {
                    running.update(&mean, &var, count, self.cfg.momentum)?;
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
        if cpu::has_kernel(x) {
            return dispatch_real!(
                x,
                kernels::batch_norm::evaluate(x, affine, &stats.0, &stats.1, self.cfg.eps)
            );
        }
        composite(x, affine, &stats.0, &stats.1, self.cfg.eps)
    }
}

impl Running {
    fn update(&self, mean: &Tensor, var: &Tensor, count: usize, momentum: Option<f64>) -> Result<()> {
        let batches = self.num_batches_tracked.tensor().to_scalar::<i64>()? + 1;
        self.num_batches_tracked
            .set(&Tensor::new(batches, mean.device())?)?;
        let share = momentum.unwrap_or(1. / batches as f64);
        let unbiased = (var * (count as f64 / (count as f64 - 1.)))?;
        for (running, new) in [(&self.mean, mean), (&self.var, &unbiased)] {
            running.set(&((running.tensor() * (1. - share))? + (new * share)?)?)?;
        }
        Ok(())
    }
}

/// Mean and biased variance of each channel.
fn batch_stats(x: &Tensor) -> Result<(Tensor, Tensor)> {
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
    composite(x, affine, &mean.squeeze(1)?, &var, eps)
}

fn composite(
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
    graph::note("batch_norm", &[x], std::slice::from_ref(&y));
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use sconce_core::ParamStore;

    #[test]
    fn kernels_equal_composites() {
        for shape in [vec![5, 3], vec![4, 3, 7], vec![2, 3, 5, 9]] {
            let x = Var::randn(0.5f64, 2., shape, &Device::Cpu).unwrap();
            let [weight, bias, mean] = [1.; 3].map(|m| Var::randn(m, 1f64, 3, &Device::Cpu).unwrap());
            let var = Var::rand(0.5f64, 2., 3, &Device::Cpu).unwrap();
            let (batch_mean, batch_var) = batch_stats(&x.as_detached_tensor()).unwrap();
            let affine = Some((weight.as_tensor(), bias.as_tensor()));
            let (mean, var) = (mean.as_detached_tensor(), var.as_detached_tensor());
            for affine in [None, affine] {
                let pairs = [
                    (
                        kernels::batch_norm::train::<f64>(&x, affine, &batch_mean, &batch_var, 1e-3).unwrap(),
                        training_composite(&x, affine, 1e-3).unwrap(),
                    ),
                    (
                        kernels::batch_norm::evaluate::<f64>(&x, affine, &mean, &var, 1e-3).unwrap(),
                        composite(&x, affine, &mean, &var, 1e-3).unwrap(),
                    ),
                ];
                for (ours, oracle) in pairs {
                    let of = |y: &Tensor| {
                        let loss = y.sqr().unwrap().sqr().unwrap().sum_all().unwrap();
                        let grads = loss.backward().unwrap();
                        let variables = [&x, &weight, &bias];
                        let grads = variables.iter().filter_map(|v| grads.get(v)).cloned();
                        std::iter::once(y.detach()).chain(grads).collect::<Vec<_>>()
                    };
                    let (ours, oracle) = (of(&ours), of(&oracle));
                    assert_eq!(ours.len(), if affine.is_some() { 4 } else { 2 });
                    for (a, b) in ours.iter().zip(&oracle) {
                        crate::tests::assert_close(a, b, 1e-10);
                    }
                }
            }
        }
    }

    #[test]
    fn bad_input_is_named() {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let norm = BatchNorm2d::new(&BatchNormConfig::new(3), store.builder().pp("bn")).unwrap();
        let cases: &[(&[usize], &str)] = &[
            (&[2, 3], "[batch, channels, height, width] with channels = 3"),
            (&[2, 4, 5, 5], "channels = 3"),
            (&[1, 3, 1, 1], "more than one value a channel"),
        ];
        for (shape, message) in cases {
            let x = Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
            let error = Error::from(norm.forward_t(&x, true).unwrap_err()).to_string();
            assert!(
                error.starts_with("bn (BatchNorm2d): input") && error.contains(message),
                "{error}"
            );
        }
        let double = Tensor::zeros((2, 3, 2, 2), DType::F64, &Device::Cpu).unwrap();
        assert!(norm.forward_t(&double, true).is_err());
        for cfg in [
            BatchNormConfig {
                num_features: 0,
                ..BatchNormConfig::new(3)
            },
            BatchNormConfig {
                eps: -1.,
                ..BatchNormConfig::new(3)
            },
            BatchNormConfig {
                momentum: Some(1.5),
                ..BatchNormConfig::new(3)
            },
        ] {
            assert!(BatchNorm1d::new(&cfg, store.builder()).is_err());
        }
    }
}
