//! Drawing which pixels of a picture count.

use image::{Rgb, RgbImage};

/// Each pixel is a square of this side.
const SCALE: u32 = 8;
const GAP: u32 = 8;

/// A picture beside what each of its pixels is worth: from black over red and yellow to white, the most for the greatest
/// absolute value. Both are `width` pixels wide, row by row; the picture's values lie between 0 and 1.
pub fn heat(picture: &[f32], worth: &[f32], width: u32) -> RgbImage {
    let width = width.max(1);
    let height = (picture.len() as u32).div_ceil(width);
    let most = worth.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    let mut sheet = RgbImage::from_pixel(2 * width * SCALE + GAP, height * SCALE, Rgb([40; 3]));
    let grey = picture.iter().map(|v| Rgb([(v.clamp(0., 1.) * 255.) as u8; 3]));
    let heat = worth.iter().map(|v| glow(v.abs() / most));
    for (i, colour) in (0u32..).zip(grey) {
        square(&mut sheet, i % width, i / width, 0, colour);
    }
    for (i, colour) in (0u32..).zip(heat) {
        square(&mut sheet, i % width, i / width, width * SCALE + GAP, colour);
    }
    sheet
}

/// Black at 0, red at a third, yellow at two thirds, white at 1.
fn glow(value: f32) -> Rgb<u8> {
    let part = |from: f32| ((3. * value - from).clamp(0., 1.) * 255.) as u8;
    Rgb([part(0.), part(1.), part(2.)])
}

fn square(sheet: &mut RgbImage, column: u32, row: u32, left: u32, colour: Rgb<u8>) {
    for at in 0..SCALE * SCALE {
        let (x, y) = (left + column * SCALE + at % SCALE, row * SCALE + at / SCALE);
        if let Some(pixel) = sheet.get_pixel_mut_checked(x, y) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_most_is_white() {
        let sheet = heat(&[0., 0.5, 1., 0.], &[0., -4., 1., 2.], 2);
        assert_eq!(sheet.dimensions(), (4 * SCALE + GAP, 2 * SCALE));
        let right = 2 * SCALE + GAP;
        let at = |x, y| sheet.get_pixel(x, y).0;
        assert_eq!(
            (at(0, 0), at(SCALE, 0), at(0, SCALE)),
            ([0; 3], [127; 3], [255; 3])
        );
        assert_eq!((at(right, 0), at(right + SCALE, 0)), ([0; 3], [255; 3]));
        assert_eq!(
            (at(right, SCALE), at(right + SCALE, SCALE)),
            ([191, 0, 0], [255, 127, 0])
        );
        assert!(heat(&[], &[], 0).pixels().all(|p| p.0 == [40; 3]));
    }
}
