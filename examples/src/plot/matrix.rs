//! A matrix as cells that are the darker the larger their value.

use super::{FONT, drawing, picture};
use crate::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const CELL: i32 = 26;
const EDGE: i32 = 56;

/// Draws values, row by row, into a PNG: white is 0, the darkest the largest. Rows and columns are named.
///
/// # Errors
/// The file can't be written.
pub fn matrix(path: &Path, title: &str, rows: &[String], columns: &[String], values: &[f32]) -> Result<()> {
    let (width, height) = (
        2 * EDGE + CELL * columns.len() as i32,
        2 * EDGE + CELL * rows.len() as i32,
    );
    let most = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    picture(path, (width as u32, height as u32), |area| {
        let centred = Pos::new(HPos::Center, VPos::Center);
        let text = TextStyle::from((FONT, 18).into_font()).pos(centred);
        let write = |words: &str, x: i32, y: i32| area.draw_text(words, &text, (x, y)).map_err(drawing);
        write(title, width / 2, EDGE / 3)?;
        for (i, value) in values.iter().take(rows.len() * columns.len()).enumerate() {
            let (row, column) = (i / columns.len(), i % columns.len());
            let (left, top) = (EDGE + CELL * column as i32, EDGE + CELL * row as i32);
            let share = f64::from((value / most).clamp(0., 1.));
            let cell = Rectangle::new([(left, top), (left + CELL, top + CELL)], BLUE.mix(share).filled());
            area.draw(&cell).map_err(drawing)?;
        }
        for (i, name) in (0..).zip(rows) {
            write(name, EDGE * 2 / 3, EDGE + CELL * i + CELL / 2)?;
        }
        for (i, name) in (0..).zip(columns) {
            write(name, EDGE + CELL * i + CELL / 2, height - EDGE * 2 / 3)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_the_darkest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("matrix.png");
        let names = |names: &str| names.chars().map(String::from).collect::<Vec<_>>();
        matrix(
            &file,
            "two by three",
            &names("ab"),
            &names("xyz"),
            &[0., 0.5, 1., 0., 0., 2.],
        )
        .unwrap();
        let picture = image::open(&file).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (2 * 56 + 3 * 26, 2 * 56 + 2 * 26));
        let middle = |row: u32, column: u32| picture.get_pixel(56 + 26 * column + 13, 56 + 26 * row + 13).0;
        assert_eq!((middle(0, 0), middle(1, 2)), ([255; 3], [0, 0, 255]));
        assert_eq!(middle(0, 2)[0], 127);
        matrix(&file, "nothing", &[], &[], &[]).unwrap();
    }
}
