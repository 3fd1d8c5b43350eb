//! Text for people: what commands print.

use std::io::Write;

/// Prints a line to standard output at once. A reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Makes sure that a result can be written there, before minutes are spent on it.
pub(crate) fn check_writable(path: &std::path::Path) -> Result<(), String> {
    let existed = path.exists();
    let fail = |error| format!("{}: {error}", path.display());
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).open(path).map_err(fail)?;
    if existed {
        Ok(())
    } else {
        std::fs::remove_file(path).map_err(fail)
    }
}

/// Prints `error: …` to standard error, as one line whatever the message holds.
pub(crate) fn error_line(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {}", one_line(message));
}

/// Joins the lines of a message with `; `.
pub(crate) fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join("; ")
}

/// How a column of a table is set.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Lays rows out in columns as wide as their widest cell; the first row is the head.
pub(crate) fn table(columns: &[Align], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|c| c.chars().count())
            .max()
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (align, cell)) in columns.iter().zip(row).enumerate() {
            let fill = " ".repeat(width(column).unwrap_or(0) - cell.chars().count());
            match align {
                Align::Left => line.extend([cell, fill.as_str(), "  "]),
                Align::Right => line.extend([fill.as_str(), cell, "  "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes in the unit that a person would choose.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        c if c < 1e3 => format!("{c} B"),
        c if c < 1e6 => format!("{:.1} kB", c / 1e3),
        c if c < 1e9 => format!("{:.1} MB", c / 1e6),
        c => format!("{:.1} GB", c / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        assert_eq!(one_line("a\n  b\n\nc\n"), "a; b; c");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["name".into(), "ms".into()], vec!["a".into(), "12.5".into()]];
        assert_eq!(
            table(&[Align::Left, Align::Right], &rows),
            "name    ms\na     12.5\n"
        );
    }

    #[test]
    fn bytes_have_a_fitting_unit() {
        for (count, text) in [
            (7, "7 B"),
            (28_881, "28.9 kB"),
            (9_912_422, "9.9 MB"),
            (2_000_000_000, "2.0 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
