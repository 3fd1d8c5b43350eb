//! Tables in CSV files.

use sconce_data::candle_core::DType;
use sconce_data::{Table, TableConfig};
use std::io::Write;

/// Columns that are looked at one by one; a line of commas has thousands.
const MOST_COLUMNS: usize = 8;

/// Reads a file of these bytes, with every option; what must hold of each table is asserted. The outcome is that of a table
/// with names in its first line and commas, which must have a number in its first column.
pub(crate) fn run(data: &[u8]) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    let mut outcomes = Vec::new();
    for (has_header, delimiter) in [
        (true, b','),
        (false, b','),
        (false, b'\t'),
        (true, b' '),
        (false, b';'),
    ] {
        let cfg = TableConfig {
            has_header,
            delimiter,
        };
        let table = Table::read(file.path(), &cfg).map_err(|error| error.to_string());
        outcomes.push(table.and_then(|table| look_at(&table)));
    }
    outcomes.swap_remove(0)
}

/// Whether the first column is of numbers.
fn look_at(table: &Table) -> Result<(), String> {
    let (rows, columns) = (table.num_rows(), table.num_columns());
    assert!(rows > 0 && columns > 0);
    if let Some(names) = table.names() {
        assert_eq!(names.len(), columns);
        for name in names.iter().take(MOST_COLUMNS) {
            // An error where two columns have this name.
            _ = table.number(name, DType::F64);
        }
    }
    for column in 0..columns.min(MOST_COLUMNS) {
        let text = table.text(column).unwrap();
        let (classes, names) = table.classes(column).unwrap();
        let classes = classes.to_vec1::<u32>().unwrap();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(
            text.iter()
                .eq(classes.iter().map(|&class| &names[class as usize]))
        );
        for dtype in [
            DType::F32,
            DType::F64,
            DType::U8,
            DType::U32,
            DType::I16,
            DType::I32,
            DType::I64,
            DType::F16,
        ] {
            if let Ok(numbers) = table.number(column, dtype) {
                assert_eq!((numbers.dims(), numbers.dtype()), (&[rows][..], dtype));
            }
        }
    }
    assert!(table.text(columns).is_err());
    let all: Vec<usize> = (0..columns).collect();
    if let Ok(numbers) = table.numbers(&all, DType::F64) {
        assert_eq!(numbers.dims(), [rows, columns]);
    }
    table
        .number(0, DType::F64)
        .map(|_| ())
        .map_err(|error| error.to_string())
}
