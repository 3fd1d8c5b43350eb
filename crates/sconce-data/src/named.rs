//! Data sets of two tensors out of a file of many.

use crate::{Error, Result, TensorDataset, npy};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

impl TensorDataset {
    /// Takes features and targets by their names out of a safetensors file.
    ///
    /// For all its tensors there is [`sconce_core::io::load_tensors`].
    ///
    /// # Errors
    /// The file can't be read or has no tensor of that name; those of [`new`](Self::new).
    ///
    /// # Example
    /// ```
    /// use sconce_core::io;
    /// use sconce_data::{Dataset, TensorDataset, candle_core::{Device, Tensor}};
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("data.safetensors");
    /// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
    /// let y = Tensor::new(&[0u32, 1], &Device::Cpu)?;
    /// io::save_tensors(&path, [("x", &x), ("y", &y)], None)?;
    /// let set = TensorDataset::from_safetensors(&path, "x", "y")?;
    /// assert_eq!(set.get(1)?.0.to_vec1::<f32>()?, [3., 4.]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn from_safetensors(path: impl AsRef<Path>, features: &str, targets: &str) -> Result<Self> {
        let path = path.as_ref();
        Self::by_name(path, &sconce_core::io::load_tensors(path)?, features, targets)
    }

    /// Takes features and targets by their names out of an `.npz` file.
    ///
    /// # Errors
    /// Those of [`npy::read_npz`]; the file has no array of that name; those of [`new`](Self::new).
    pub fn from_npz(path: impl AsRef<Path>, features: &str, targets: &str) -> Result<Self> {
        let path = path.as_ref();
        Self::by_name(path, &npy::read_npz(path)?, features, targets)
    }

    fn by_name(path: &Path, file: &BTreeMap<String, Tensor>, features: &str, targets: &str) -> Result<Self> {
        let part = |name: &str| {
            file.get(name).ok_or_else(|| {
                let names: Vec<&str> = file.keys().map(String::as_str).collect();
                let problem = format!("has no {name:?}, expected one of {}", names.join(", "));
                Error::file(&path.display().to_string(), problem)
            })
        };
        Self::new(part(features)?, part(targets)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use candle_core::Device;
    use sconce_core::io;

    #[test]
    fn two_of_many_are_taken_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.safetensors");
        let x = Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], &Device::Cpu).unwrap();
        let y = Tensor::new(&[7u32, 8, 9], &Device::Cpu).unwrap();
        let other = Tensor::new(&[0u8; 4], &Device::Cpu).unwrap();
        io::save_tensors(&path, [("x", &x), ("y", &y), ("other", &other)], None).unwrap();
        let set = TensorDataset::from_safetensors(&path, "x", "y").unwrap();
        let (features, target) = set.get(2).unwrap();
        assert_eq!((set.len(), features.to_vec1::<f32>().unwrap()), (3, vec![5., 6.]));
        assert_eq!(target.to_scalar::<u32>().unwrap(), 9);
        for (features, targets, message) in [
            ("x", "labels", "has no \"labels\", expected one of other, x, y"),
            ("z", "y", "has no \"z\", expected one of other, x, y"),
            ("x", "other", "there are 3 features (shape [3, 2]) but 4 targets"),
        ] {
            let error = TensorDataset::from_safetensors(&path, features, targets).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        std::fs::write(&path, b"nothing of the kind").unwrap();
        let error = TensorDataset::from_safetensors(&path, "x", "y").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("data.safetensors: not a safetensors file"),
            "{error}"
        );
    }
}
