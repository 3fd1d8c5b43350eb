//! Lookup of learned vectors.

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
    /// How the weight starts; N(0, 1) if `None`.
    pub weight_init: Option<Init>,
}

impl EmbeddingConfig {
    /// A table without padding row.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self {
            num_embeddings,
            embedding_dim,
            padding_idx: None,
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
/// `new`: a size is 0, or `padding_idx` isn't below `num_embeddings`. `forward`: ids that aren't integers, or an id out of
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
    padding_idx: Option<usize>,
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
        let existed = vb.contains_tensor("weight");
        let init = cfg.weight_init.unwrap_or(Init::Normal { mean: 0., std: 1. });
        let weight = param(&vb, (cfg.num_embeddings, cfg.embedding_dim), "weight", &init)?;
        if let Some(row) = cfg.padding_idx {
            if row >= cfg.num_embeddings {
                let expected = format!("below num_embeddings = {}", cfg.num_embeddings);
                return Err(Error::config(path, "padding_idx", row, expected));
            }
            if !existed {
                weight
                    .value()
                    .slice_set(&weight.value().narrow(0, row, 1)?.zeros_like()?, 0, row)?;
            }
        }
        Ok(Self {
            weight,
            padding_idx: cfg.padding_idx,
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
        let mut dims = ids.dims().to_vec();
        dims.push(columns);
        let y = if cpu::has_kernel(&weight) {
            let list = list.into_iter().map(|id| id as usize).collect();
            dispatch_real!(
                &weight,
                kernels::embedding::forward(&weight, list, self.padding_idx)
            )?
        } else {
            composite(&weight, &flat, self.padding_idx)?
        };
        y.reshape(dims)
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(weight: &Tensor, ids: &Tensor, padding_idx: Option<usize>) -> Result<Tensor> {
    let y = weight.index_select(ids, 0)?;
    let y = match padding_idx {
        None => y,
        Some(row) => {
            let is_padding = ids.eq(row as i64)?.unsqueeze(1)?.broadcast_as(y.shape())?;
            is_padding.where_cond(&y.detach(), &y)?
        }
    };
    graph::note("embedding", &[weight, ids], std::slice::from_ref(&y));
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn kernel_equals_composite() {
        let weight = Var::randn(0f64, 1., (7, 5), &Device::Cpu).unwrap();
        let list = vec![3usize, 0, 6, 3, 3, 2];
        let ids = Tensor::from_vec(list.iter().map(|&i| i as i64).collect(), 6, &Device::Cpu).unwrap();
        for padding_idx in [None, Some(3)] {
            let ours = kernels::embedding::forward::<f64>(&weight, list.clone(), padding_idx).unwrap();
            let oracle = composite(&weight, &ids, padding_idx).unwrap();
            let grad = |y: &Tensor| {
                let cotangent = Tensor::arange(0f64, 30., &Device::Cpu)
                    .unwrap()
                    .reshape((6, 5))
                    .unwrap();
                let grads = (y * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
                grads.get(&weight).unwrap().to_vec2::<f64>().unwrap()
            };
            assert_eq!(ours.to_vec2::<f64>().unwrap(), oracle.to_vec2::<f64>().unwrap());
            assert_eq!(grad(&ours), grad(&oracle));
            assert_eq!(grad(&ours)[3] == vec![0.; 5], padding_idx.is_some());
        }
    }

    #[test]
    fn an_id_out_of_range_is_named() {
        let store = sconce_core::ParamStore::new(DType::F32, &Device::Cpu);
        let layer = Embedding::new(&EmbeddingConfig::new(4, 2), store.builder().pp("tokens")).unwrap();
        for bad in [4i64, -1] {
            let error = layer
                .forward(&Tensor::new(&[[0i64, 1], [bad, 2]], &Device::Cpu).unwrap())
                .unwrap_err();
            let message = Error::from(error).to_string();
            assert_eq!(
                message,
                format!("tokens (Embedding): ids[2] is {bad}, expected 0 to 3")
            );
        }
        let floats = Tensor::new(&[0f32], &Device::Cpu).unwrap();
        assert!(layer.forward(&floats).is_err());
    }
}
