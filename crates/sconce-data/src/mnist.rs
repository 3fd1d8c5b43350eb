//! MNIST's four files, and those of Fashion-MNIST, which are of the same form.

use crate::{Error, Result, TensorDataset, idx};
use candle_core::{DType, Tensor};
use std::path::{Path, PathBuf};

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
        let (train, test) = Files::of("mnist", folder.as_ref())?.read()?;
        Ok(Self { train, test })
    }
}

/// Fashion-MNIST: articles of clothing, 60 000 to train with and 10 000 to test with; harder than the digits.
///
/// # Shapes
/// features `[samples, channels = 1, height = 28, width = 28]`, `u8`, from 0 (background) to 255; targets `[samples]`, `u32`,
/// which count [`CLASSES`](Self::CLASSES)
/// # Source
/// Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017
#[derive(Debug, Clone)]
pub struct FashionMnist {
    /// To train with.
    pub train: TensorDataset,
    /// To test with.
    pub test: TensorDataset,
}

impl FashionMnist {
    /// What is seen, by class number.
    pub const CLASSES: [&str; 10] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];

    /// Reads the four files in a folder; each may be compressed (`.gz`) or not.
    ///
    /// # Errors
    /// Those of [`Mnist::load`].
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Dataset, FashionMnist, data_dir};
    /// let clothes = FashionMnist::load(data_dir().unwrap().join("fashion-mnist"))?;
    /// assert_eq!((clothes.train.len(), clothes.test.len()), (60_000, 10_000));
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let (train, test) = Files::of("fashion-mnist", folder.as_ref())?.read()?;
        Ok(Self { train, test })
    }
}

/// The files of a set, whose name `cargo xtask data` knows.
struct Files<'a> {
    set: &'static str,
    folder: &'a Path,
}

impl<'a> Files<'a> {
    fn of(set: &'static str, folder: &'a Path) -> Result<Self> {
        let files = Self { set, folder };
        match folder.is_dir() {
            true => Ok(files),
            false => Err(files.missing(folder)),
        }
    }

    /// What is to train with, and what to test with.
    fn read(&self) -> Result<(TensorDataset, TensorDataset)> {
        Ok((self.part("train")?, self.part("t10k")?))
    }

    fn part(&self, part: &str) -> Result<TensorDataset> {
        let image_file = self.find(&format!("{part}-images-idx3-ubyte"))?;
        let label_file = self.find(&format!("{part}-labels-idx1-ubyte"))?;
        let read = |path: &Path| idx::read(path).map_err(|error| self.with_remedy(error));
        let (images, labels) = (read(&image_file)?, read(&label_file)?);
        let images = check_images(&image_file, images).map_err(|error| self.with_remedy(error))?;
        let labels = check_labels(&label_file, labels)?;
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
    fn with_remedy(&self, error: Error) -> Error {
        match error {
            Error::File { path, problem } => Error::File {
                path,
                problem: format!("{problem}; delete it and run `cargo xtask data {}`", self.set),
            },
            other => other,
        }
    }

    fn find(&self, name: &str) -> Result<PathBuf> {
        let plain = self.folder.join(name);
        [self.folder.join(format!("{name}.gz")), plain.clone()]
            .into_iter()
            .find(|path| path.exists())
            .ok_or_else(|| self.missing(&plain))
    }

    fn missing(&self, path: &Path) -> Error {
        Error::Missing {
            path: path.display().to_string(),
            set: self.set,
        }
    }
}

fn check_images(path: &Path, images: Tensor) -> Result<Tensor> {
    match (images.dims(), images.dtype()) {
        (&[0, ..], _) => Err(Error::file(&path.display().to_string(), "holds no images")),
        (&[n, SIDE, SIDE], DType::U8) => Ok(images.reshape((n, 1, SIDE, SIDE))?),
        (dims, dtype) => {
            let problem = format!(
                "holds {dtype:?} of shape {dims:?}, expected images: U8 of shape [samples, {SIDE}, {SIDE}]"
            );
            Err(Error::file(&path.display().to_string(), problem))
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

    #[test]
    fn clothes_are_read_alike_and_go_by_their_own_name() {
        let folder = tempfile::tempdir().unwrap();
        small(folder.path());
        let clothes = FashionMnist::load(folder.path()).unwrap();
        assert_eq!((clothes.train.len(), clothes.test.len()), (3, 2));
        let class = clothes.test.get(1).unwrap().1.to_scalar::<u32>().unwrap();
        assert_eq!(FashionMnist::CLASSES[class as usize], "Ankle boot");
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), b"\0\0\x08").unwrap();
        let remedy = "delete it and run `cargo xtask data fashion-mnist`";
        let error = FashionMnist::load(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("train-images-idx3-ubyte: ") && error.ends_with(remedy),
            "{error}"
        );
        let error = FashionMnist::load("/no/such/folder").unwrap_err().to_string();
        assert!(error.contains("run `cargo xtask data fashion-mnist`"), "{error}");
    }

    #[test]
    fn the_real_files() {
        let folder = |set| {
            crate::data_dir()
                .map(|data| data.join(set))
                .filter(|folder| folder.is_dir())
        };
        let ink = |set: &TensorDataset| {
            let (x, _) = set.batch(&[0, 1]).unwrap();
            let ink = x.to_dtype(DType::F64).unwrap().sum_all().unwrap();
            ink.to_scalar::<f64>().unwrap()
        };
        match folder("mnist") {
            None => println!("skipped: mnist isn't in the data folder"),
            Some(folder) => {
                let mnist = Mnist::load(folder).unwrap();
                assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
                assert_eq!(mnist.train.get(0).unwrap().1.to_scalar::<u32>().unwrap(), 5);
                assert_eq!(ink(&mnist.train), INK_OF_TWO);
            }
        }
        match folder("fashion-mnist") {
            None => println!("skipped: fashion-mnist isn't in the data folder"),
            Some(folder) => {
                let clothes = FashionMnist::load(folder).unwrap();
                assert_eq!((clothes.train.len(), clothes.test.len()), (60_000, 10_000));
                assert_eq!(clothes.train.get(0).unwrap().1.to_scalar::<u32>().unwrap(), 9);
            }
        }
    }

    /// Of the first two digits, as NumPy adds it up.
    const INK_OF_TWO: f64 = 58_620.;
}
