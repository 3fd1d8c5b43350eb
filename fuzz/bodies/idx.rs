//! IDX files, raw and compressed.

use flate2::{Compression, write::GzEncoder};
use sconce_data::candle_core::Tensor;
use sconce_data::idx;
use std::io::Write;

/// Reads a file of these bytes; what must hold of each that is read, or refused, is asserted.
pub(crate) fn run(data: &[u8]) -> Result<(), String> {
    let read = read(data);
    if !data.starts_with(&[0x1f, 0x8b]) {
        if let Ok(tensor) = &read {
            let size = data.len() - 4 - 4 * tensor.rank();
            // Signed bytes become i16.
            let width = if data[2] == 9 {
                1
            } else {
                tensor.dtype().size_in_bytes()
            };
            assert_eq!(tensor.elem_count() * width, size, "{:?}", tensor.dims());
        }
        // The same file in a stream of gzip, whose checksum no fuzzer would guess.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(data).unwrap();
        let packed = self::read(&gzip.finish().unwrap());
        let dims = |read: &Result<Tensor, String>| read.as_ref().ok().map(|tensor| tensor.dims().to_vec());
        assert_eq!(dims(&packed), dims(&read), "{read:?}, and packed: {packed:?}");
    }
    read.map(|_| ())
}

fn read(data: &[u8]) -> Result<Tensor, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    idx::read(file.path()).map_err(|error| error.to_string())
}
