//! Drawing small pictures side by side.

use image::{Rgb, RgbImage};

/// Colours that tell things apart; the first is for what isn't one.
const COLOURS: [[u8; 3]; 8] = [
    [20, 20, 30],
    [214, 69, 65],
    [60, 140, 230],
    [70, 190, 90],
    [240, 170, 40],
    [150, 100, 220],
    [40, 200, 200],
    [230, 110, 180],
];
const GAP: u32 = 6;
const FRAME: Rgb<u8> = Rgb([255; 3]);

/// A picture in colour, row by row.
#[derive(Debug, Clone)]
pub struct Panel {
    pixels: Vec<[u8; 3]>,
    width: usize,
}

impl Panel {
    /// Grey values, of which 0 is black and 1 is white.
    pub fn grey(values: &[f32], width: usize) -> Self {
        let grey = |v: &f32| [(v.clamp(0., 1.) * 255.).round() as u8; 3];
        Self {
            pixels: values.iter().map(grey).collect(),
            width: width.max(1),
        }
    }

    /// A colour for each class; class 0 is dark.
    pub fn classes(classes: &[u32], width: usize) -> Self {
        let colour = |&class: &u32| {
            COLOURS
                .get(class as usize % COLOURS.len())
                .copied()
                .unwrap_or_default()
        };
        Self {
            pixels: classes.iter().map(colour).collect(),
            width: width.max(1),
        }
    }

    /// A cross of the class's colour around a point, which may lie outside.
    pub fn mark(&mut self, (x, y): (f32, f32), class: usize) {
        let colour = COLOURS.get(class % COLOURS.len()).copied().unwrap_or_default();
        let (x, y) = (x.floor() as i64, y.floor() as i64);
        for (dx, dy) in [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)] {
            let (Ok(x), Ok(y)) = (usize::try_from(x + dx), usize::try_from(y + dy)) else {
                continue;
            };
            if x < self.width
                && let Some(pixel) = self.pixels.get_mut(y * self.width + x)
            {
                *pixel = colour;
            }
        }
    }

    /// Height and width.
    fn size(&self) -> (u32, u32) {
        (self.pixels.len().div_ceil(self.width) as u32, self.width as u32)
    }
}

/// Pictures row by row, each pixel `scale` wide and high, in cells as large as the largest of them.
pub fn panels(rows: &[Vec<Panel>], scale: u32) -> RgbImage {
    let all = rows.iter().flatten().map(Panel::size);
    let (height, width) = all.fold((0, 0), |(h, w), (height, width)| (h.max(height), w.max(width)));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let (down, along) = (height * scale + GAP, width * scale + GAP);
    let mut sheet = RgbImage::from_pixel(columns * along + GAP, rows.len() as u32 * down + GAP, FRAME);
    for (row, panels) in (0u32..).zip(rows) {
        for (column, panel) in (0u32..).zip(panels) {
            let (left, top) = (GAP + column * along, GAP + row * down);
            for (i, pixel) in (0u32..).zip(&panel.pixels) {
                let (x, y) = (i % panel.width as u32, i / panel.width as u32);
                for at in 0..scale * scale {
                    let (x, y) = (left + x * scale + at % scale, top + y * scale + at / scale);
                    if let Some(place) = sheet.get_pixel_mut_checked(x, y) {
                        *place = Rgb(*pixel);
                    }
                }
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_stand_in_a_grid() {
        let grey = Panel::grey(&[0., 0.5, 1., 2.], 2);
        let mut classes = Panel::classes(&[0, 1, 2, 3, 0, 0], 3);
        classes.mark((0.5, 0.9), 4);
        classes.mark((-9., 90.), 4);
        let sheet = panels(&[vec![grey.clone()], vec![grey, classes]], 2);
        // Cells of 2×3 pixels, doubled.
        assert_eq!(sheet.dimensions(), (6 + 2 * (6 + 6), 6 + 2 * (4 + 6)));
        let count = |colour: [u8; 3]| sheet.pixels().filter(|p| p.0 == colour).count();
        assert_eq!((count([128; 3]), count([0; 3])), (2 * 4, 2 * 4));
        // The mark took the place of classes 0, 1 and 3.
        let of = |class: usize| count(COLOURS[class]);
        assert_eq!((of(4), of(1), of(2), of(3), of(0)), (12, 0, 4, 0, 8));
        assert_eq!(panels(&[], 3).dimensions(), (6, 6));
    }
}
