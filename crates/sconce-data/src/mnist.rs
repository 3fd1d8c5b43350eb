//! MNIST's four files.

use crate::{Error, Result, TensorDataset, idx};
use candle_core::{DType, Tensor};
use std::path::{Path, PathBuf};

const SET: &str = "mnist";
const SIDE: usize = 28;
const LAST_LABEL: u32 = 9;

/// MNIST: handwritten digits, 60 000 to train with and 10 000 to test with.
///
/// # Shapes
/// features `[samples, channels = 1, height = 28, width = 28]`, `u8`, from 0 (background) to 255 (ink); targets `[samples]`,
/// `u32`, the digits
/// # Source
/// LeCun, Cortes and Burges, "The MNIST database of handwritten digits"
#[derive(Debug, Clone)]
pub struct Mnist {
    /// To train with.
    pub train: TensorDataset,
    /// To test with.
    pub test: TensorDataset,
}

impl Mnist {
    /// Reads the four files in a folder; each may be compressed (`.gz`) or not.
    ///
    /// # Errors
    /// The folder or a file is missing (the message says how to get them), damaged, or of another shape than MNIST's;
    /// images and labels differ in number; a label is above 9.
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Dataset, Mnist, data_dir};
    /// let mnist = Mnist::load(data_dir().unwrap().join("mnist"))?;
    /// assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        if !folder.is_dir() {
            return Err(missing(folder));
        }
        Ok(Self {
            train: part(folder, "train")?,
            test: part(folder, "t10k")?,
        })
    }
}

fn part(folder: &Path, part: &str) -> Result<TensorDataset> {
    let image_file = find(folder, &format!("{part}-images-idx3-ubyte"))?;
    let label_file = find(folder, &format!("{part}-labels-idx1-ubyte"))?;
    let read = |path: &Path| idx::read(path).map_err(with_remedy);
    let (images, labels) = (read(&image_file)?, read(&label_file)?);
    let (images, labels) = (
        check_images(&image_file, images)?,
        check_labels(&label_file, labels)?,
    );
    let (n, m) = (images.dims().first(), labels.dims().first());
    if n != m {
        return Err(Error::Count {
            features: n.copied().unwrap_or(0),
            feature_name: format!("images in {}", image_file.display()),
            targets: m.copied().unwrap_or(0),
            target_name: format!("labels in {}", label_file.display()),
        });
    }
    TensorDataset::new(&images, &labels)
}

/// A damaged file is got again.
fn with_remedy(error: Error) -> Error {
    match error {
        Error::File { path, problem } => Error::File {
            path,
            problem: format!("{problem}; delete it and run `cargo xtask data {SET}`"),
        },
        other => other,
    }
}

fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let plain = folder.join(name);
    [folder.join(format!("{name}.gz")), plain.clone()]
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| missing(&plain))
}

fn missing(path: &Path) -> Error {
    Error::Missing {
        path: path.display().to_string(),
        set: SET,
    }
}

fn check_images(path: &Path, images: Tensor) -> Result<Tensor> {
    match (images.dims(), images.dtype()) {
        (&[0, ..], _) => Err(with_remedy(Error::file(
            &path.display().to_string(),
            "holds no images",
        ))),
        (&[n, SIDE, SIDE], DType::U8) => Ok(images.reshape((n, 1, SIDE, SIDE))?),
        (dims, dtype) => {
            let problem = format!(
                "holds {dtype:?} of shape {dims:?}, expected images: U8 of shape [samples, {SIDE}, {SIDE}]"
            );
            Err(with_remedy(Error::file(&path.display().to_string(), problem)))
        }
    }
}

fn check_labels(path: &Path, labels: Tensor) -> Result<Tensor> {
    if labels.dims().len() != 1 || labels.dtype() != DType::U8 {
        let problem = format!(
            "holds {:?} of shape {:?}, expected labels: U8 of shape [samples]",
            labels.dtype(),
            labels.dims()
        );
        return Err(Error::file(&path.display().to_string(), problem));
    }
    let labels = labels.to_dtype(DType::U32)?;
    let values = labels.to_vec1::<u32>()?;
    match values.iter().enumerate().find(|(_, value)| **value > LAST_LABEL) {
        None => Ok(labels),
        Some((index, &value)) => Err(Error::Label {
            path: path.display().to_string(),
            index,
            value,
            last: LAST_LABEL,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    fn write(folder: &Path, name: &str, dims: &[u32], data: &[u8]) {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend(data);
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    fn small(folder: &Path) {
        for (part, n) in [("train", 3u32), ("t10k", 2)] {
            let data: Vec<u8> = (0..n * 784).map(|i| i as u8).collect();
            write(folder, &format!("{part}-images-idx3-ubyte"), &[n, 28, 28], &data);
            write(
                folder,
                &format!("{part}-labels-idx1-ubyte"),
                &[n],
                &vec![9; n as usize],
            );
        }
    }

    #[test]
    fn four_files_become_two_sets() {
        let folder = tempfile::tempdir().unwrap();
        small(folder.path());
        let mnist = Mnist::load(folder.path()).unwrap();
        assert_eq!((mnist.train.len(), mnist.test.len()), (3, 2));
        let (x, y) = mnist.train.get(1).unwrap();
        assert_eq!((x.dims(), y.to_scalar::<u32>().unwrap()), (&[1, 28, 28][..], 9));
        assert_eq!(
            x.flatten_all().unwrap().to_vec1::<u8>().unwrap()[0],
            (784 % 256) as u8
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        type Damage = fn(&Path);
        let cases: [(Damage, &str); 8] = [
            (
                |f| write(f, "train-images-idx3-ubyte", &[0, 28, 28], &[]),
                "/train-images-idx3-ubyte: holds no images; delete it and run `cargo xtask data mnist`",
            ),
            (
                |f| std::fs::remove_file(f.join("t10k-labels-idx1-ubyte")).unwrap(),
                "t10k-labels-idx1-ubyte is missing: run `cargo xtask data mnist`",
            ),
            (
                |f| write(f, "train-labels-idx1-ubyte", &[2], &[1, 2]),
                "/train-labels-idx1-ubyte: each needs exactly one",
            ),
            (
                |f| write(f, "train-labels-idx1-ubyte", &[3], &[1, 2, 10]),
                "/train-labels-idx1-ubyte: label 2 is 10, expected 0 to 9",
            ),
            (
                |f| write(f, "train-images-idx3-ubyte", &[3, 2, 2], &[0; 12]),
                "/train-images-idx3-ubyte: holds U8 of shape [3, 2, 2], expected images: U8 of shape [samples, 28, 28]",
            ),
            (
                |f| write(f, "t10k-labels-idx1-ubyte", &[2, 1], &[0; 2]),
                "/t10k-labels-idx1-ubyte: holds U8 of shape [2, 1], expected labels: U8 of shape [samples]",
            ),
            (
                |f| write(f, "t10k-images-idx3-ubyte", &[2, 28, 28], &[0; 1000]),
                "/t10k-images-idx3-ubyte: cut short: the header says 1568 bytes of data for shape [2, 28, 28], found 1000",
            ),
            (
                |f| std::fs::write(f.join("t10k-images-idx3-ubyte.gz"), b"\x1f\x8b").unwrap(),
                "/t10k-images-idx3-ubyte.gz: cut short: the compressed data ends too early",
            ),
        ];
        for (damage, message) in cases {
            let folder = tempfile::tempdir().unwrap();
            small(folder.path());
            damage(folder.path());
            let error = Mnist::load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains('\n'), "{error}");
        }
        let error = Mnist::load("/no/such/folder").unwrap_err().to_string();
        assert!(
            error.starts_with("/no/such/folder is missing: run `cargo xtask data mnist`"),
            "{error}"
        );
    }
}
