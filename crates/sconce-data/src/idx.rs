//! The IDX format, in which MNIST and its relatives are published.
//!
//! A header of two zero bytes, a byte for the element type, a byte for the number of axes and four bytes for each axis,
//! then the elements in row-major order, all big-endian; often compressed by gzip.

use crate::bytes::{self, MOST_PER_COMPRESSED_BYTE, convert, fill, is_gzip};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Reads an IDX file, compressed or not, on the CPU.
///
/// Element types stay what they are; signed bytes, which candle lacks, become `i16`. Compression is told by the content,
/// not by the name. Memory is taken for what the file can hold, never for what its header merely claims.
///
/// # Errors
/// The file can't be read, isn't IDX, or is shorter or longer than its header says; the message has the path, and what was
/// expected and found.
///
/// # Example
/// ```
/// use sconce_data::idx;
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("labels.idx1-ubyte");
/// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]).unwrap();
/// assert_eq!(idx::read(&path)?.to_vec1::<u8>()?, [7, 2, 1]);
///
/// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 2]).unwrap();
/// let error = idx::read(&path).unwrap_err().to_string();
/// assert!(error.ends_with("cut short: the header says 3 bytes of data for shape [3], found 2"), "{error}");
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let open = || -> io::Result<(File, u64)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("is a folder, expected an IDX file"));
        }
        Ok((file, metadata.len()))
    };
    let (file, len) = open().map_err(|error| Error::file(&name, error.to_string()))?;
    parse(BufReader::with_capacity(1 << 16, file), len, &name)
}

/// Reads IDX from a stream of `len` bytes; `name` is what errors call it.
fn parse(mut stream: impl Read, len: u64, name: &str) -> Result<Tensor> {
    let mut magic = [0; 2];
    let got = fill(&mut stream, &mut magic).map_err(|error| Error::file(name, error.to_string()))?;
    let start = io::Cursor::new(magic).take(got as u64);
    let whole = start.chain(stream);
    if got == magic.len() && is_gzip(&magic) {
        let most = len.saturating_mul(MOST_PER_COMPRESSED_BYTE);
        elements(MultiGzDecoder::new(whole), most, name)
    } else {
        elements(whole, len, name)
    }
}

/// Reads an IDX file's content, of which there are at most `most` bytes.
fn elements(mut content: impl Read, most: u64, name: &str) -> Result<Tensor> {
    let broken = |error| Error::file(name, bytes::broken(&error));
    let mut header = [0; 4];
    let got = fill(&mut content, &mut header).map_err(broken)?;
    let [0, 0, code, axes] = header else {
        let problem = "not an IDX file: expected it to begin with two zero bytes, found";
        return Err(Error::file(
            name,
            format!("{problem} {:?}", header.get(..got).unwrap_or_default()),
        ));
    };
    let element = match code {
        _ if got < header.len() => Err(format!("cut short: expected a header of 4 bytes, found {got}")),
        0x08 => Ok(Element::U8),
        0x09 => Ok(Element::I8),
        0x0b => Ok(Element::I16),
        0x0c => Ok(Element::I32),
        0x0d => Ok(Element::F32),
        0x0e => Ok(Element::F64),
        _ => Err(format!(
            "not an IDX file: expected an element type of 8, 9, 11, 12, 13 or 14, found {code}"
        )),
    };
    let element = element.map_err(|problem| Error::file(name, problem))?;
    let mut dims = Vec::with_capacity(usize::from(axes));
    for axis in 0..axes {
        let mut dim = [0; 4];
        let got = fill(&mut content, &mut dim).map_err(broken)?;
        if got < dim.len() {
            let problem = format!("cut short: the header says {axes} axes, found {axis}");
            return Err(Error::file(name, problem));
        }
        dims.push(u32::from_be_bytes(dim) as usize);
    }
    let bytes = bytes::elements(content, &dims, element.size(), most)
        .map_err(|problem| Error::file(name, problem))?;
    element.tensor(bytes, dims)
}

#[derive(Clone, Copy)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn tensor(self, bytes: Vec<u8>, dims: Vec<usize>) -> Result<Tensor> {
        let cpu = &Device::Cpu;
        Ok(match self {
            Self::U8 => Tensor::from_vec(bytes, dims, cpu),
            Self::I8 => Tensor::from_vec(convert(&bytes, |[b]| i16::from(b as i8)), dims, cpu),
            Self::I16 => Tensor::from_vec(convert(&bytes, i16::from_be_bytes), dims, cpu),
            Self::I32 => Tensor::from_vec(convert(&bytes, i32::from_be_bytes), dims, cpu),
            Self::F32 => Tensor::from_vec(convert(&bytes, f32::from_be_bytes), dims, cpu),
            Self::F64 => Tensor::from_vec(convert(&bytes, f64::from_be_bytes), dims, cpu),
        }?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    fn header(code: u8, dims: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Tensor> {
        parse(bytes, bytes.len() as u64, "f.idx")
    }

    #[test]
    fn every_element_type_raw_and_compressed() {
        let cases: [(u8, Vec<u8>); 6] = [
            (0x08, vec![0, 2]),
            (0x09, vec![0, 2]),
            (0x0b, [0i16, 2].iter().flat_map(|v| v.to_be_bytes()).collect()),
            (0x0c, [0i32, 2].iter().flat_map(|v| v.to_be_bytes()).collect()),
            (0x0d, [0f32, 2.].iter().flat_map(|v| v.to_be_bytes()).collect()),
            (0x0e, [0f64, 2.].iter().flat_map(|v| v.to_be_bytes()).collect()),
        ];
        for (code, data) in cases {
            let bytes = [header(code, &[2, 1]), data].concat();
            for bytes in [bytes.clone(), gzip(&bytes)] {
                let tensor = from_bytes(&bytes).unwrap();
                assert_eq!(tensor.dims(), [2, 1]);
                let values = tensor.to_dtype(candle_core::DType::F64).unwrap();
                assert_eq!(values.to_vec2::<f64>().unwrap(), [[0.], [2.]], "type {code}");
            }
        }
        let negative = from_bytes(&[header(0x09, &[1]), vec![0xff]].concat()).unwrap();
        assert_eq!(negative.to_vec1::<i16>().unwrap(), [-1]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = [header(8, &[2, 3]), vec![1; 6]].concat();
        let squeezed = gzip(&good);
        let cases = [
            (vec![], "cut short: expected a header of 4 bytes, found 0"),
            (vec![0, 0], "cut short: expected a header of 4 bytes, found 2"),
            (
                b"\x89PNG".to_vec(),
                "not an IDX file: expected it to begin with two zero bytes, found [137, 80, 78, 71]",
            ),
            (
                vec![0, 0, 7, 1],
                "not an IDX file: expected an element type of 8, 9, 11, 12, 13 or 14, found 7",
            ),
            (good[..10].to_vec(), "cut short: the header says 2 axes, found 1"),
            (
                good[..15].to_vec(),
                "cut short: the header says 6 bytes of data for shape [2, 3], found 3",
            ),
            (
                [&good[..], &[1]].concat(),
                "too long: there is more than the 6 bytes of data for shape [2, 3]",
            ),
            (
                gzip(&good[..15]),
                "cut short: the header says 6 bytes of data for shape [2, 3], found 3",
            ),
            (
                squeezed[..squeezed.len() - 9].to_vec(),
                "cut short: the compressed data ends too early",
            ),
            (
                header(8, &[u32::MAX; 3]),
                "the header says shape [4294967295, 4294967295, 4294967295], which is",
            ),
            (
                header(8, &[u32::MAX, 2]),
                "cut short: the header says 8589934590 bytes",
            ),
        ];
        for (bytes, message) in cases {
            let error = from_bytes(&bytes).unwrap_err().to_string();
            assert!(error.starts_with(&format!("f.idx: {message}")), "{error}");
        }
        let mut flipped = squeezed;
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
        let error = from_bytes(&flipped).unwrap_err().to_string();
        assert!(error.starts_with("f.idx: can't be read: "), "{error}");
    }

    #[test]
    fn a_path_that_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing.gz");
        assert!(read(&missing).unwrap_err().to_string().contains("nothing.gz: "));
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("folder") || error.contains("irectory"), "{error}");
    }

    #[test]
    fn axes_of_no_length_and_none_at_all() {
        assert_eq!(from_bytes(&header(8, &[0, 5])).unwrap().dims(), [0, 5]);
        // Strides are products of the axes after the one of no length.
        let huge = from_bytes(&header(8, &[0, u32::MAX, u32::MAX, u32::MAX])).unwrap_err();
        assert!(
            huge.to_string().contains("more than a computer can hold"),
            "{huge}"
        );
        let scalar = from_bytes(&[header(8, &[]), vec![9]].concat()).unwrap();
        assert_eq!(scalar.to_scalar::<u8>().unwrap(), 9);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_bytes(&bytes);
        }

        #[test]
        fn arbitrary_headers_never_panic(
            code in 7u8..16,
            dims in proptest::collection::vec(prop_oneof![0u32..5, any::<u32>()], 0..6),
            data in proptest::collection::vec(any::<u8>(), 0..100),
            squeeze in any::<bool>(),
            cut in 0usize..20,
        ) {
            let mut bytes = [header(code, &dims), data].concat();
            if squeeze {
                bytes = gzip(&bytes);
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Ok(tensor) = from_bytes(&bytes) {
                prop_assert!(tensor.elem_count() <= 100);
            }
        }

        #[test]
        fn what_was_written_is_read(
            rows in 0usize..6, columns in 0usize..6, seed in any::<u8>(), squeeze in any::<bool>(),
        ) {
            let data: Vec<u8> = (0..rows * columns).map(|i| seed.wrapping_add(i as u8)).collect();
            let mut bytes = [header(8, &[rows as u32, columns as u32]), data.clone()].concat();
            if squeeze {
                bytes = gzip(&bytes);
            }
            let tensor = from_bytes(&bytes).unwrap();
            prop_assert_eq!(tensor.dims(), &[rows, columns]);
            prop_assert_eq!(tensor.flatten_all().unwrap().to_vec1::<u8>().unwrap(), data);
        }
    }
}
