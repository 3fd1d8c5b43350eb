//! SHA-256 of a file's content, taken while its bytes go by.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::write::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// Takes a file's bytes; for a `.gz`, what they decompress to is what counts.
pub(super) enum ContentDigest {
    Plain(Hasher),
    Gz(Box<MultiGzDecoder<Hasher>>),
}

/// SHA-256 as a place to write to.
#[derive(Default)]
pub(super) struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ContentDigest {
    /// For a file of this name.
    pub(super) fn of(name: &Path) -> Self {
        match name.extension() {
            Some(extension) if extension == "gz" => {
                Self::Gz(Box::new(MultiGzDecoder::new(Hasher::default())))
            }
            _ => Self::Plain(Hasher::default()),
        }
    }

    /// Takes the next bytes; an error if they can't be the continuation of a `.gz`.
    pub(super) fn update(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(hasher) => hasher.write_all(bytes),
            Self::Gz(decoder) => decoder.write_all(bytes),
        }
    }

    /// The digest in hexadecimal; an error if a `.gz` stops before its end.
    pub(super) fn finish(self) -> io::Result<String> {
        let hasher = match self {
            Self::Plain(hasher) => hasher,
            Self::Gz(decoder) => decoder.finish()?,
        };
        Ok(hasher
            .0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// Takes a whole reader, and says how many bytes it gave.
    pub(super) fn read_from(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        let mut buffer = vec![0; 1 << 16];
        let mut total = 0;
        loop {
            let n = reader.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else {
                return Ok(total);
            };
            self.update(bytes)?;
            total += n as u64;
        }
    }
}

/// Whether the file at `path` exists and its content has this digest.
pub(super) fn is_right(path: &Path, sha256: &str) -> bool {
    let digest = || {
        let mut digest = ContentDigest::of(path);
        digest.read_from(&mut std::fs::File::open(path)?)?;
        digest.finish()
    };
    digest().is_ok_and(|found: String| found == sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_gz_counts_by_its_content_and_in_any_pieces() {
        for (name, bytes) in [
            ("a.txt", b"abc".to_vec()),
            ("a.gz", gz(b"abc")),
            ("two.gz", [gz(b"a"), gz(b"bc")].concat()),
        ] {
            for piece in [1, 5, 1000] {
                let mut digest = ContentDigest::of(Path::new(name));
                for part in bytes.chunks(piece) {
                    digest.update(part).unwrap();
                }
                assert_eq!(digest.finish().unwrap(), ABC, "{name} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_damaged_or_short_gz_is_an_error() {
        let mut short = ContentDigest::of(Path::new("a.gz"));
        let whole = gz(b"abc");
        short.update(&whole[..whole.len() - 4]).unwrap();
        assert!(short.finish().is_err());
        assert!(
            ContentDigest::of(Path::new("a.gz"))
                .update(b"<html>not found</html>")
                .is_err()
        );
    }
}
