//! Lookup of learned vectors.

mod max_norm;
#[cfg(test)]
mod tests;

use crate::kernels;
use candle_core::{DType, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, cpu, dispatch_real, graph, layer_path, param};

/// Options of [`Embedding`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingConfig {
    /// How many vectors there are.
    pub num_embeddings: usize,
    /// Length of a vector.
    pub embedding_dim: usize,
    /// The row that stands for padding: it starts at zero and is never trained.
    pub padding_idx: Option<usize>,
    /// The greatest norm that a row may have: longer ones among those that are looked up are shortened to it, in the weight
    /// itself and before the lookup.
    pub max_norm: Option<f64>,
    /// Which norm `max_norm` means: the p of the p-norm, or infinity for the largest magnitude.
    pub norm_type: f64,
    /// Whether a row's gradient is divided by how often the row was looked up in this pass.
    pub scale_grad_by_freq: bool,
    /// How the weight starts; N(0, 1) if `None`.
    pub weight_init: Option<Init>,
}

impl EmbeddingConfig {
    /// A table without padding row and without bound on its norms.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self {
            num_embeddings,
            embedding_dim,
            padding_idx: None,
            max_norm: None,
            norm_type: 2.,
            scale_grad_by_freq: false,
            weight_init: None,
        }
    }
}

/// Turns integers into learned vectors: y\[…, :\] = weight\[ids\[…\], :\].
///
/// # Shapes
/// ids `[*]`, integers below `num_embeddings`; output `[*, embedding_dim]`
/// # Parameters
/// `weight`: `[num_embeddings, embedding_dim]`
/// # Errors
/// `new`: a size is 0, `padding_idx` isn't below `num_embeddings`, `max_norm` is negative, `norm_type` isn't above 0. `forward`: ids that aren't integers, or an id out of
/// range (its position is named).
/// # Source
/// `torch.nn.Embedding`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_nn::{Embedding, EmbeddingConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = Embedding::new(&EmbeddingConfig::new(10, 4), store.builder().pp("tokens"))?;
/// let ids = Tensor::new(&[[1u32, 2, 3], [4, 5, 9]], &Device::Cpu)?;
/// assert_eq!(layer.forward(&ids)?.dims(), [2, 3, 4]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Param,
    cfg: EmbeddingConfig,
    path: String,
}

impl Embedding {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &EmbeddingConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Embedding");
        for (field, size) in [
            ("num_embeddings", cfg.num_embeddings),
            ("embedding_dim", cfg.embedding_dim),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        if let Some(max_norm) = cfg.max_norm
            && (max_norm < 0. || max_norm.is_nan())
        {
            return Err(Error::config(path, "max_norm", max_norm, "0 or more"));
        }
        if cfg.norm_type <= 0. || cfg.norm_type.is_nan() {
            return Err(Error::config(path, "norm_type", cfg.norm_type, "above 0"));
        }
        if let Some(row) = cfg.padding_idx
            && row >= cfg.num_embeddings
        {
            let expected = format!("below num_embeddings = {}", cfg.num_embeddings);
            return Err(Error::config(path, "padding_idx", row, expected));
        }
        let existed = vb.contains_tensor("weight");
        let init = cfg.weight_init.unwrap_or(Init::Normal { mean: 0., std: 1. });
        let weight = param(&vb, (cfg.num_embeddings, cfg.embedding_dim), "weight", &init)?;
        if let Some(row) = cfg.padding_idx
            && !existed
        {
            let zeros = weight.value().narrow(0, row, 1)?.zeros_like()?;
            weight.value().slice_set(&zeros, 0, row)?;
        }
        Ok(Self {
            weight,
            cfg: cfg.clone(),
            path,
        })
    }
}

impl Module for Embedding {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        if !ids.dtype().is_int() {
            return Err(Error::DType {
                layer: self.path.clone(),
                argument: "ids",
                expected: "an integer".into(),
                got: ids.dtype(),
            }
            .into());
        }
        let weight = self.weight.tensor();
        let (rows, columns) = weight.dims2()?;
        let ids = &crate::readable(ids)?;
        let flat = ids.flatten_all()?.to_dtype(DType::I64)?;
        let list = flat.to_vec1::<i64>()?;
        let valid = 0..rows as i64;
        if let Some((index, id)) = list.iter().enumerate().find(|(_, id)| !valid.contains(id)) {
            return Err(Error::Value {
                layer: self.path.clone(),
                argument: "ids",
                index,
                value: id.to_string(),
                expected: format!("0 to {}", rows - 1),
            }
            .into());
        }
        let list: Vec<usize> = list.into_iter().map(|id| id as usize).collect();
        if let Some(max_norm) = self.cfg.max_norm {
            max_norm::shorten(&self.weight.value(), &list, max_norm, self.cfg.norm_type)?;
        }
        let mut dims = ids.dims().to_vec();
        dims.push(columns);
        let options = Lookup {
            padding_idx: self.cfg.padding_idx,
            scale_grad_by_freq: self.cfg.scale_grad_by_freq,
        };
        let y = if cpu::has_kernel(&weight) {
            dispatch_real!(&weight, kernels::embedding::forward(&weight, list, options))?
        } else {
            composite(&weight, &flat, &list, options)?
        };
        y.reshape(dims)
    }
}

/// What a lookup's gradient depends on beside the ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lookup {
    pub(crate) padding_idx: Option<usize>,
    pub(crate) scale_grad_by_freq: bool,
}

impl Lookup {
    /// What the gradient of each looked-up row is multiplied by.
    pub(crate) fn shares(self, ids: &[usize], rows: usize) -> Vec<f64> {
        let mut counts = vec![0usize; rows];
        for &id in ids {
            if let Some(count) = counts.get_mut(id) {
                *count += 1;
            }
        }
        let share = |&id: &usize| {
            let count = counts.get(id).copied().unwrap_or(1);
            match self {
                Self { padding_idx, .. } if padding_idx == Some(id) => 0.,
                Self {
                    scale_grad_by_freq: true,
                    ..
                } => 1. / count as f64,
                _ => 1.,
            }
        };
        ids.iter().map(share).collect()
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(weight: &Tensor, ids: &Tensor, list: &[usize], options: Lookup) -> Result<Tensor> {
    let y = weight.index_select(ids, 0)?;
    let shares = Tensor::new(options.shares(list, weight.dim(0)?), weight.device())?;
    let shares = shares.to_dtype(weight.dtype())?.unsqueeze(1)?;
    // The values of y with a share of its gradient.
    let tracked = y.broadcast_mul(&shares)?;
    let y = (&tracked + (&y - &tracked)?.detach())?;
    graph::note("embedding", &[weight, ids], std::slice::from_ref(&y));
    Ok(y)
}
