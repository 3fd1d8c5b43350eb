//! NumPy's files: `.npy`, and `.npz` archives of them.

use sconce_data::candle_core::Tensor;
use sconce_data::npy;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// What every array's file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads a file of these bytes: as an archive if it begins as one, else as arrays, one after the other, each by itself and all
/// in an archive, with the checksums that no fuzzer would guess. What must hold of each is asserted.
pub(crate) fn run(data: &[u8]) -> Result<(), String> {
    if data.starts_with(b"PK") {
        return read_npz(data).map(|_| ());
    }
    let starts = data
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == MAGIC);
    // What comes before the first belongs to it, which is wrong then.
    let mut starts: Vec<usize> = starts.map(|(start, _)| start).skip(1).collect();
    starts.push(data.len());
    let (mut files, mut start) = (Vec::new(), 0);
    for end in starts {
        files.push(&data[start..end]);
        start = end;
    }
    let mut alone = Vec::new();
    for file in &files {
        let read = read_npy(file);
        if let Ok(tensor) = &read {
            // Bytes become i16, and nothing more than twice as wide.
            assert!(tensor.elem_count() * tensor.dtype().size_in_bytes() <= 2 * file.len());
        }
        alone.push(read);
    }
    let together = read_npz(&archive(&files));
    let refused = alone.iter().find_map(|read| read.as_ref().err());
    assert_eq!(
        together.is_err(),
        refused.is_some(),
        "{together:?}, and alone: {alone:?}"
    );
    for (i, (array, alone)) in together.iter().flat_map(BTreeMap::values).zip(&alone).enumerate() {
        let alone = alone.as_ref().unwrap();
        assert_eq!(
            (array.dims(), array.dtype()),
            (alone.dims(), alone.dtype()),
            "array {i}"
        );
    }
    match refused {
        Some(error) => Err(error.clone()),
        None => Ok(()),
    }
}

fn archive(files: &[&[u8]]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (i, file) in files.iter().enumerate() {
        let method = if i % 2 == 0 {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{i:08}.npy"), options).unwrap();
        zip.write_all(file).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read_npy(data: &[u8]) -> Result<Tensor, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    npy::read(file.path()).map_err(|error| error.to_string())
}

fn read_npz(data: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    npy::read_npz(file.path()).map_err(|error| error.to_string())
}
