//! An array's header.

use crate::bytes::{broken, fill};
use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// What NumPy allows an array.
const MOST_AXES: usize = 64;
/// Far more than 64 axes and a name need; without it a header could be as long as the file.
const MOST_HEADER: u64 = 1 << 20;
/// Elements begin at a multiple of this.
const ALIGNMENT: usize = 64;

type Result<T> = std::result::Result<T, String>;

#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Of an array in row-major order.
    pub(super) fn new(descr: &str, shape: &[usize]) -> Self {
        Self {
            descr: descr.to_string(),
            fortran_order: false,
            shape: shape.to_vec(),
        }
    }

    /// Everything before the elements, as version 1.0.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let axes: String = self.shape.iter().map(|axis| format!("{axis}, ")).collect();
        // A tuple of one has a comma after it, others needn't.
        let axes = match self.shape.len() {
            1 => axes.trim_end(),
            _ => axes.trim_end_matches(", "),
        };
        let order = if self.fortran_order { "True" } else { "False" };
        let mut text = format!(
            "{{'descr': '{}', 'fortran_order': {order}, 'shape': ({axes}), }}",
            self.descr
        );
        let before = MAGIC.len() + 4;
        let end = (before + text.len() + 1).next_multiple_of(ALIGNMENT);
        while before + text.len() + 1 < end {
            text.push(' ');
        }
        text.push('\n');
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        [MAGIC.as_slice(), &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
    }

    /// Reads a stream, of at most `most` bytes, up to the elements.
    pub(super) fn read(stream: &mut impl Read, most: u64) -> Result<Self> {
        let mut start = [0; 8];
        let got = fill(stream, &mut start).map_err(|error| broken(&error))?;
        let magic = start.get(..got.min(MAGIC.len())).unwrap_or_default();
        if magic != MAGIC {
            return Err(format!(
                "not an .npy file: expected it to begin with {MAGIC:?}, found {magic:?}"
            ));
        }
        let [.., major, minor] = start;
        let length = match (major, minor) {
            _ if got < start.len() => Err(format!("cut short: expected a version, found {got} bytes")),
            (1, 0) => {
                let mut length = [0; 2];
                read_exact(stream, &mut length)?;
                Ok(u64::from(u16::from_le_bytes(length)))
            }
            (2 | 3, 0) => {
                let mut length = [0; 4];
                read_exact(stream, &mut length)?;
                Ok(u64::from(u32::from_le_bytes(length)))
            }
            _ => Err(format!("is of version {major}.{minor}, expected 1.0, 2.0 or 3.0")),
        }?;
        if length > most.min(MOST_HEADER) {
            let most = most.min(MOST_HEADER);
            return Err(format!(
                "says its header is of {length} bytes, expected at most {most}"
            ));
        }
        let mut text = vec![0; length as usize];
        read_exact(stream, &mut text)?;
        // Versions 1 and 2 are Latin-1, but the names that differ are those of records, which aren't read.
        let text = String::from_utf8_lossy(&text);
        Parser { rest: text.trim() }.header().map_err(|problem| {
            format!(
                "has a header that can't be read: {problem}, in {:?}",
                shown(&text)
            )
        })
    }
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    const MOST: usize = 120;
    match text.trim().char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.trim().get(..end).unwrap_or_default()),
        None => text.trim().to_string(),
    }
}

fn read_exact(stream: &mut impl Read, buffer: &mut [u8]) -> Result<()> {
    let got = fill(stream, buffer).map_err(|error| broken(&error))?;
    match got < buffer.len() {
        true => Err(format!(
            "cut short: expected {} bytes of header, found {got}",
            buffer.len()
        )),
        false => Ok(()),
    }
}

/// Reads the dictionary's literal, and no other Python.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn header(mut self) -> Result<Header> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.take("}") {
            let key = self.string()?;
            self.expect(":")?;
            match key {
                "descr" if self.rest.starts_with('[') => {
                    return Err(
                        "'descr' is a list, as of an array of records: expected an array of numbers".into(),
                    );
                }
                "descr" => descr = Some(self.string()?.to_string()),
                "fortran_order" => fortran_order = Some(self.truth()?),
                "shape" => shape = Some(self.shape()?),
                other => {
                    return Err(format!(
                        "{other:?} is none of 'descr', 'fortran_order' and 'shape'"
                    ));
                }
            }
            if !self.take(",") && !self.rest.starts_with('}') {
                return Err(format!("expected a comma after {key:?}"));
            }
        }
        if !self.rest.is_empty() {
            return Err("there is more after the dictionary".into());
        }
        Ok(Header {
            descr: descr.ok_or("'descr' is missing")?,
            fortran_order: fortran_order.ok_or("'fortran_order' is missing")?,
            shape: shape.ok_or("'shape' is missing")?,
        })
    }

    /// Whether this comes next; if so, it and the space after it are taken.
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("expected {token:?}")),
        }
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => quote,
            _ => return Err("expected a string".into()),
        };
        let inside = self.rest.get(1..).unwrap_or_default();
        let (string, rest) = inside.split_once(quote).ok_or("a string has no end")?;
        self.rest = rest.trim_start();
        Ok(string)
    }

    fn truth(&mut self) -> Result<bool> {
        if self.take("True") {
            Ok(true)
        } else {
            self.expect("False")
                .map(|()| false)
                .map_err(|_| "expected True or False".into())
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            let digits = self.rest.find(|c: char| !c.is_ascii_digit());
            let (number, rest) = self.rest.split_at(digits.unwrap_or(self.rest.len()));
            shape.push(
                number
                    .parse()
                    .map_err(|_| format!("an axis is {number:?}, expected a whole number"))?,
            );
            if shape.len() > MOST_AXES {
                return Err(format!("there are more than {MOST_AXES} axes"));
            }
            // Python 2 wrote long integers with an L.
            self.rest = rest.strip_prefix('L').unwrap_or(rest).trim_start();
            if !self.take(",") && !self.rest.starts_with(')') {
                return Err("expected a comma between axes".into());
            }
        }
        Ok(shape)
    }
}
