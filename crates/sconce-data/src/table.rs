//! Tables in CSV files.

mod column;
mod quotes;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, WithDType};
pub use column::Column;
use csv::{ReaderBuilder, StringRecord};
use quotes::{Quotes, Written};
use std::collections::BTreeSet;
use std::path::Path;

/// Options of [`Table::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// Whether the first line holds the columns' names.
    pub has_header: bool,
    /// What stands between two fields: a character of ASCII, neither a quote nor what ends a line.
    pub delimiter: u8,
}

impl Default for TableConfig {
    /// A first line of names, and commas.
    fn default() -> Self {
        Self {
            has_header: true,
            delimiter: b',',
        }
    }
}

impl TableConfig {
    /// Whether fields can be told apart by the delimiter; within a character beyond ASCII they can't.
    fn check(&self) -> Result<()> {
        let delimiter = self.delimiter;
        if delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\r' | b'\n') {
            return Ok(());
        }
        let value = format!("b'{}'", delimiter.escape_ascii());
        let expected = "a character of ASCII, neither a quote nor what ends a line";
        Err(Error::config("delimiter", value, expected))
    }
}

/// A table out of a CSV file, as text: its columns become numbers or classes when they are asked for.
///
/// Fields may be quoted as RFC 4180 has it: a quote counts as one at a field's very beginning. Blanks around a field
/// don't count, nor do lines that are empty or of blanks alone; blanks within quotes do, but for numbers. Lines end by LF, CRLF
/// or CR.
///
/// # Shapes
/// [`numbers`](Self::numbers) gives `[rows, columns]`, [`number`](Self::number) and [`classes`](Self::classes) give `[rows]`
///
/// # Errors
/// `read`: a delimiter that can't be one; the file can't be read, isn't UTF-8, has a quote that is never closed or text after a
/// closing one, rows of different lengths or none at all. The others: there is no such column, or a field isn't a number of the
/// type. Messages have path, line and column.
///
/// # Example
/// ```
/// use sconce_data::{Dataset, Table, TableConfig, TensorDataset, candle_core::DType};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("iris.csv");
/// std::fs::write(&path, "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n").unwrap();
///
/// let table = Table::read(&path, &TableConfig::default())?;
/// let features = table.numbers(&["length", "width"], DType::F32)?;
/// let (target, names) = table.classes("species")?;
/// assert_eq!(names, ["setosa", "versicolor"]);
/// assert_eq!(target.to_vec1::<u32>()?, [0, 1, 0]);
/// assert_eq!(TensorDataset::new(&features, &target)?.len(), 3);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    path: String,
    names: Option<Vec<String>>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    line: u64,
    fields: StringRecord,
}

impl Table {
    /// Reads a CSV file.
    pub fn read(path: impl AsRef<Path>, cfg: &TableConfig) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Error::file(&name, error.to_string()))?;
        Self::parse(&bytes, cfg, name)
    }

    fn parse(bytes: &[u8], cfg: &TableConfig, path: String) -> Result<Self> {
        cfg.check()?;
        // Marks of the encoding, which some editors put first, are no part of a field.
        let mut bytes = bytes;
        while let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
            bytes = rest;
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(cfg.delimiter)
            .flexible(true)
            .from_reader(bytes);
        let mut quotes = Quotes::new(bytes, cfg.delimiter);
        let (mut rows, mut fields, mut written) = (Vec::<Row>::new(), StringRecord::new(), Vec::new());
        loop {
            let line = quotes
                .row(&mut written)
                .map_err(|problem| Error::file(&path, problem))?;
            match reader.read_record(&mut fields) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => return Err(Error::file(&path, unreadable(line, &error))),
            }
            if let ([Written::Bare], Some(field)) = (written.as_slice(), fields.get(0))
                && Written::Bare.trimmed(field).is_empty()
            {
                continue;
            }
            if let Some(first) = rows.first().filter(|first| first.fields.len() != fields.len()) {
                let expected = format!("{} as in line {}", first.fields.len(), first.line);
                let problem = format!("line {line}: {} fields, expected {expected}", fields.len());
                return Err(Error::file(&path, problem));
            }
            let mut row = StringRecord::with_capacity(fields.as_slice().len(), fields.len());
            for (field, written) in fields.iter().zip(&written) {
                row.push_field(written.trimmed(field));
            }
            rows.push(Row { line, fields: row });
        }
        let names = if cfg.has_header && !rows.is_empty() {
            Some(rows.remove(0).fields.iter().map(str::to_string).collect())
        } else {
            None
        };
        if rows.is_empty() {
            let problem = match names {
                Some(_) => "holds no rows but the names in its first line",
                None => "is empty: expected rows of fields",
            };
            return Err(Error::file(&path, problem));
        }
        Ok(Self { path, names, rows })
    }

    /// The number of rows, without that of names.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// The number of columns.
    pub fn num_columns(&self) -> usize {
        self.rows.first().map_or(0, |row| row.fields.len())
    }

    /// The columns' names, if the first line holds them.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// A column's fields as they are in the file.
    pub fn text<'a>(&self, column: impl Into<Column<'a>>) -> Result<Vec<&str>> {
        let index = self.index(column.into())?;
        Ok(self.fields(index).collect())
    }

    /// Columns of numbers side by side, of any type but half precision, on the CPU.
    ///
    /// Numbers of floating point must be finite; whole ones must fit their type. An empty field is no number.
    pub fn numbers<'a, C>(&self, columns: &[C], dtype: DType) -> Result<Tensor>
    where
        C: Into<Column<'a>> + Clone,
    {
        let indices = columns.iter().map(|column| self.index(column.clone().into()));
        let indices = indices.collect::<Result<Vec<_>>>()?;
        if indices.is_empty() {
            return Err(Error::config("columns", "empty", "at least one column"));
        }
        match dtype {
            DType::F32 => self.typed(&indices, "finite number", |field| {
                field.parse().ok().filter(|value: &f32| value.is_finite())
            }),
            DType::F64 => self.typed(&indices, "finite number", |field| {
                field.parse().ok().filter(|value: &f64| value.is_finite())
            }),
            DType::U8 => self.typed(&indices, "whole number from 0 to 255", |field| {
                field.parse::<u8>().ok()
            }),
            DType::U32 => self.typed(&indices, "whole number from 0 to 4294967295", |field| {
                field.parse::<u32>().ok()
            }),
            DType::I16 => self.typed(&indices, "whole number of 16 bits", |field| {
                field.parse::<i16>().ok()
            }),
            DType::I32 => self.typed(&indices, "whole number of 32 bits", |field| {
                field.parse::<i32>().ok()
            }),
            DType::I64 => self.typed(&indices, "whole number of 64 bits", |field| {
                field.parse::<i64>().ok()
            }),
            other => {
                let expected = "F32, F64, U8, U32, I16, I32 or I64";
                Err(Error::config("dtype", format!("{other:?}"), expected))
            }
        }
    }

    /// One column of numbers, as [`numbers`](Self::numbers) has them, without the columns' axis.
    pub fn number<'a>(&self, column: impl Into<Column<'a>>, dtype: DType) -> Result<Tensor> {
        Ok(self.numbers(&[column.into()], dtype)?.squeeze(1)?)
    }

    /// A column of categories as class numbers, `u32` on the CPU, and the categories in sorted order, which the numbers
    /// count.
    pub fn classes<'a>(&self, column: impl Into<Column<'a>>) -> Result<(Tensor, Vec<String>)> {
        let index = self.index(column.into())?;
        let sorted: BTreeSet<&str> = self.fields(index).collect();
        let sorted: Vec<&str> = sorted.into_iter().collect();
        let class = |field| sorted.binary_search(&field).unwrap_or_default() as u32;
        let classes: Vec<u32> = self.fields(index).map(class).collect();
        let rows = classes.len();
        let names = sorted.into_iter().map(str::to_string).collect();
        Ok((Tensor::from_vec(classes, rows, &Device::Cpu)?, names))
    }

    fn typed<T: WithDType>(
        &self,
        indices: &[usize],
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Tensor> {
        let mut values = Vec::with_capacity(self.rows.len() * indices.len());
        for row in &self.rows {
            for &index in indices {
                let field = row.fields.get(index).unwrap_or_default();
                values.push(parse(field.trim()).ok_or_else(|| {
                    let name = self.names.as_ref().and_then(|names| names.get(index));
                    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
                    let place = format!("line {}, column {}{name}", row.line, index + 1);
                    Error::file(&self.path, format!("{place}: {field:?} is no {expected}"))
                })?);
            }
        }
        Ok(Tensor::from_vec(
            values,
            (self.rows.len(), indices.len()),
            &Device::Cpu,
        )?)
    }

    /// A column's fields.
    fn fields(&self, index: usize) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .map(move |row| row.fields.get(index).unwrap_or_default())
    }

    /// Where a column stands.
    fn index(&self, column: Column<'_>) -> Result<usize> {
        let error = |problem| Err(Error::file(&self.path, problem));
        match (column, &self.names) {
            (Column::Index(index), _) if index < self.num_columns() => Ok(index),
            (Column::Index(index), _) => error(format!(
                "has no column {index}: there are {}, from 0",
                self.num_columns()
            )),
            (Column::Name(name), None) => error(format!(
                "has no column {name:?}: it was read without names; columns go by their index"
            )),
            (Column::Name(name), Some(names)) => {
                let mut found = names.iter().enumerate().filter(|(_, other)| *other == name);
                match (found.next(), found.next()) {
                    (Some((index, _)), None) => Ok(index),
                    (Some((first, _)), Some((second, _))) => error(format!(
                        "has two columns {name:?}, {first} and {second}: take one by its index"
                    )),
                    (None, _) => error(format!(
                        "has no column {name:?}, expected one of {}",
                        names.join(", ")
                    )),
                }
            }
        }
    }
}

/// What the reader found wrong in the row that begins in this line.
fn unreadable(line: u64, error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => {
            format!("line {line}, column {}: isn't UTF-8", err.field() + 1)
        }
        _ => error.to_string(),
    }
}
