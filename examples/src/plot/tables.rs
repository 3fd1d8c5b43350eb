//! Numbers in cells, or cells as dark as their numbers.

use super::{Canvas, FONT, colour, drawing, picture};
use crate::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// Numbers in rows and columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Above it.
    pub title: String,
    /// Row by row; the cell of a NaN is empty.
    pub values: Vec<f32>,
    /// Cells in a row.
    pub columns: usize,
    /// Cells that stand out, each with the number of its colour.
    pub marked: Vec<(usize, usize)>,
    /// What stands between it and the next table.
    pub sign: &'static str,
}

/// Tables side by side.
#[derive(Debug, Clone)]
pub struct Line {
    /// Above them.
    pub title: String,
    /// From the left to the right.
    pub tables: Vec<Table>,
    /// The side of a cell, in pixels.
    pub cell: u32,
    /// How a cell shows its number.
    pub look: Look,
}

/// How a cell shows its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// In digits, with two decimals at most.
    Numbers,
    /// From black for 0 and less to white for the table's greatest.
    Grey,
    /// From red for negative ones over white to blue for positive ones, at their fullest for the table's greatest absolute
    /// value.
    Signed,
}

const MARGIN: i32 = 18;
const TITLE: i32 = 34;
const TABLE_TITLE: i32 = 24;
const GAP: i32 = 14;
const SIGN_GAP: i32 = 62;
/// About the width of a letter of a title.
const LETTER: i32 = 9;

impl Table {
    fn columns(&self) -> usize {
        self.columns.max(1)
    }

    fn width(&self, cell: i32) -> i32 {
        self.columns() as i32 * cell
    }

    fn height(&self, cell: i32) -> i32 {
        self.values.len().div_ceil(self.columns()) as i32 * cell
    }

    fn gap(&self) -> i32 {
        if self.sign.is_empty() { GAP } else { SIGN_GAP }
    }

    fn titled(&self) -> i32 {
        if self.title.is_empty() { 0 } else { TABLE_TITLE }
    }
}

impl Line {
    fn titled(&self) -> i32 {
        if self.title.is_empty() { 0 } else { TITLE }
    }

    /// The height of the tables and that of their titles.
    fn heights(&self) -> (i32, i32) {
        let tables = self.tables.iter().map(|table| table.height(self.cell as i32));
        let titles = self.tables.iter().map(Table::titled);
        (tables.max().unwrap_or(0), titles.max().unwrap_or(0))
    }

    fn size(&self) -> (i32, i32) {
        let tables = self.tables.iter();
        let width: i32 = tables
            .map(|table| table.width(self.cell as i32) + table.gap())
            .sum();
        let (tables, titles) = self.heights();
        let least = self.title.chars().count() as i32 * LETTER;
        (width.max(least) + 2 * MARGIN, TITLE + titles + tables + MARGIN)
    }
}

/// Draws lines of tables into a PNG, `columns` of them beside each other.
///
/// # Errors
/// The file can't be written.
pub fn tables(path: &Path, lines: &[Line], columns: usize) -> Result<()> {
    let columns = columns.max(1);
    let width = lines.iter().map(|line| line.size().0).max().unwrap_or(1);
    let rows: Vec<_> = lines.chunks(columns).collect();
    let height_of = |row: &&[Line]| row.iter().map(|line| line.size().1).max().unwrap_or(0);
    let height: i32 = rows.iter().map(height_of).sum();
    let size = (width * columns as i32, (height + MARGIN).max(1));
    picture(path, (size.0 as u32, size.1 as u32), |area| {
        let mut top = MARGIN / 2;
        for row in &rows {
            for (i, line) in (0..).zip(*row) {
                draw_line(area, line, (i * width + MARGIN, top))?;
            }
            top += height_of(row);
        }
        Ok(())
    })
}

fn draw_line(area: &DrawingArea<Canvas<'_>, Shift>, line: &Line, (left, top): (i32, i32)) -> Result<()> {
    let cell = line.cell as i32;
    let (tables, titles) = line.heights();
    text(area, &line.title, 19, HPos::Left, (left, top + TITLE / 2))?;
    let middle = top + line.titled() + titles + tables / 2;
    let mut x = left;
    for (i, table) in line.tables.iter().enumerate() {
        let (width, y) = (table.width(cell), middle - table.height(cell) / 2);
        let above = (x + width / 2, y - TABLE_TITLE / 2);
        text(area, &table.title, 15, HPos::Center, above)?;
        draw_cells(area, table, line, (x, y))?;
        x += width;
        if i + 1 < line.tables.len() {
            text(area, table.sign, 19, HPos::Center, (x + table.gap() / 2, middle))?;
        }
        x += table.gap();
    }
    Ok(())
}

fn draw_cells(
    area: &DrawingArea<Canvas<'_>, Shift>,
    table: &Table,
    line: &Line,
    (left, top): (i32, i32),
) -> Result<()> {
    let cell = line.cell as i32;
    let most = match line.look {
        Look::Signed => table.values.iter().fold(0f32, |most, v| most.max(v.abs())),
        _ => table.values.iter().fold(0f32, |most, v| most.max(*v)),
    };
    let corners = |i: usize| {
        let (row, column) = ((i / table.columns()) as i32, (i % table.columns()) as i32);
        let (x, y) = (left + column * cell, top + row * cell);
        [(x, y), (x + cell, y + cell)]
    };
    for (i, &value) in table.values.iter().enumerate() {
        let [corner, opposite] = corners(i);
        area.draw(&Rectangle::new(
            [corner, opposite],
            shade(line.look, value, most).filled(),
        ))
        .map_err(drawing)?;
        if let Some(&(_, kind)) = table.marked.iter().find(|(marked, _)| *marked == i) {
            let fill = colour(kind).mix(0.28).filled();
            area.draw(&Rectangle::new([corner, opposite], fill))
                .map_err(drawing)?;
        }
        if line.look == Look::Numbers {
            let border = Rectangle::new([corner, opposite], BLACK.mix(0.45));
            area.draw(&border).map_err(drawing)?;
            let centre = (corner.0 + cell / 2, corner.1 + cell / 2);
            let number = number(value);
            // A long one is written smaller.
            let parts = if number.chars().count() > 3 { 7 } else { 10 };
            text(area, &number, cell * parts / 20, HPos::Center, centre)?;
        }
    }
    if line.look != Look::Numbers {
        let opposite = (left + table.width(cell), top + table.height(cell));
        let frame = Rectangle::new([(left, top), opposite], BLACK.mix(0.45));
        area.draw(&frame).map_err(drawing)?;
    }
    Ok(())
}

/// An empty string for a NaN.
fn number(value: f32) -> String {
    if value.is_nan() {
        return String::new();
    }
    // Adding 0 makes -0 a 0.
    let rounded = (value * 100.).round() / 100. + 0.;
    rounded.to_string().replace('-', "\u{2212}")
}

fn shade(look: Look, value: f32, most: f32) -> RGBColor {
    let part = if most > 0. { value / most } else { 0. };
    let byte = |v: f32| (v.clamp(0., 1.) * 255.) as u8;
    match look {
        Look::Numbers => WHITE,
        Look::Grey => RGBColor(byte(part), byte(part), byte(part)),
        Look::Signed if part < 0. => RGBColor(byte(1. + 0.16 * part), byte(1. + part), byte(1. + part)),
        Look::Signed => RGBColor(byte(1. - part), byte(1. - 0.6 * part), byte(1. - 0.3 * part)),
    }
}

fn text(
    area: &DrawingArea<Canvas<'_>, Shift>,
    text: &str,
    size: i32,
    from: HPos,
    at: (i32, i32),
) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let style = (FONT, size)
        .into_text_style(area)
        .pos(Pos::new(from, VPos::Center));
    // The middle of a line of type lies above that of its digits.
    area.draw_text(text, &style, (at.0, at.1 + size / 7))
        .map_err(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_show_their_numbers() {
        assert_eq!(number(-0.), "0");
        assert_eq!(number(2.25), "2.25");
        assert_eq!(number(-3.), "\u{2212}3");
        assert_eq!(number(1. / 3.), "0.33");
        assert_eq!(number(f32::NAN), "");
        assert_eq!(shade(Look::Grey, 2., 2.), WHITE);
        assert_eq!(shade(Look::Grey, -1., 2.), BLACK);
        assert_eq!(shade(Look::Signed, 0., 2.), WHITE);
    }

    #[test]
    fn lines_stand_in_a_grid() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tables.png");
        let table = Table {
            title: "four".into(),
            values: vec![1., -2., f32::NAN, 4.],
            columns: 2,
            marked: vec![(1, 0)],
            sign: "=",
        };
        let line = |look| Line {
            title: "two".into(),
            tables: vec![table.clone(); 2],
            cell: 40,
            look,
        };
        let lines = [line(Look::Numbers), line(Look::Grey), line(Look::Signed)];
        tables(&file, &lines, 2).unwrap();
        let picture = image::open(&file).unwrap().to_rgb8();
        let (width, height) = (
            2 * (80 + SIGN_GAP) + 2 * MARGIN,
            TITLE + TABLE_TITLE + 80 + MARGIN,
        );
        let size = (2 * width as u32, (2 * height + MARGIN) as u32);
        assert_eq!(picture.dimensions(), size);
        // The place of a fourth line is empty.
        let empty = |x, y| picture.get_pixel(x, y).0 == [255; 3];
        assert!((width as u32..size.0).all(|x| ((height + MARGIN) as u32..size.1).all(|y| empty(x, y))));
        assert!(picture.pixels().filter(|p| p.0 != [255; 3]).count() > 10_000);
        tables(&file, &[], 3).unwrap();
    }
}
