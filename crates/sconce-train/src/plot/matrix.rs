//! A confusion matrix as cells.

use super::canvas::{Anchor, COLOURS, Canvas, INK, LABEL, NAME, TITLE, shortened};
use crate::{ConfusionMatrix, Error, Result};
use plotters::prelude::*;

/// How often each class was taken for each other, drawn: a cell is the darker, the greater its share of its row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    pub(super) title: String,
    /// Of the classes.
    names: Vec<String>,
    /// `[actual class, predicted class]`
    counts: Vec<Vec<u64>>,
}

/// Letters of a class's name that are shown.
const LETTERS: usize = 14;
/// A cell must be so wide for its count to be written into it, and a row so high for its name.
const ROOM: f64 = 17.;

impl Matrix {
    pub(super) fn new(matrix: &ConfusionMatrix, names: &[impl AsRef<str>]) -> Result<Self> {
        let classes = matrix.classes();
        if classes == 0 {
            return Err(Error::chart("confusion matrix", "it has seen no sample"));
        }
        if !names.is_empty() && names.len() != classes {
            let expected = format!("{classes} as the matrix has classes, or none");
            let error =
                sconce_core::Error::config("confusion matrix", "number of names", names.len(), expected);
            return Err(error.into());
        }
        let names = match names.is_empty() {
            true => (0..classes).map(|class| class.to_string()).collect(),
            false => names.iter().map(|name| name.as_ref().to_string()).collect(),
        };
        let row = |actual| {
            (0..classes)
                .map(|predicted| matrix.count(actual, predicted))
                .collect()
        };
        let counts: Vec<Vec<u64>> = (0..classes).map(row).collect();
        let all: u128 = counts.iter().flatten().map(|&count| u128::from(count)).sum();
        let right: u128 = (0..classes)
            .map(|class| u128::from(matrix.count(class, class)))
            .sum();
        let accuracy = right as f64 / all as f64;
        let samples = if all == 1 { "sample" } else { "samples" };
        Ok(Self {
            title: format!("Confusion matrix: {all} {samples}, accuracy {accuracy:.4}"),
            names,
            counts,
        })
    }

    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        (width, height): (f64, f64),
    ) -> Result<()> {
        canvas.text(
            &shortened(&self.title, 60),
            (width / 2., 24.),
            TITLE,
            Anchor::Middle,
            INK,
        )?;
        let names: Vec<String> = self.names.iter().map(|name| shortened(name, LETTERS)).collect();
        let mut widest = 0f64;
        for name in &names {
            widest = widest.max(canvas.width_of(name, LABEL)?);
        }
        let (left, top) = (widest + 56., 52.);
        // Names below stand upright only if they don't fit otherwise.
        let classes = self.counts.len();
        let side =
            |below: f64| ((width - left - 130.).min(height - top - below - 40.) / classes as f64).max(1.);
        let turned = side(24.) < widest + 8.;
        let below = if turned { widest + 12. } else { 24. };
        let cell = side(below);
        let (right, bottom) = (left + cell * classes as f64, top + cell * classes as f64);
        self.cells(canvas, (left, top), cell)?;
        frame(canvas, (left, top), (right, bottom))?;

        let every = (ROOM / cell).ceil().max(1.) as usize;
        for (i, name) in names.iter().enumerate().step_by(every) {
            let middle = (i as f64 + 0.5) * cell;
            canvas.text(name, (left - 8., top + middle), LABEL, Anchor::Right, INK)?;
            match turned {
                true => {
                    let length = canvas.width_of(name, LABEL)?;
                    let at = (left + middle, bottom + 8. + length / 2.);
                    canvas.text(name, at, LABEL, Anchor::Upwards, INK)?;
                }
                false => canvas.text(name, (left + middle, bottom + 14.), LABEL, Anchor::Middle, INK)?,
            }
        }
        let beside = (left - widest - 28., (top + bottom) / 2.);
        canvas.text("actual class", beside, NAME, Anchor::Upwards, INK)?;
        let under = ((left + right) / 2., bottom + below + 14.);
        canvas.text("predicted class", under, NAME, Anchor::Middle, INK)?;
        key(canvas, right + 24., top, bottom)
    }

    fn cells<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        (left, top): (f64, f64),
        cell: f64,
    ) -> Result<()> {
        let mut widest = 0f64;
        for count in self.counts.iter().flatten() {
            widest = widest.max(canvas.width_of(&count.to_string(), LABEL)?);
        }
        let written = cell >= ROOM && widest <= cell - 4.;
        for (row, counts) in self.counts.iter().enumerate() {
            let sum: f64 = counts.iter().map(|&count| count as f64).sum();
            for (column, &count) in counts.iter().enumerate() {
                let share = if sum > 0. { count as f64 / sum } else { 0. };
                let (x, y) = (left + cell * column as f64, top + cell * row as f64);
                if count > 0 {
                    // What is rare is still to be seen.
                    let shade = shade(0.04 + 0.96 * share);
                    canvas.rectangle((x, y), (x + cell, y + cell), shade.filled())?;
                }
                if written {
                    let colour = if share > 0.8 { WHITE } else { INK };
                    let at = (x + cell / 2., y + cell / 2.);
                    canvas.text(&count.to_string(), at, LABEL, Anchor::Middle, colour)?;
                }
            }
        }
        Ok(())
    }
}

fn shade(share: f64) -> RGBAColor {
    let [blue, ..] = COLOURS;
    blue.mix(share)
}

fn frame<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    (left, top): (f64, f64),
    (right, bottom): (f64, f64),
) -> Result<()> {
    let corners = [
        (left, top),
        (right, top),
        (right, bottom),
        (left, bottom),
        (left, top),
    ];
    canvas.line(&corners, INK, 1.)
}

/// What the shades mean.
fn key<DB: DrawingBackend>(canvas: &Canvas<DB>, left: f64, top: f64, bottom: f64) -> Result<()> {
    const SHADES: usize = 50;
    let (right, height) = (left + 16., bottom - top);
    for i in 0..SHADES {
        let share = |i: usize| i as f64 / SHADES as f64;
        let (from, to) = (bottom - share(i + 1) * height, bottom - share(i) * height);
        canvas.rectangle(
            (left, from),
            (right, to),
            shade(share(i) + 0.5 / SHADES as f64).filled(),
        )?;
    }
    frame(canvas, (left, top), (right, bottom))?;
    for (share, name) in [(0., "0 %"), (0.5, "50 %"), (1., "100 %")] {
        let y = (bottom - share * height).clamp(top + 6., bottom - 6.);
        canvas.text(name, (right + 6., y), LABEL, Anchor::Left, INK)?;
    }
    let beside = (right + 76., (top + bottom) / 2.);
    canvas.text("share of the actual class", beside, NAME, Anchor::Upwards, INK)
}
