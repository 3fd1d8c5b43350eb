//! A file's checksum, taken while its bytes go by.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::write::MultiGzDecoder;
use md5::Md5;
use sha2::{Digest, Sha256};

/// What a file must have, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Checksum<'a> {
    /// Of the content: of what a `.gz` decompresses to, since mirrors compress anew.
    Sha256(&'a str),
    /// Of the file as its publisher serves it: for files of which nothing better is stated.
    Md5(&'a str),
}

impl<'a> Checksum<'a> {
    pub(super) fn hex(self) -> &'a str {
        match self {
            Self::Sha256(hex) | Self::Md5(hex) => hex,
        }
    }
}

impl fmt::Display for Checksum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "SHA-256",
            Self::Md5(_) => "MD5",
        })
    }
}

/// Takes a file's bytes.
pub(super) enum FileDigest {
    Plain(Hasher),
    /// What they decompress to is what counts.
    Gz(Box<MultiGzDecoder<Hasher>>),
}

/// A checksum as a place to write to.
pub(super) enum Hasher {
    Sha256(Sha256),
    Md5(Md5),
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileDigest {
    /// For a file of this name, to be compared with this checksum.
    pub(super) fn of(name: &Path, checksum: Checksum<'_>) -> Self {
        let is_gz = name.extension().is_some_and(|extension| extension == "gz");
        match checksum {
            Checksum::Md5(_) => Self::Plain(Hasher::Md5(Md5::new())),
            Checksum::Sha256(_) if is_gz => {
                Self::Gz(Box::new(MultiGzDecoder::new(Hasher::Sha256(Sha256::new()))))
            }
            Checksum::Sha256(_) => Self::Plain(Hasher::Sha256(Sha256::new())),
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
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(match hasher {
            Hasher::Sha256(hasher) => hex(&hasher.finalize()),
            Hasher::Md5(hasher) => hex(&hasher.finalize()),
        })
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

/// Whether the file at `path` exists and has this checksum.
pub(super) fn is_right(path: &Path, checksum: Checksum<'_>) -> bool {
    let digest = || {
        let mut digest = FileDigest::of(path, checksum);
        digest.read_from(&mut std::fs::File::open(path)?)?;
        digest.finish()
    };
    digest().is_ok_and(|found: String| found == checksum.hex())
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
                let mut digest = FileDigest::of(Path::new(name), Checksum::Sha256(ABC));
                for part in bytes.chunks(piece) {
                    digest.update(part).unwrap();
                }
                assert_eq!(digest.finish().unwrap(), ABC, "{name} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn md5_is_that_of_the_bytes_as_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |name: &str, bytes: &[u8]| {
            let mut digest = FileDigest::of(Path::new(name), Checksum::Md5(""));
            digest.update(bytes).unwrap();
            digest.finish().unwrap()
        };
        // RFC 1321's example.
        assert_eq!(digest("a.txt", b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digest("a.gz", b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        let path = folder.path().join("a.gz");
        std::fs::write(&path, b"abc").unwrap();
        assert!(is_right(&path, Checksum::Md5("900150983cd24fb0d6963f7d28e17f72")));
        assert!(!is_right(
            &path,
            Checksum::Md5("900150983cd24fb0d6963f7d28e17f73")
        ));
        assert!(!is_right(&path, Checksum::Sha256(ABC)), "not a .gz");
    }

    #[test]
    fn a_damaged_or_short_gz_is_an_error() {
        let mut short = FileDigest::of(Path::new("a.gz"), Checksum::Sha256(ABC));
        let whole = gz(b"abc");
        short.update(&whole[..whole.len() - 4]).unwrap();
        assert!(short.finish().is_err());
        assert!(
            FileDigest::of(Path::new("a.gz"), Checksum::Sha256(ABC))
                .update(b"<html>not found</html>")
                .is_err()
        );
    }
}
