//! Charts: small panels of curves, paths over the contours of a surface, points, graphs and tables.

mod graphs;
mod matrix;
mod panels;
mod tables;

use crate::{Failure, Result};
pub use graphs::graphs;
use image::RgbImage;
pub use matrix::matrix;
pub use panels::{Panel, panels};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use sconce::train::plot::Curve;
use std::path::Path;
pub use tables::{Line, Look, Table, tables};

/// A function of two variables over a rectangle, and paths on it.
pub struct Surface<'a> {
    /// Above it.
    pub title: &'a str,
    /// From the left to the right.
    pub x: (f64, f64),
    /// From the bottom to the top.
    pub y: (f64, f64),
    /// Values on a grid, row by row from the bottom, `columns` in a row, at the middles of equal cells.
    pub values: &'a [f64],
    /// Cells in a row.
    pub columns: usize,
    /// What is drawn over it, each with a mark at its end.
    pub paths: &'a [Curve],
}

/// Points in the plane, some of them joined, in one panel of several.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Above it.
    pub title: String,
    /// (x, y); one that isn't finite isn't drawn.
    pub points: Vec<(f64, f64)>,
    /// The kind of each point, which decides its colour.
    pub kinds: Vec<usize>,
    /// Which points are drawn larger.
    pub marked: Vec<usize>,
    /// Pairs of points that a line joins.
    pub joined: Vec<(usize, usize)>,
}

const COLOURS: [RGBColor; 8] = [
    RGBColor(214, 69, 65),
    RGBColor(31, 119, 180),
    RGBColor(44, 140, 60),
    RGBColor(240, 150, 20),
    RGBColor(125, 80, 180),
    RGBColor(20, 160, 170),
    RGBColor(200, 70, 150),
    RGBColor(90, 90, 90),
];
const FONT: &str = "sans-serif";

fn colour(i: usize) -> RGBColor {
    COLOURS.get(i % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// Draws surfaces side by side into a PNG, with one legend for the paths of all.
///
/// # Errors
/// The file can't be written.
pub fn surfaces(path: &Path, surfaces: &[Surface<'_>]) -> Result<()> {
    let width = 460 * surfaces.len().max(1) as u32;
    picture(path, (width, 520), |area| {
        let panels = area.split_evenly((1, surfaces.len().max(1)));
        for (i, (panel, surface)) in panels.iter().zip(surfaces).enumerate() {
            contours(panel, surface, i == 0)?;
        }
        Ok(())
    })
}

fn contours(area: &DrawingArea<Canvas<'_>, Shift>, surface: &Surface<'_>, legend: bool) -> Result<()> {
    let (x, y) = (surface.x, surface.y);
    let mut chart = ChartBuilder::on(area)
        .caption(surface.title, (FONT, 20))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(38)
        .build_cartesian_2d(x.0..x.1, y.0..y.1)
        .map_err(drawing)?;
    let rows = surface.values.len() / surface.columns.max(1);
    let step = (
        (x.1 - x.0) / surface.columns.max(1) as f64,
        (y.1 - y.0) / rows.max(1) as f64,
    );
    let bands = bands(surface.values);
    let cells = surface.values.iter().enumerate().map(|(i, &value)| {
        let (column, row) = (i % surface.columns.max(1), i / surface.columns.max(1));
        let corner = (x.0 + column as f64 * step.0, y.0 + row as f64 * step.1);
        let band = bands.iter().filter(|&&level| level < value).count();
        let shade = HSLColor(0.58, 0.45, 0.5 + 0.45 * band as f64 / bands.len().max(1) as f64);
        Rectangle::new([corner, (corner.0 + step.0, corner.1 + step.1)], shade.filled())
    });
    chart.draw_series(cells).map_err(drawing)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .label_style((FONT, 14))
        .draw()
        .map_err(drawing)?;
    let inside = |p: &(f64, f64)| (x.0..=x.1).contains(&p.0) && (y.0..=y.1).contains(&p.1);
    for (i, path) in surface.paths.iter().enumerate() {
        let points: Vec<_> = path.points.iter().copied().take_while(inside).collect();
        let end = points.last().copied();
        chart
            .draw_series(LineSeries::new(points, colour(i).stroke_width(2)))
            .map_err(drawing)?
            .label(&path.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour(i).stroke_width(3)));
        let mark = end.map(|end| Circle::new(end, 5, colour(i).filled()));
        chart.draw_series(mark).map_err(drawing)?;
    }
    if legend {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .draw()
            .map_err(drawing)?;
    }
    Ok(())
}

/// Draws clouds of points into a PNG, `columns` of them in a row, each to its own scale.
///
/// # Errors
/// The file can't be written, or no point of a cloud is finite.
pub fn clouds(path: &Path, clouds: &[Cloud], columns: usize) -> Result<()> {
    let columns = columns.clamp(1, clouds.len().max(1));
    let rows = clouds.len().div_ceil(columns).max(1);
    picture(path, (380 * columns as u32, 380 * rows as u32), |area| {
        let panels = area.split_evenly((rows, columns));
        for (panel, cloud) in panels.iter().zip(clouds) {
            points(panel, cloud)?;
        }
        Ok(())
    })
}

fn points(area: &DrawingArea<Canvas<'_>, Shift>, cloud: &Cloud) -> Result<()> {
    let all = [Curve::new(&cloud.title, cloud.points.iter().copied())];
    let (x, y) = (range(&all, |p| p.0)?, range(&all, |p| p.1)?);
    let mut chart = ChartBuilder::on(area)
        .caption(&cloud.title, (FONT, 18))
        .margin(12)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(x.0..x.1, y.0..y.1)
        .map_err(drawing)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(4)
        .y_labels(5)
        .label_style((FONT, 13))
        .draw()
        .map_err(drawing)?;
    let finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    let at = |i: usize| cloud.points.get(i).filter(finite).copied();
    let lines = cloud
        .joined
        .iter()
        .filter_map(|&(a, b)| Some(PathElement::new([at(a)?, at(b)?], BLACK.mix(0.12))));
    chart.draw_series(lines).map_err(drawing)?;
    let dots = cloud.kinds.iter().enumerate().filter_map(|(i, &kind)| {
        let size = if cloud.marked.contains(&i) { 9 } else { 5 };
        Some(Circle::new(at(i)?, size, colour(kind).filled()))
    });
    chart.draw_series(dots).map_err(drawing)?;
    Ok(())
}

/// The levels between bands of equal area.
fn bands(values: &[f64]) -> Vec<f64> {
    const BANDS: usize = 14;
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let level = |i: usize| sorted.get(i * sorted.len() / BANDS).copied();
    (1..BANDS).filter_map(level).collect()
}

/// Runs of finite points.
fn pieces(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points
        .split(|p| !(p.0.is_finite() && p.1.is_finite()))
        .filter(|piece| !piece.is_empty())
}

/// From the least to the greatest coordinate, with some air.
fn range(curves: &[Curve], of: impl Fn(&(f64, f64)) -> f64) -> Result<(f64, f64)> {
    let points = curves.iter().flat_map(|curve| pieces(&curve.points)).flatten();
    let (low, high) = points
        .map(of)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if low > high {
        return Err(Failure::new(
            "there is nothing to draw: no point of the curves is finite",
        ));
    }
    let air = if high > low { 0.03 * (high - low) } else { 0.5 };
    Ok((low - air, high + air))
}

type Canvas<'a> = BitMapBackend<'a>;

fn drawing(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("a chart can't be drawn: {error}"))
}

/// A white PNG of a size, drawn by `draw`.
fn picture(
    path: &Path,
    (width, height): (u32, u32),
    draw: impl FnOnce(&DrawingArea<Canvas<'_>, Shift>) -> Result<()>,
) -> Result<()> {
    let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    let mut pixels = vec![255; 3 * width as usize * height as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(drawing)?;
        draw(&area)?;
        area.present().map_err(drawing)?;
    }
    let picture = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| drawing("its size and its pixels disagree"))?;
    picture.save(path).map_err(|error| Failure::at(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(path: &Path) -> usize {
        let picture = image::open(path).unwrap().to_rgb8();
        picture.pixels().filter(|p| p.0 != [255; 3]).count()
    }

    #[test]
    fn surfaces_have_bands_of_equal_area() {
        let values: Vec<f64> = (0..1400).map(f64::from).collect();
        assert_eq!(bands(&values).len(), 13);
        assert_eq!(bands(&values)[0], 100.);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("surface.png");
        let surface = Surface {
            title: "slope",
            x: (0., 1.),
            y: (0., 1.),
            values: &values,
            columns: 40,
            paths: &[Curve::new("path", [(0.1, 0.1), (0.9, 0.5), (3., 3.)])],
        };
        surfaces(&file, &[surface]).unwrap();
        assert!(ink(&file) > 100_000);
    }

    #[test]
    fn clouds_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clouds.png");
        let cloud = Cloud {
            title: "two".into(),
            points: vec![(0., 0.), (1., 2.), (f64::NAN, 1.)],
            kinds: vec![0, 1, 1],
            marked: vec![0],
            joined: vec![(0, 1), (1, 2), (1, 7)],
        };
        clouds(&file, &[cloud.clone(), cloud.clone(), cloud.clone()], 2).unwrap();
        assert!(ink(&file) > 1000);
        assert_eq!(image::image_dimensions(&file).unwrap(), (760, 760));
        let none = Cloud {
            points: vec![],
            ..cloud
        };
        assert!(
            clouds(&file, &[none], 1)
                .unwrap_err()
                .message()
                .contains("no point")
        );
    }
}
