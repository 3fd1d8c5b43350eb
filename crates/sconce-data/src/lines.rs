//! Text, line by line.

use crate::{Error, Result};
use std::path::Path;

/// Reads a text file's lines, without their ends (`\n` or `\r\n`); empty lines count.
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
    let bytes = std::fs::read(path).map_err(|error| Error::file(&name, error.to_string()))?;
    parse(&bytes).map_err(|problem| Error::file(&name, problem))
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
