//! What charts are drawn on: plotters' bitmaps and SVG, in units that don't depend on which.

use crate::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// The first is in the program, for PNG; whoever shows an SVG takes the first that he has.
const FONT: &str = "Ubuntu, sans-serif";

/// Text, axes and grid; a page that has colours of its own puts the text's in its place.
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);

/// The colours of M. Okabe and K. Ito, which the colour-blind tell apart, those first that are clear on white and on black.
pub(super) const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// Sizes of letters, in pixels of a chart that is drawn as large as it is.
pub(super) const TITLE: f64 = 23.;
pub(super) const NAME: f64 = 18.;
pub(super) const LABEL: f64 = 16.;

/// Which point of a text stands where it is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
    /// Its middle, and the text runs upwards.
    Upwards,
}

/// A mark of a point, so that curves differ in more than their colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Diamond,
    Triangle,
}

/// An area to draw on. Coordinates are pixels from the upper left corner, of which each is `scale` of the picture's.
pub(super) struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    scale: f64,
}

impl<DB: DrawingBackend> Canvas<DB> {
    pub(super) fn new(area: DrawingArea<DB, Shift>, scale: f64) -> Self {
        static FONTS: Once = Once::new();
        FONTS.call_once(|| {
            // It is a font, so it is one that plotters takes.
            let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        });
        Self { area, scale }
    }

    pub(super) fn line(&self, points: &[(f64, f64)], colour: impl Color, width: f64) -> Result<()> {
        let points: Vec<_> = points.iter().map(|&at| self.pixel(at)).collect();
        let style = colour.stroke_width(self.length(width).max(1));
        self.area
            .draw(&PathElement::new(points, style))
            .map_err(undrawable)
    }

    pub(super) fn rectangle(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        style: impl Into<ShapeStyle>,
    ) -> Result<()> {
        let corners = [self.pixel(from), self.pixel(to)];
        self.area
            .draw(&Rectangle::new(corners, style))
            .map_err(undrawable)
    }

    pub(super) fn marker(&self, at: (f64, f64), marker: Marker, colour: RGBColor) -> Result<()> {
        let ring: &[(f64, f64)] = match marker {
            Marker::Circle => {
                let radius = self.length(4.);
                let circle = plotters::element::Circle::new(self.pixel(at), radius, colour.filled());
                return self.area.draw(&circle).map_err(undrawable);
            }
            Marker::Square => &[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
            Marker::Diamond => &[(0., -5.), (5., 0.), (0., 5.), (-5., 0.)],
            Marker::Triangle => &[(0., -5.), (4.5, 3.5), (-4.5, 3.5)],
        };
        let corners: Vec<_> = ring
            .iter()
            .map(|(x, y)| self.pixel((at.0 + x, at.1 + y)))
            .collect();
        self.area
            .draw(&Polygon::new(corners, colour.filled()))
            .map_err(undrawable)
    }

    pub(super) fn text(
        &self,
        text: &str,
        at: (f64, f64),
        size: f64,
        anchor: Anchor,
        colour: RGBColor,
    ) -> Result<()> {
        let (horizontal, transform) = match anchor {
            Anchor::Left => (HPos::Left, FontTransform::None),
            Anchor::Middle => (HPos::Center, FontTransform::None),
            Anchor::Right => (HPos::Right, FontTransform::None),
            Anchor::Upwards => (HPos::Center, FontTransform::Rotate270),
        };
        let font = (FONT, size * self.scale).into_font().transform(transform);
        let style = TextStyle::from(font)
            .color(&colour)
            .pos(Pos::new(horizontal, VPos::Center));
        self.area
            .draw_text(&printable(text), &style, self.pixel(at))
            .map_err(undrawable)
    }

    /// How wide a text will be.
    pub(super) fn width_of(&self, text: &str, size: f64) -> Result<f64> {
        let style = TextStyle::from((FONT, size * self.scale).into_font());
        let (width, _) = self
            .area
            .estimate_text_size(&printable(text), &style)
            .map_err(undrawable)?;
        Ok(f64::from(width) / self.scale)
    }

    pub(super) fn finish(&self) -> Result<()> {
        self.area.present().map_err(undrawable)
    }

    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.scale).round() as u32
    }
}

/// The beginning of a text that is longer than so many letters.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_string();
    }
    let start: String = text.chars().take(letters.saturating_sub(1)).collect();
    start + "…"
}

/// Without what XML has no way of saying, and what moves the pen.
fn printable(text: &str) -> String {
    let unwritable = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.replace(unwritable, " ")
}

fn undrawable(error: impl std::fmt::Display) -> Error {
    Error::chart("chart", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_unprintable_letters_are_spaces() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("Häuser", 5), "Häus…");
        assert_eq!(printable("a\u{0}b\nc\u{ffff}d<&>"), "a b c d<&>");
    }
}
