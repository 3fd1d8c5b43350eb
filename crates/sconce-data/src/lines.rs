//! Text, line by line.

use crate::bytes::{broken, is_gzip};
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::path::Path;

/// Reads a text file's lines, without their ends (`\n` or `\r\n`); empty lines count.
///
/// A file compressed by gzip, which its content tells, is decompressed.
///
/// # Errors
/// The file can't be read, isn't UTF-8 (the message has line and column), or holds no line.
///
/// # Example
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("names.txt");
/// std::fs::write(&path, "Ada\nZoë\n").unwrap();
/// assert_eq!(sconce_data::read_lines(&path)?, ["Ada", "Zoë"]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read_lines(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let mut bytes = std::fs::read(path).map_err(|error| Error::file(&name, error.to_string()))?;
    if is_gzip(&bytes) {
        let mut content = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut content)
            .map_err(|error| Error::file(&name, broken(&error)))?;
        bytes = content;
    }
    parse(&bytes).map_err(|problem| Error::file(&name, problem))
}

/// Reads two text files whose lines belong together, as sentences and their translations do.
///
/// # Errors
/// Those of [`read_lines`]; the files differ in their number of lines.
///
/// # Example
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// let (german, english) = (folder.path().join("a.de"), folder.path().join("a.en"));
/// std::fs::write(&german, "Guten Tag\nDanke\n").unwrap();
/// std::fs::write(&english, "Good day\nThank you\n").unwrap();
/// let pairs = sconce_data::read_line_pairs(&german, &english)?;
/// assert_eq!(pairs[1], ("Danke".to_string(), "Thank you".to_string()));
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read_line_pairs(first: impl AsRef<Path>, second: impl AsRef<Path>) -> Result<Vec<(String, String)>> {
    let (first, second) = (first.as_ref(), second.as_ref());
    let (a, b) = (read_lines(first)?, read_lines(second)?);
    if a.len() != b.len() {
        return Err(Error::Count {
            features: a.len(),
            feature_name: format!("lines in {}", first.display()),
            targets: b.len(),
            target_name: format!("lines in {}", second.display()),
        });
    }
    Ok(a.into_iter().zip(b).collect())
}

fn parse(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
    let text = match std::str::from_utf8(bytes) {
        // Some editors begin a file with a mark of its encoding.
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let last = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
            let column = String::from_utf8_lossy(last).chars().count() + 1;
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            return Err(format!(
                "line {line}, column {column}: byte {byte:#04x} isn't UTF-8"
            ));
        }
    };
    match text.is_empty() {
        true => Err("is empty: expected lines of text".into()),
        false => Ok(text.lines().map(str::to_string).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn lines_may_be_compressed_and_go_together() {
        let folder = tempfile::tempdir().unwrap();
        let (packed, plain) = (folder.path().join("a.gz"), folder.path().join("b"));
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(b"a\nb\n").unwrap();
        let gz = gz.finish().unwrap();
        std::fs::write(&packed, &gz).unwrap();
        std::fs::write(&plain, "1\n2\n").unwrap();
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(
            read_line_pairs(&packed, &plain).unwrap(),
            [pair("a", "1"), pair("b", "2")]
        );
        std::fs::write(&plain, "1\n2\n3\n").unwrap();
        let error = read_line_pairs(&packed, &plain).unwrap_err().to_string();
        assert!(
            error.contains("2 lines in ") && error.contains("but 3 lines in ") && error.contains("/a.gz"),
            "{error}"
        );
        std::fs::write(&packed, &gz[..gz.len() - 6]).unwrap();
        let error = read_lines(&packed).unwrap_err().to_string();
        assert!(
            error.ends_with("/a.gz: cut short: the compressed data ends too early"),
            "{error}"
        );
    }

    #[test]
    fn lines_end_in_either_way() {
        let cases: [(&[u8], &[&str]); 4] = [
            (b"a\r\n\r\nb", &["a", "", "b"]),
            (b"a\nb\n", &["a", "b"]),
            (b"\n", &[""]),
            ("\u{feff}é b".as_bytes(), &["é b"]),
        ];
        for (bytes, lines) in cases {
            assert_eq!(parse(bytes).unwrap(), lines);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse(b"").unwrap_err(), "is empty: expected lines of text");
        assert_eq!(
            parse(b"\xef\xbb\xbf").unwrap_err(),
            "is empty: expected lines of text"
        );
        let error = parse(b"a\n\xc3\xa9b\xffc\n").unwrap_err();
        assert_eq!(error, "line 2, column 3: byte 0xff isn't UTF-8");
        let error = read_lines("/no/such/file").unwrap_err().to_string();
        assert!(error.starts_with("/no/such/file: "), "{error}");
    }
}
