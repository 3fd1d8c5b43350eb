//! Numbers in files whose headers aren't to be trusted.

use std::io::{self, Read};

/// A byte of a deflate stream stands for at most this many.
pub(crate) const MOST_PER_COMPRESSED_BYTE: u64 = 1032;

/// Whether a file that begins with these bytes is compressed by gzip.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads until the buffer is full or the stream ends.
pub(crate) fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// The rest of a stream: the elements, of `size` bytes each, of an array of these axes, and nothing after them.
///
/// `most` is how many bytes there can be; no more memory is taken, whatever the axes claim.
pub(crate) fn elements(
    mut stream: impl Read,
    dims: &[usize],
    size: usize,
    most: u64,
) -> Result<Vec<u8>, String> {
    // An axis of length 0 doesn't make the others harmless: strides are their products.
    let product = |dim: fn(usize) -> usize| {
        let mut dims = dims.iter().map(|&axis| dim(axis));
        dims.try_fold(size, usize::checked_mul)
    };
    let Some(size) = product(|dim| dim.max(1)).and(product(|dim| dim)) else {
        return Err(format!(
            "the header says shape {dims:?}, which is more than a computer can hold"
        ));
    };
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size.min(usize::try_from(most).unwrap_or(usize::MAX)))
        .map_err(|_| format!("the header says shape {dims:?}, for which there is not enough memory"))?;
    let broken = |error| broken(&error);
    stream
        .by_ref()
        .take(size as u64)
        .read_to_end(&mut bytes)
        .map_err(broken)?;
    if bytes.len() < size {
        return Err(format!(
            "cut short: the header says {size} bytes of data for shape {dims:?}, found {}",
            bytes.len()
        ));
    }
    // To the end, since that is where a checksum stands.
    if fill(&mut stream, &mut [0]).map_err(broken)? > 0 {
        return Err(format!(
            "too long: there is more than the {size} bytes of data for shape {dims:?}"
        ));
    }
    Ok(bytes)
}

/// What is wrong with a stream that can't be read on.
pub(crate) fn broken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "cut short: the compressed data ends too early".to_string(),
        _ => format!("can't be read: {error}"),
    }
}

/// Every N bytes as one element.
pub(crate) fn convert<const N: usize, T>(bytes: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| f(chunk)).collect()
}
