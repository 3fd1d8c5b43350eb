//! Curves over an axis that they share.

use super::axis::{Kind, Scale, drawable};
use super::canvas::{Anchor, COLOURS, Canvas, INK, LABEL, Marker, NAME, TITLE, shortened};
use crate::{Error, Result};
use plotters::prelude::*;

/// Points joined by a line, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What the legend calls it.
    pub name: String,
    /// (x, y). The line breaks where a value can't be drawn, as NaN.
    pub points: Vec<(f64, f64)>,
    /// Whether it is thin and pale, as what another curve is the mean of.
    pub(super) pale: bool,
}

impl Curve {
    /// Through points (x, y); the line breaks where a number isn't finite.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points: points.into_iter().collect(),
            pale: false,
        }
    }

    /// Through one value for each whole number from 1 on, as for each epoch.
    pub fn numbered(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(name, (1u32..).map(f64::from).zip(values))
    }

    /// Thinner and paler; it doesn't count for how far the axes reach.
    pub(super) fn pale(self) -> Self {
        Self { pale: true, ..self }
    }
}

/// An axis's name and kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Curves with their axes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) curves: Vec<Curve>,
    /// A place on the x axis to point out, and what it is.
    pub(super) mark: Option<(f64, String)>,
}

/// Curves that a legend names; of more, it says how many.
const NAMED: usize = 12;
/// The points of a curve that are marked; more would hide it.
const MARKED: usize = 60;
const MARKERS: [Marker; 4] = [Marker::Circle, Marker::Square, Marker::Diamond, Marker::Triangle];

/// The part of a panel within its axes.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

impl Plot {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = self.left + self.x.share(x) * (self.right - self.left);
        (across, self.bottom - self.y.share(y) * (self.bottom - self.top))
    }
}

impl Panel {
    /// Draws it into a rectangle, from its upper left corner.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        (left, top): (f64, f64),
        (width, height): (f64, f64),
    ) -> Result<()> {
        let nothing = || Error::chart(&self.title, "there is nothing to draw: no value is finite");
        let (xs, ys) = self.scales().ok_or_else(nothing)?;
        let title = (left + width / 2., top + 24.);
        canvas.text(&shortened(&self.title, 60), title, TITLE, Anchor::Middle, INK)?;
        let legend = self.legend(canvas, left + 84., left + width - 24., top + 52.)?;
        let plot = Plot {
            left: left + 84.,
            right: left + width - 24.,
            top: legend + 20.,
            bottom: top + height - 62.,
            x: xs,
            y: ys,
        };
        self.axes(canvas, &plot, (left, top + height))?;
        for (i, curve) in self.curves.iter().enumerate() {
            self.curve(canvas, &plot, curve, i)?;
        }
        self.pointed_out(canvas, &plot)
    }

    fn scales(&self) -> Option<(Scale, Scale)> {
        let (x, y) = (self.x.kind, self.y.kind);
        let shown = |curve: &&Curve| !curve.pale;
        let points = || self.curves.iter().filter(shown).flat_map(|curve| &curve.points);
        let both = move |point: &&(f64, f64)| drawable(x, point.0) && drawable(y, point.1);
        let xs = Scale::over(x, points().filter(both).map(|point| point.0))?;
        let ys = Scale::over(y, points().filter(both).map(|point| point.1))?;
        Some((xs, ys))
    }

    /// The names of the curves in lines from `top` on; the last line's middle.
    fn legend<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        left: f64,
        right: f64,
        top: f64,
    ) -> Result<f64> {
        let (mut x, mut y) = (left, top);
        for (i, curve) in self.curves.iter().enumerate().take(NAMED) {
            let name = shortened(&curve.name, 40);
            let width = canvas.width_of(&name, LABEL)? + 56.;
            if x > left && x + width > right {
                (x, y) = (left, y + 22.);
            }
            self.stroke(canvas, &[(x, y), (x + 28., y)], curve, i)?;
            if !curve.pale {
                canvas.marker((x + 14., y), marker(i), colour(i))?;
            }
            canvas.text(&name, (x + 36., y), LABEL, Anchor::Left, INK)?;
            x += width;
        }
        if self.curves.len() > NAMED {
            let more = format!("and {} more", self.curves.len() - NAMED);
            if x + canvas.width_of(&more, LABEL)? > right {
                (x, y) = (left, y + 22.);
            }
            canvas.text(&more, (x, y), LABEL, Anchor::Left, INK)?;
        }
        Ok(y)
    }

    fn axes<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot,
        (left, end): (f64, f64),
    ) -> Result<()> {
        let (width, height) = (plot.right - plot.left, plot.bottom - plot.top);
        for (value, name) in plot.y.ticks((height / 50.) as usize) {
            let (_, y) = plot.at((0., value));
            canvas.line(&[(plot.left, y), (plot.right, y)], INK.mix(0.15), 1.)?;
            canvas.text(&name, (plot.left - 10., y), LABEL, Anchor::Right, INK)?;
        }
        for (value, name) in plot.x.ticks((width / 80.) as usize) {
            let (x, _) = plot.at((value, 0.));
            canvas.line(&[(x, plot.bottom), (x, plot.bottom + 6.)], INK, 1.)?;
            canvas.text(&name, (x, plot.bottom + 18.), LABEL, Anchor::Middle, INK)?;
        }
        canvas.line(
            &[
                (plot.left, plot.top),
                (plot.left, plot.bottom),
                (plot.right, plot.bottom),
            ],
            INK,
            1.,
        )?;
        let below = ((plot.left + plot.right) / 2., end - 20.);
        canvas.text(&self.x.name, below, NAME, Anchor::Middle, INK)?;
        let beside = (left + 18., (plot.top + plot.bottom) / 2.);
        canvas.text(&shortened(&self.y.name, 40), beside, NAME, Anchor::Upwards, INK)
    }

    fn curve<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot,
        curve: &Curve,
        i: usize,
    ) -> Result<()> {
        let inside = |&(x, y): &(f64, f64)| {
            drawable(self.x.kind, x)
                && drawable(self.y.kind, y)
                && (-1e-9..=1. + 1e-9).contains(&plot.y.share(y))
                && (-1e-9..=1. + 1e-9).contains(&plot.x.share(x))
        };
        let marked = !curve.pale && curve.points.len() <= MARKED;
        for piece in curve.points.split(|point| !inside(point)) {
            let piece: Vec<_> = piece.iter().map(|&point| plot.at(point)).collect();
            if piece.len() > 1 {
                self.stroke(canvas, &piece, curve, i)?;
            }
            for &at in piece.iter().filter(|_| marked || piece.len() == 1) {
                canvas.marker(at, marker(i), colour(i))?;
            }
        }
        Ok(())
    }

    fn stroke<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        points: &[(f64, f64)],
        curve: &Curve,
        i: usize,
    ) -> Result<()> {
        match curve.pale {
            true => canvas.line(points, colour(i).mix(0.4), 1.),
            false => canvas.line(points, colour(i).to_rgba(), 2.),
        }
    }

    fn pointed_out<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, plot: &Plot) -> Result<()> {
        let Some((value, what)) = &self.mark else {
            return Ok(());
        };
        if !drawable(self.x.kind, *value) || !(0. ..=1.).contains(&plot.x.share(*value)) {
            return Ok(());
        }
        let (x, _) = plot.at((*value, 0.));
        let (mut y, dash) = (plot.top, 5.);
        while y < plot.bottom {
            canvas.line(&[(x, y), (x, (y + dash).min(plot.bottom))], INK, 1.)?;
            y += 2. * dash;
        }
        let (anchor, beside) = if x > (plot.left + plot.right) / 2. {
            (Anchor::Right, x - 8.)
        } else {
            (Anchor::Left, x + 8.)
        };
        canvas.text(what, (beside, plot.top + 10.), LABEL, anchor, INK)
    }
}

fn colour(i: usize) -> RGBColor {
    COLOURS.get(i % COLOURS.len()).copied().unwrap_or(INK)
}

fn marker(i: usize) -> Marker {
    MARKERS.get(i % MARKERS.len()).copied().unwrap_or(Marker::Circle)
}
