//! CIFAR-10's binary files, out of their archive or unpacked.

#[cfg(test)]
mod tests;

use crate::{Error, Result, TensorDataset};
use candle_core::{Device, Tensor};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const SET: &str = "cifar-10";
const ARCHIVE: &str = "cifar-10-binary.tar.gz";
/// The archive's only folder.
const UNPACKED: &str = "cifar-10-batches-bin";
const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";
const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;
/// Before the pixels stands the label, a byte.
const RECORD: usize = 1 + PIXELS;
const LAST_LABEL: u8 = 9;

/// CIFAR-10: photographs of ten kinds of things, 50 000 to train with and 10 000 to test with.
///
/// # Shapes
/// features `[samples, channels = 3, height = 32, width = 32]`, red, green, blue, `u8`, from 0 to 255; targets `[samples]`,
/// `u32`, which count [`CLASSES`](Self::CLASSES)
/// # Source
/// Krizhevsky, "Learning multiple layers of features from tiny images", 2009: the binary version
#[derive(Debug, Clone)]
pub struct Cifar10 {
    /// To train with.
    pub train: TensorDataset,
    /// To test with.
    pub test: TensorDataset,
}

impl Cifar10 {
    /// What is seen, by class number.
    pub const CLASSES: [&str; 10] = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ];

    /// Reads the six files in a folder, or in its `cifar-10-batches-bin`, or else in its `cifar-10-binary.tar.gz`.
    ///
    /// # Errors
    /// The folder or a file is missing (the message says how to get it), damaged or empty, or doesn't consist of whole
    /// images; a label is above 9.
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Cifar10, Dataset, data_dir};
    /// let cifar = Cifar10::load(data_dir().unwrap().join("cifar-10"))?;
    /// assert_eq!((cifar.train.len(), cifar.test.len()), (50_000, 10_000));
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let archive = folder.join(ARCHIVE);
        let places = [folder.to_path_buf(), folder.join(UNPACKED)];
        let unpacked = places
            .iter()
            .find(|place| TRAIN.iter().chain([&TEST]).any(|file| place.join(file).exists()));
        match unpacked {
            Some(place) => Self::unpacked(place),
            None if archive.exists() => Self::packed(&archive),
            None => Err(missing(&archive)),
        }
    }

    fn unpacked(folder: &Path) -> Result<Self> {
        let mut parts = Parts::default();
        for file in TRAIN.into_iter().chain([TEST]) {
            let path = folder.join(file);
            if !path.exists() {
                return Err(missing(&path));
            }
            let name = path.display().to_string();
            let bytes = std::fs::read(&path).map_err(|error| Error::file(&name, error.to_string()))?;
            parts.of(file).push((name, bytes));
        }
        parts.sets()
    }

    fn packed(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let damaged = |error: io::Error| {
            let problem = format!(
                "not a .tar.gz archive, or a damaged one ({error}); delete it and run `cargo xtask data {SET}`"
            );
            Error::file(&name, problem)
        };
        let file = File::open(path).map_err(|error| Error::file(&name, error.to_string()))?;
        let content = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
        let mut archive = tar::Archive::new(content);
        let mut parts = Parts::default();
        for member in archive.entries().map_err(damaged)? {
            let mut member = member.map_err(damaged)?;
            let path = member.path().map_err(damaged)?.into_owned();
            let file = path
                .file_name()
                .and_then(|file| file.to_str())
                .unwrap_or_default();
            if file != TEST && !TRAIN.contains(&file) {
                continue;
            }
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).map_err(damaged)?;
            parts
                .of(file)
                .push((format!("{name}: {}", path.display()), bytes));
        }
        // To the end, where gzip's checksum stands.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
        let found = (parts.train.len(), parts.test.len());
        if found != (TRAIN.len(), 1) {
            let problem = format!(
                "holds {} of the files data_batch_1.bin to data_batch_5.bin and {} of {TEST}, expected {} and 1",
                found.0,
                found.1,
                TRAIN.len()
            );
            return Err(Error::file(&name, problem));
        }
        // In an archive they may come in any order.
        parts.train.sort_by(|(a, _), (b, _)| a.cmp(b));
        parts.sets()
    }
}

/// Each file's name and bytes.
type FileBytes = (String, Vec<u8>);

#[derive(Default)]
struct Parts {
    train: Vec<FileBytes>,
    test: Vec<FileBytes>,
}

impl Parts {
    /// Where a file belongs.
    fn of(&mut self, file: &str) -> &mut Vec<FileBytes> {
        if file == TEST {
            &mut self.test
        } else {
            &mut self.train
        }
    }

    fn sets(self) -> Result<Cifar10> {
        Ok(Cifar10 {
            train: set(self.train)?,
            test: set(self.test)?,
        })
    }
}

/// The images of some files, one file after the other.
fn set(files: Vec<FileBytes>) -> Result<TensorDataset> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let (records, rest) = bytes.as_chunks::<RECORD>();
        if records.is_empty() || !rest.is_empty() {
            let problem = format!(
                "holds {} bytes, expected a multiple of {RECORD}: a label and 3×{SIDE}×{SIDE} pixels each; \
                 delete it and run `cargo xtask data {SET}`",
                bytes.len()
            );
            return Err(Error::file(&name, problem));
        }
        for (index, [label, image @ ..]) in records.iter().enumerate() {
            if *label > LAST_LABEL {
                return Err(Error::Label {
                    path: name,
                    index,
                    value: (*label).into(),
                    last: LAST_LABEL.into(),
                });
            }
            labels.push(u32::from(*label));
            pixels.extend_from_slice(image);
        }
    }
    let samples = labels.len();
    let images = Tensor::from_vec(pixels, (samples, 3, SIDE, SIDE), &Device::Cpu)?;
    TensorDataset::new(&images, &Tensor::from_vec(labels, samples, &Device::Cpu)?)
}

fn missing(path: &Path) -> Error {
    Error::Missing {
        path: path.display().to_string(),
        set: SET,
    }
}
