//! Where a CSV file's fields are quoted.
//!
//! The reader says neither which fields were quoted nor that a quote isn't closed: it takes the rest of the file for a field.
//! So the bytes are gone through once more, as it goes through them: what ends a field, a quote doubled within quotes, a
//! quote that counts only at a field's beginning.

const QUOTE: u8 = b'"';

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Without quotes: blanks around it don't count.
    Bare,
    /// In quotes, with this many blanks after the closing one, which the reader takes for the field's.
    Quoted { blanks_after: usize },
}

impl Written {
    /// The field without the blanks that don't count.
    pub(super) fn trimmed(self, field: &str) -> &str {
        match self {
            Self::Bare => field.trim(),
            Self::Quoted { blanks_after } => {
                let end = field.len().saturating_sub(blanks_after);
                field.get(..end).unwrap_or(field)
            }
        }
    }
}

/// A walk over a file's bytes, row by row.
#[derive(Debug)]
pub(super) struct Quotes<'a> {
    rest: &'a [u8],
    delimiter: u8,
    /// That of the first of `rest`, from 1.
    line: u64,
}

impl<'a> Quotes<'a> {
    pub(super) fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        Self {
            rest: bytes,
            delimiter,
            line: 1,
        }
    }

    /// How the fields of the next row are written, into `fields`, and the line that the row begins in; after the last row,
    /// no fields.
    ///
    /// # Errors
    /// What is wrong with a quote.
    pub(super) fn row(&mut self, fields: &mut Vec<Written>) -> Result<u64, String> {
        fields.clear();
        // What ended the row before is passed over along with empty lines.
        self.skip_while(ends_row);
        let line = self.line;
        while !self.rest.is_empty() || !fields.is_empty() {
            fields.push(self.field(fields.len() + 1)?);
            if self.rest.first() != Some(&self.delimiter) {
                break;
            }
            self.skip(1);
        }
        Ok(line)
    }

    /// Passes over a field, up to what ends it.
    fn field(&mut self, column: usize) -> Result<Written, String> {
        let delimiter = self.delimiter;
        if self.rest.first() != Some(&QUOTE) {
            self.skip_while(|byte| byte != delimiter && !ends_row(byte));
            return Ok(Written::Bare);
        }
        let opened = self.line;
        // A quote doubled closes the field and opens it again.
        while self.rest.first() == Some(&QUOTE) {
            self.skip(1);
            self.skip_while(|byte| byte != QUOTE);
            if self.rest.is_empty() {
                return Err(format!(
                    "line {opened}, column {column}: the quote is never closed"
                ));
            }
            self.skip(1);
        }
        let blanks_after = self.skip_while(|byte| matches!(byte, b' ' | b'\t') && byte != delimiter);
        match self.rest.first() {
            Some(&byte) if byte != delimiter && !ends_row(byte) => {
                let (line, delimiter) = (self.line, char::from(delimiter));
                Err(format!(
                    "line {line}, column {column}: text after the quote that closes the one opened in line {opened}, expected \
                     {delimiter:?} or the line's end"
                ))
            }
            _ => Ok(Written::Quoted { blanks_after }),
        }
    }

    /// Passes over the bytes up to the first that doesn't fit: how many they are.
    fn skip_while(&mut self, fits: impl Fn(u8) -> bool) -> usize {
        let end = self.rest.iter().position(|&byte| !fits(byte));
        let count = end.unwrap_or(self.rest.len());
        self.skip(count);
        count
    }

    fn skip(&mut self, count: usize) {
        let (passed, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        // CRLF counts by its LF, a CR without one by itself.
        let next = passed.iter().skip(1).chain(rest.first()).map(Some).chain([None]);
        let ends =
            |&(&byte, next): &(&u8, Option<&u8>)| byte == b'\n' || (byte == b'\r' && next != Some(&b'\n'));
        self.line += passed.iter().zip(next).filter(ends).count() as u64;
        self.rest = rest;
    }
}

fn ends_row(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
