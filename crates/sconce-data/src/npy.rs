//! NumPy's files: `.npy`, one array, and `.npz`, a zip archive of them by name.
//!
//! An array's file is six bytes of magic, two of version, a header's length and the header, which is a Python dictionary
//! (`{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`), then the elements. What NumPy pickles, arrays of
//! Python objects, isn't read: to unpickle is to run a program.
//!
//! Element types become the nearest that candle has and that holds every value: `i1` becomes `i16`, `u2` becomes `u32`,
//! booleans become `u8` of 0 and 1, `u8` (64 bits) becomes `i64` if its values fit. Arrays in Fortran's order become
//! contiguous, big-endian ones native.
//!
//! # Source
//! `numpy.lib.format`, versions 1.0, 2.0 and 3.0

mod element;
mod header;
#[cfg(test)]
mod tests;

use crate::bytes::{self, MOST_PER_COMPRESSED_BYTE};
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use element::Element;
use header::Header;
use sconce_core::io::write_atomically;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// Reads an `.npy` file, on the CPU.
///
/// Memory is taken for what the file can hold, never for what its header merely claims.
///
/// # Errors
/// The file can't be read, isn't `.npy`, is shorter or longer than its header says, or holds what isn't numbers (objects,
/// text, times, records, complex numbers); the message has the path, and what was expected and found.
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, npy};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("x.npy");
/// npy::write(&path, &Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?)?;
/// assert_eq!(npy::read(&path)?.to_vec2::<f32>()?, [[1., 2.], [3., 4.]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let (file, len) = open(path, "an .npy file").map_err(|problem| Error::file(&name, problem))?;
    array(BufReader::with_capacity(1 << 16, file), len, &name)
}

/// Writes a tensor as an `.npy` file, version 1.0: whole or not at all.
///
/// # Errors
/// The tensor's type is one that NumPy lacks (`bf16`, say), or the folder can't be written to.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let descr = match tensor.dtype() {
        DType::U8 => "|u1",
        DType::U32 => "<u4",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        other => {
            let expected = "of a type that NumPy has";
            return Err(Error::config("tensor", format!("of {other:?}"), expected));
        }
    };
    let mut bytes = Header::new(descr, tensor.dims()).to_bytes();
    tensor.write_bytes(&mut bytes)?;
    Ok(write_atomically(path, &bytes)?)
}

/// Reads all arrays of an `.npz` file, by name, on the CPU; members may be stored or deflated.
///
/// # Errors
/// The file can't be read, isn't a zip archive, has a member that isn't an `.npy` file or is encrypted, or what [`read`]
/// says of a member; the message has the path and the member's name.
///
/// # Example
/// ```no_run
/// use sconce_data::{TensorDataset, npy};
/// let arrays = npy::read_npz("mnist.npz")?;
/// assert_eq!(arrays["x_train"].dims(), [60_000, 28, 28]);
/// let train = TensorDataset::from_npz("mnist.npz", "x_train", "y_train")?;
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read_npz(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let (file, len) = open(path, "an .npz file").map_err(|problem| Error::file(&name, problem))?;
    archive(BufReader::with_capacity(1 << 16, file), len, &name)
}

/// A file and its length; what the path leads to must be one.
fn open(path: &Path, expected: &str) -> std::result::Result<(File, u64), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    match metadata.is_dir() {
        true => Err(format!("is a folder, expected {expected}")),
        false => Ok((file, metadata.len())),
    }
}

/// Reads all members of a zip archive of `len` bytes.
fn archive(stream: impl Read + Seek, len: u64, name: &str) -> Result<BTreeMap<String, Tensor>> {
    let broken = |error: zip::result::ZipError| {
        Error::file(name, format!("not an .npz file, or a damaged one ({error})"))
    };
    let mut archive = ZipArchive::new(stream).map_err(broken)?;
    let (mut arrays, mut compressed) = (BTreeMap::new(), 0u64);
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(broken)?;
        // Many members on the same bytes would make a small file endless.
        compressed = compressed.saturating_add(member.compressed_size());
        if compressed > len {
            let problem = format!("its members claim {compressed} bytes or more of a file of {len}");
            return Err(Error::file(name, problem));
        }
        let file = member.name().map_err(broken)?.into_owned();
        let Some(key) = file.strip_suffix(".npy").map(str::to_string) else {
            let problem = format!("{file} isn't an array: expected a name in .npy");
            return Err(Error::file(name, problem));
        };
        let most = member.compressed_size().saturating_mul(MOST_PER_COMPRESSED_BYTE);
        let array = array(member, most, &format!("{name}: {file}"))?;
        if arrays.insert(key.clone(), array).is_some() {
            return Err(Error::file(name, format!("{file} is in it twice")));
        }
    }
    Ok(arrays)
}

/// Reads an array from a stream of at most `most` bytes; `name` is what errors call it.
fn array(mut stream: impl Read, most: u64, name: &str) -> Result<Tensor> {
    let error = |problem: String| Error::file(name, problem);
    let header = Header::read(&mut stream, most).map_err(error)?;
    let element = Element::parse(&header.descr).map_err(error)?;
    let bytes = bytes::elements(stream, &header.shape, element.size(), most).map_err(error)?;
    if header.fortran_order && header.shape.len() > 1 {
        let backwards: Vec<usize> = header.shape.iter().rev().copied().collect();
        let axes: Vec<usize> = (0..backwards.len()).rev().collect();
        let tensor = element.tensor(bytes, &backwards, name)?;
        return Ok(tensor.permute(axes)?.contiguous()?);
    }
    element.tensor(bytes, &header.shape, name)
}
