//! Samples that are held in memory, as tensors.

use crate::dispatch::on_cpu;
use crate::{Dataset, Error, Result};
use candle_core::{Tensor, WithDType};
use sconce_core::cpu;

/// Features and targets in memory, a row of each a sample.
///
/// The tensors keep their element type, so images can stay bytes until a batch of them is used. Clones share the memory.
///
/// # Shapes
/// features `[samples, *]`, targets `[samples, *]`
///
/// # Errors
/// `new`: different numbers of features and targets, or a scalar.
///
/// # Example
/// ```
/// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], &Device::Cpu)?;
/// let y = Tensor::new(&[0u32, 1, 0], &Device::Cpu)?;
/// let set = TensorDataset::new(&x, &y)?;
/// assert_eq!(set.batch(&[2, 0])?.0.to_vec2::<f32>()?, [[5., 6.], [1., 2.]]);
/// assert!(TensorDataset::new(&x, &y.narrow(0, 0, 2)?).is_err());
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TensorDataset {
    features: Tensor,
    targets: Tensor,
}

impl TensorDataset {
    /// A set of these samples.
    pub fn new(features: &Tensor, targets: &Tensor) -> Result<Self> {
        let rows = |tensor: &Tensor, name: &'static str| {
            tensor.dims().first().copied().ok_or_else(|| {
                let expected = "at least one axis, the samples";
                Error::config(name, "a scalar", expected)
            })
        };
        let (n, m) = (rows(features, "features")?, rows(targets, "targets")?);
        if n != m {
            return Err(Error::Count {
                features: n,
                feature_name: format!("features (shape {:?})", features.dims()),
                targets: m,
                target_name: format!("targets (shape {:?})", targets.dims()),
            });
        }
        Ok(Self {
            features: features.contiguous()?,
            targets: targets.contiguous()?,
        })
    }

    /// All features.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// All targets.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }
}

impl Dataset for TensorDataset {
    fn len(&self) -> usize {
        self.features.dims().first().copied().unwrap_or(0)
    }

    fn get(&self, index: usize) -> candle_core::Result<(Tensor, Tensor)> {
        let len = self.len();
        if index >= len {
            return Err(Error::Index { index, len }.into());
        }
        Ok((self.features.get(index)?, self.targets.get(index)?))
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
        Ok((gather(&self.features, indices)?, gather(&self.targets, indices)?))
    }

    fn batch_at(&self, indices: &[usize], _epoch: u64) -> candle_core::Result<(Tensor, Tensor)> {
        self.batch(indices)
    }
}

/// These rows of a tensor. On the CPU, rows are copied as wholes: candle's `index_select` goes element by element.
fn gather(tensor: &Tensor, rows: &[usize]) -> candle_core::Result<Tensor> {
    let len = tensor.dims().first().copied().unwrap_or(0);
    if let Some(&index) = rows.iter().find(|&&row| row >= len) {
        return Err(Error::Index { index, len }.into());
    }
    if let Some(copied) = on_cpu!(tensor, copy(tensor, rows)) {
        return copied;
    }
    let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    tensor.index_select(&Tensor::new(index, tensor.device())?, 0)
}

fn copy<T: WithDType>(tensor: &Tensor, rows: &[usize]) -> candle_core::Result<Tensor> {
    let mut dims = tensor.dims().to_vec();
    let width: usize = dims.iter().skip(1).product();
    let mut batch: Vec<T> = Vec::with_capacity(rows.len() * width);
    let all = cpu::slice::<T>(tensor)?;
    for &row in rows {
        batch.extend_from_slice(all.get(row * width..(row + 1) * width).unwrap_or_default());
    }
    if let Some(first) = dims.first_mut() {
        *first = rows.len();
    }
    Tensor::from_vec(batch, dims, tensor.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn batches_are_index_select_in_every_type() {
        let rows = [4usize, 0, 4, 2];
        let index = Tensor::new(&[4u32, 0, 4, 2], &Device::Cpu).unwrap();
        for dtype in [
            DType::U8,
            DType::U32,
            DType::I16,
            DType::I64,
            DType::BF16,
            DType::F16,
            DType::F32,
            DType::F64,
        ] {
            let x = Tensor::arange(0f32, 30., &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            // Transposed, and cut out of a larger tensor.
            let x = x.reshape((6, 5)).unwrap().t().unwrap().narrow(1, 1, 4).unwrap();
            let y = Tensor::arange(0u32, 5, &Device::Cpu).unwrap();
            let (a, b) = TensorDataset::new(&x, &y).unwrap().batch(&rows).unwrap();
            let expected = x.contiguous().unwrap().index_select(&index, 0).unwrap();
            assert_eq!((a.dtype(), a.dims()), (dtype, &[4, 4][..]));
            let flat = |t: &Tensor| {
                let t = t.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
                t.to_vec1::<f32>().unwrap()
            };
            assert_eq!(flat(&a), flat(&expected), "{dtype:?}");
            assert_eq!(b.to_vec1::<u32>().unwrap(), [4, 0, 4, 2]);
        }
    }

    /// One by one, there would be nothing to stack.
    #[test]
    fn batches_of_an_epoch_are_gathered_too() {
        let x = Tensor::zeros((5, 2), DType::F32, &Device::Cpu).unwrap();
        let set = TensorDataset::new(&x, &x).unwrap();
        for batch in [set.batch(&[]), set.batch_at(&[], 3)] {
            assert_eq!(batch.unwrap().0.dims(), [0, 2]);
        }
    }

    #[test]
    fn what_does_not_belong_together_is_named() {
        let x = Tensor::zeros((5, 2), DType::F32, &Device::Cpu).unwrap();
        let y = Tensor::zeros(4, DType::U32, &Device::Cpu).unwrap();
        let scalar = Tensor::zeros((), DType::F32, &Device::Cpu).unwrap();
        for (features, targets, message) in [
            (
                &x,
                &y,
                "there are 5 features (shape [5, 2]) but 4 targets (shape [4]): each needs exactly one",
            ),
            (
                &scalar,
                &y,
                "features is a scalar, expected at least one axis, the samples",
            ),
            (
                &x,
                &scalar,
                "targets is a scalar, expected at least one axis, the samples",
            ),
        ] {
            let error = TensorDataset::new(features, targets).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let set = TensorDataset::new(&x, &x).unwrap();
        for error in [set.get(5).err(), set.batch(&[0, 5]).err()] {
            assert_eq!(Error::from(error.unwrap()).to_string(), "sample 5 of a set of 5");
        }
    }
}
