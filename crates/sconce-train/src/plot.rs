//! Pictures of a run, as PNG and as SVG.
//!
//! They need the feature `plot`, which is on by default. Nothing is installed for them: the letters of a PNG are in the
//! program (Latin, Greek and Cyrillic ones), those of an SVG are whoever's who shows it. The colours are ones that the
//! colour-blind tell apart.
//!
//! ```
//! use sconce_train::{EpochRecord, History, plot};
//! # let record = |epoch: usize| EpochRecord {
//! #     epoch,
//! #     train_loss: 1. / epoch as f64,
//! #     train_metrics: vec![],
//! #     turns: vec![],
//! #     validation: None,
//! #     learning_rate: 1e-3,
//! #     seconds: 2.,
//! # };
//! # let history = History { epochs: (1..9).map(record).collect(), ..History::default() };
//! # let folder = tempfile::tempdir().unwrap();
//! plot::learning_curves(&history)?.save(folder.path().join("curves.png"))?;
//! plot::losses(&history)?.save(folder.path().join("losses.svg"))?;
//! # Ok::<(), sconce_train::Error>(())
//! ```

mod axis;
mod canvas;
mod curves;
mod histories;
mod matrix;
#[cfg(test)]
mod tests;

use crate::{ConfusionMatrix, Error, RateSearch, Result};
use axis::Kind;
use canvas::Canvas;
pub use curves::Curve;
use curves::{Axis, Panel};
pub(crate) use histories::single_charts;
pub use histories::{learning_curves, learning_rate, losses, metric};
use image::{ImageFormat, RgbImage};
use matrix::Matrix;
use plotters::prelude::*;
use sconce_core::io::write_atomically;
use std::io::Cursor;
use std::path::Path;

/// A picture that is drawn when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    width: u32,
    height: u32,
    content: Content,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// One below the other.
    Panels(Vec<Panel>),
    Matrix(Matrix),
}

/// Width and height of a panel, in pixels.
const PANEL: (u32, u32) = (800, 500);
const SQUARE: (u32, u32) = (760, 680);
/// What a chart's width and height may be: less has no room for the words around it.
const SIZES: std::ops::RangeInclusive<u32> = 300..=10_000;
/// SVG's coordinates are whole numbers here, so it is drawn larger than it is shown.
const FINENESS: f64 = 4.;

impl Chart {
    fn panels(panels: Vec<Panel>) -> Self {
        Self {
            width: PANEL.0,
            height: PANEL.1.saturating_mul(panels.len().max(1) as u32),
            content: Content::Panels(panels),
        }
    }

    /// Another size, in pixels; the letters stay as large. Panels of [`learning_curves`] share the height.
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Another title; that of the first panel, if there are several.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        match &mut self.content {
            Content::Panels(panels) => {
                if let Some(panel) = panels.first_mut() {
                    panel.title = title.into();
                }
            }
            Content::Matrix(matrix) => matrix.title = title.into(),
        }
        self
    }

    /// The chart as a PNG file.
    ///
    /// # Errors
    /// Width or height isn't from 300 to 10 000, or no value of a panel is finite.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut pixels = vec![255; 3 * self.width as usize * self.height as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (self.width, self.height)).into_drawing_area();
        self.draw(&Canvas::new(area, 1.))?;
        let picture = RgbImage::from_raw(self.width, self.height, pixels);
        let picture = picture.ok_or_else(|| Error::chart("PNG", "its size and its pixels disagree"))?;
        let mut file = Cursor::new(Vec::new());
        picture
            .write_to(&mut file, ImageFormat::Png)
            .map_err(|error| Error::chart("PNG", error))?;
        Ok(file.into_inner())
    }

    /// The chart as an SVG document, on white.
    ///
    /// # Errors
    /// As of [`to_png`](Self::to_png).
    pub fn to_svg(&self) -> Result<String> {
        let (head, drawing) = self.svg()?;
        Ok(format!(
            "{head}<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{drawing}"
        ))
    }

    /// The chart as an element of an HTML page, whose colour of text and background it has.
    pub(crate) fn to_html(&self) -> Result<String> {
        let (head, drawing) = self.svg()?;
        let head = head.replace(" xmlns=\"http://www.w3.org/2000/svg\"", " role=\"img\"");
        let RGBColor(red, green, blue) = canvas::INK;
        let ink = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
        Ok(head + &drawing.replace(&ink, "\"currentColor\""))
    }

    /// Writes the chart to a file, whole or not at all: a PNG or an SVG, as the name ends.
    ///
    /// # Errors
    /// The name ends otherwise, the folder is missing or can't be written to; those of [`to_png`](Self::to_png).
    ///
    /// # Example
    /// ```
    /// use sconce_train::{Accumulator, ConfusionMatrix, plot, candle_core::{Device, Tensor}};
    /// let mut matrix = ConfusionMatrix::default();
    /// let logits = Tensor::new(&[[1f32, 0.], [1., 0.], [0., 1.]], &Device::Cpu)?;
    /// matrix.update(&logits, &Tensor::new(&[0u32, 1, 1], &Device::Cpu)?)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let chart = plot::confusion_matrix(&matrix, &["cat", "dog"])?;
    /// chart.save(folder.path().join("confusion.svg"))?;
    /// chart.with_title("Two classes").with_size(400, 400).save(folder.path().join("confusion.png"))?;
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
        let bytes = match ending.to_ascii_lowercase().as_str() {
            "png" => self.to_png()?,
            "svg" => self.to_svg()?.into_bytes(),
            _ => {
                let found = format!("ends with {ending:?}, expected .png or .svg");
                return Err(Error::chart(path.display().to_string(), found));
            }
        };
        Ok(write_atomically(path, &bytes)?)
    }

    /// Opening tag, and all that comes after it.
    fn svg(&self) -> Result<(String, String)> {
        self.check()?;
        let (width, height) = (self.width, self.height);
        let fine = |size: u32| (f64::from(size) * FINENESS) as u32;
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (fine(width), fine(height))).into_drawing_area();
            self.draw(&Canvas::new(area, FINENESS))?;
        }
        let (_, drawing) = text.split_once('\n').unwrap_or_default();
        let head = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\">\n",
            fine(width),
            fine(height)
        );
        Ok((head, drawing.to_string()))
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        match &self.content {
            Content::Matrix(matrix) => matrix.draw(canvas, (width, height))?,
            Content::Panels(panels) => {
                let height = height / panels.len().max(1) as f64;
                for (i, panel) in panels.iter().enumerate() {
                    panel.draw(canvas, (0., i as f64 * height), (width, height))?;
                }
            }
        }
        canvas.finish()
    }

    fn check(&self) -> Result<()> {
        let rows = match &self.content {
            Content::Panels(panels) => panels.len().max(1) as u32,
            Content::Matrix(_) => 1,
        };
        for (field, value) in [("width", self.width), ("height", self.height / rows)] {
            if !SIZES.contains(&value) {
                let expected = format!("{} to {} pixels a panel", SIZES.start(), SIZES.end());
                return Err(sconce_core::Error::config("Chart", field, value, expected).into());
            }
        }
        Ok(())
    }
}

/// How often each class was taken for each other: a cell is the darker, the greater its share of the actual class.
///
/// The names are those of the classes; without any, the classes' numbers stand there.
///
/// # Errors
/// The matrix has seen nothing, or there are more or fewer names than classes.
pub fn confusion_matrix(matrix: &ConfusionMatrix, names: &[impl AsRef<str>]) -> Result<Chart> {
    Ok(Chart {
        width: SQUARE.0,
        height: SQUARE.1,
        content: Content::Matrix(Matrix::new(matrix, names)?),
    })
}

/// Curves of one's own over axes of these names, such as a figure of several runs.
///
/// # Errors
/// No point has two finite numbers.
///
/// # Example
/// ```
/// use sconce_train::plot::{self, Curve};
/// let adam = Curve::numbered("adam", [0.9, 0.4, 0.2]);
/// let sgd = Curve::new("sgd, every second epoch", [(2., 0.8), (4., 0.5)]);
/// let chart = plot::curves("Two rules of descent", ("epoch", "loss"), &[adam, sgd])?;
/// assert!(chart.to_svg()?.contains("every second epoch"));
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub fn curves(title: impl Into<String>, (x, y): (&str, &str), curves: &[Curve]) -> Result<Chart> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let is_counted = points().all(|(x, _)| !x.is_finite() || x.fract() == 0.);
    let axis = |name: &str, kind| Axis {
        name: name.to_string(),
        kind,
    };
    histories::checked(Panel {
        title: title.into(),
        x: axis(x, if is_counted { Kind::Whole } else { Kind::Linear }),
        y: axis(y, Kind::Linear),
        curves: curves.to_vec(),
        mark: None,
    })
}

/// The losses of a [search for a learning rate](crate::Trainer::search_learning_rate), with the suggested rate.
///
/// # Errors
/// No loss is finite.
pub fn rate_search(search: &RateSearch) -> Result<Chart> {
    let curve = |name: &str, losses: &[f64]| {
        let points = search.rates.iter().copied().zip(losses.iter().copied());
        Curve::new(name, points)
    };
    let panel = Panel {
        title: "Search for a learning rate".to_string(),
        x: Axis {
            name: "learning rate".to_string(),
            kind: Kind::Log,
        },
        y: Axis {
            name: "loss".to_string(),
            kind: Kind::Linear,
        },
        curves: vec![
            curve("running mean", &search.smoothed),
            curve("of each step", &search.losses).pale(),
        ],
        mark: search
            .suggestion()
            .map(|rate| (rate, format!("steepest at {rate:.1e}"))),
    };
    histories::checked(panel)
}
