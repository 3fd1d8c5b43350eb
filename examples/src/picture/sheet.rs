//! Drawing a sheet of digits with what a network took them for.

use image::{Rgb, RgbImage};

/// Each pixel of a digit, and each of the number below it, is a square of this side.
const SCALE: u32 = 2;
const MARGIN: u32 = 6;
/// Below a digit: five pixels of type and some air.
const CAPTION: u32 = 9;
const RIGHT: Rgb<u8> = Rgb([90, 220, 120]);
const WRONG: Rgb<u8> = Rgb([255, 90, 90]);

/// The numbers from 0 to 9, three pixels wide and five high, a row an octal digit.
const TYPE: [u16; 10] = [
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71122, 0o75757, 0o75717,
];

/// A digit on a sheet.
pub struct Digit {
    /// Ink from 0 to 1, row by row, in a square.
    pub pixels: Vec<f32>,
    /// What it is.
    pub label: usize,
    /// What it was taken for.
    pub predicted: usize,
}

/// Digits side by side, `columns` in a row, each with the prediction below it: green if it is right, else red and followed by
/// what it should have been.
pub fn sheet(digits: &[Digit], columns: u32) -> RgbImage {
    let side = digits
        .iter()
        .map(|digit| digit.pixels.len().isqrt() as u32)
        .max()
        .unwrap_or(0);
    let (step_x, step_y) = (side * SCALE + MARGIN, (side + CAPTION) * SCALE + MARGIN);
    let rows = (digits.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::new(columns * step_x + MARGIN, rows * step_y + MARGIN);
    for (i, digit) in (0u32..).zip(digits) {
        let (left, top) = (i % columns * step_x + MARGIN, i / columns * step_y + MARGIN);
        for (at, ink) in (0u32..).zip(&digit.pixels) {
            let grey = (ink.clamp(0., 1.) * 255.) as u8;
            square(
                &mut sheet,
                left + at % side * SCALE,
                top + at / side * SCALE,
                Rgb([grey; 3]),
            );
        }
        let right = digit.predicted == digit.label;
        let below = top + (side + 2) * SCALE;
        number(
            &mut sheet,
            left,
            below,
            digit.predicted,
            if right { RIGHT } else { WRONG },
        );
        if !right {
            number(&mut sheet, left + 6 * SCALE, below, digit.label, RIGHT);
        }
    }
    sheet
}

fn number(sheet: &mut RgbImage, left: u32, top: u32, value: usize, colour: Rgb<u8>) {
    let shape = TYPE.get(value).copied().unwrap_or_default();
    for at in 0..15 {
        if shape >> (14 - at) & 1 == 1 {
            square(sheet, left + at % 3 * SCALE, top + at / 3 * SCALE, colour);
        }
    }
}

fn square(sheet: &mut RgbImage, left: u32, top: u32, colour: Rgb<u8>) {
    for (x, y) in (0..SCALE * SCALE).map(|i| (left + i % SCALE, top + i / SCALE)) {
        if let Some(pixel) = sheet.get_pixel_mut_checked(x, y) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_is_green_and_wrong_is_red() {
        let digit = |label, predicted| Digit {
            pixels: vec![0.5; 64],
            label,
            predicted,
        };
        let count = |sheet: &RgbImage, colour| sheet.pixels().filter(|p| **p == colour).count();
        let right = sheet(&[digit(3, 3)], 1);
        assert_eq!(right.dimensions(), (8 * 2 + 12, (8 + 9) * 2 + 12));
        // A 3 in type has 11 pixels, a 1 has 8.
        assert_eq!((count(&right, RIGHT), count(&right, WRONG)), (11 * 4, 0));
        let wrong = sheet(&[digit(3, 1), digit(3, 3)], 2);
        assert_eq!((count(&wrong, RIGHT), count(&wrong, WRONG)), (22 * 4, 8 * 4));
        assert_eq!(count(&right, Rgb([127; 3])), 64 * 4);
        assert!(sheet(&[], 3).pixels().all(|p| *p == Rgb([0; 3])));
    }
}
