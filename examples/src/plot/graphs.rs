//! Graphs as circles and lines.

use super::{Canvas, Cloud, Curve, FONT, colour, drawing, picture, range};
use crate::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

const SIDE: u32 = 300;

/// Draws graphs into a PNG, `columns` of them in a row: nodes where they are placed, both axes to one scale, without axes.
///
/// # Errors
/// The file can't be written, or no point of a graph is finite.
pub fn graphs(path: &Path, graphs: &[Cloud], columns: usize) -> Result<()> {
    let columns = columns.clamp(1, graphs.len().max(1));
    let rows = graphs.len().div_ceil(columns).max(1);
    picture(path, (SIDE * columns as u32, SIDE * rows as u32), |area| {
        let panels = area.split_evenly((rows, columns));
        for (panel, graph) in panels.iter().zip(graphs) {
            one(panel, graph)?;
        }
        Ok(())
    })
}

fn one(area: &DrawingArea<Canvas<'_>, Shift>, graph: &Cloud) -> Result<()> {
    let all = [Curve::new(&graph.title, graph.points.iter().copied())];
    let (x, y) = (range(&all, |p| p.0)?, range(&all, |p| p.1)?);
    let half = 0.58 * (x.1 - x.0).max(y.1 - y.0);
    let middle = (0.5 * (x.0 + x.1), 0.5 * (y.0 + y.1));
    let mut chart = ChartBuilder::on(area)
        .caption(&graph.title, (FONT, 17))
        .margin(8)
        .build_cartesian_2d(middle.0 - half..middle.0 + half, middle.1 - half..middle.1 + half)
        .map_err(drawing)?;
    let finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    let at = |i: usize| graph.points.get(i).filter(finite).copied();
    let line = BLACK.mix(0.6).stroke_width(2);
    let lines = graph
        .joined
        .iter()
        .filter_map(|&(a, b)| Some(PathElement::new([at(a)?, at(b)?], line)));
    chart.draw_series(lines).map_err(drawing)?;
    let dots = graph.kinds.iter().enumerate().filter_map(|(i, &kind)| {
        let size = if graph.marked.contains(&i) { 9 } else { 6 };
        Some(Circle::new(at(i)?, size, colour(kind).filled()))
    });
    chart.draw_series(dots).map_err(drawing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("graphs.png");
        let graph = Cloud {
            title: "two".into(),
            points: vec![(0., 0.), (1., 0.)],
            kinds: vec![0, 1],
            marked: vec![1],
            joined: vec![(0, 1), (0, 2)],
        };
        graphs(&file, &[graph.clone(), graph.clone(), graph], 2).unwrap();
        let picture = image::open(&file).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (600, 600));
        let ink = picture.pixels().filter(|p| p.0 != [255; 3]).count();
        assert!(ink > 1000);
    }
}
