//! Small charts side by side.

use super::{Canvas, FONT, colour, drawing, picture, pieces, range};
use crate::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use sconce::train::plot::Curve;
use std::path::Path;

/// Curves in one panel of several.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Along x.
    pub x: String,
    /// What is drawn.
    pub curves: Vec<Curve>,
}

/// Draws panels into a PNG, `columns` of them in a row, each to its own scale, with one legend for all in the first if
/// there are several curves.
///
/// # Errors
/// The file can't be written, or no point of a panel is finite.
pub fn panels(path: &Path, panels: &[Panel], columns: usize) -> Result<()> {
    let columns = columns.clamp(1, panels.len().max(1));
    let rows = panels.len().div_ceil(columns).max(1);
    picture(path, (340 * columns as u32, 270 * rows as u32), |area| {
        let places = area.split_evenly((rows, columns));
        for (i, (place, panel)) in places.iter().zip(panels).enumerate() {
            draw(place, panel, i == 0 && panel.curves.len() > 1)?;
        }
        Ok(())
    })
}

fn draw(area: &DrawingArea<Canvas<'_>, Shift>, panel: &Panel, legend: bool) -> Result<()> {
    let (x, y) = (range(&panel.curves, |p| p.0)?, range(&panel.curves, |p| p.1)?);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, 18))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(40)
        .build_cartesian_2d(x.0..x.1, y.0..y.1)
        .map_err(drawing)?;
    chart
        .configure_mesh()
        .x_desc(&panel.x)
        .x_labels(5)
        .y_labels(5)
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .light_line_style(WHITE)
        .draw()
        .map_err(drawing)?;
    for (i, curve) in panel.curves.iter().enumerate() {
        for (k, piece) in pieces(&curve.points).enumerate() {
            let line = LineSeries::new(piece.iter().copied(), colour(i).stroke_width(2));
            let series = chart.draw_series(line).map_err(drawing)?;
            if k == 0 {
                series
                    .label(&curve.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour(i).stroke_width(3)));
            }
        }
    }
    if legend {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 13))
            .draw()
            .map_err(drawing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_stand_in_rows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("panels.png");
        let panel = |values: [f64; 3]| Panel {
            title: "a".into(),
            x: "b".into(),
            curves: vec![Curve::numbered("c", values)],
        };
        let three = [[1., 4., 9.], [1., f64::NAN, 2.], [0., 0., 0.]].map(panel);
        panels(&file, &three, 2).unwrap();
        assert_eq!(image::image_dimensions(&file).unwrap(), (680, 540));
        let nothing = panels(&file, &[panel([f64::NAN; 3])], 2).unwrap_err();
        assert!(nothing.message().contains("no point"));
    }
}
