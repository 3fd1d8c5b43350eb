//! Reading a picture of a digit, whoever drew it.

use crate::{Failure, Result};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageReader};
use std::path::Path;

/// How far a picture's ink must stand out from its background, of 255.
const LEAST_CONTRAST: u8 = 25;
/// How dark a pixel must be to count as part of the digit, of 255.
const LEAST_INK: u8 = 50;

/// A digit cut out of its picture: ink from 0 (none) to 255.
#[derive(Debug, Clone)]
pub struct Drawing(GrayImage);

/// Reads a PNG of one digit: grey or in colour, with or without transparency, of any size, dark on light or light on dark.
///
/// # Errors
/// The file can't be read or isn't a PNG, or nothing in it stands out.
pub fn read(path: &Path) -> Result<Drawing> {
    let picture = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|error| Failure::at(path, error))?
        .decode()
        .map_err(|error| Failure::at(path, format!("can't be read as a PNG: {error}")))?;
    cut_out(&picture).ok_or_else(|| {
        Failure::at(
            path,
            "holds no digit: nothing in it stands out from its background",
        )
    })
}

fn cut_out(picture: &DynamicImage) -> Option<Drawing> {
    // White ink on nothing shows on black paper alone.
    [255, 0]
        .into_iter()
        .find_map(|paper| ink(on_paper(picture, paper)))
}

fn ink(mut grey: GrayImage) -> Option<Drawing> {
    let background = background(&grey)?;
    if background > 127 {
        imageops::invert(&mut grey);
    }
    let background = background.min(255 - background);
    let contrast = grey.pixels().map(|p| p.0[0]).max()?.saturating_sub(background);
    if contrast < LEAST_CONTRAST {
        return None;
    }
    for pixel in grey.pixels_mut() {
        let [value] = &mut pixel.0;
        *value = (u32::from(value.saturating_sub(background)) * 255 / u32::from(contrast)).min(255) as u8;
    }
    let inked = grey.enumerate_pixels().filter(|(.., p)| p.0[0] >= LEAST_INK);
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in inked {
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    let (width, height) = (right - left + 1, bottom - top + 1);
    Some(Drawing(
        imageops::crop_imm(&grey, left, top, width, height).to_image(),
    ))
}

/// Grey, with what is transparent laid on paper.
fn on_paper(picture: &DynamicImage, paper: u32) -> GrayImage {
    let picture = picture.to_luma_alpha8();
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [grey, opaque] = picture.get_pixel(x, y).0;
        let mixed = u32::from(grey) * u32::from(opaque) + paper * (255 - u32::from(opaque));
        image::Luma([(mixed / 255) as u8])
    })
}

/// The median along the border.
fn background(grey: &GrayImage) -> Option<u8> {
    let (width, height) = grey.dimensions();
    let border = |x, y| x == 0 || y == 0 || x + 1 == width || y + 1 == height;
    let mut values: Vec<u8> = grey
        .enumerate_pixels()
        .filter(|&(x, y, _)| border(x, y))
        .map(|(.., p)| p.0[0])
        .collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

impl Drawing {
    /// As MNIST's digits are made: the longer side scaled to 20, the centre of mass in the middle of 28×28.
    ///
    /// 784 values from 0 to 255, row by row.
    pub fn like_mnist(&self) -> Vec<f32> {
        let digit = self.scaled(20);
        let (mut mass, mut x_mass, mut y_mass) = (0., 0., 0.);
        for (x, y, pixel) in digit.enumerate_pixels() {
            let ink = f64::from(pixel.0[0]);
            mass += ink;
            x_mass += ink * (f64::from(x) + 0.5);
            y_mass += ink * (f64::from(y) + 0.5);
        }
        let place = |moment: f64, side: u32| {
            let start = (14. - moment / f64::max(mass, 1.)).round() as i64;
            start.clamp(0, 28 - i64::from(side))
        };
        placed(
            &digit,
            28,
            place(x_mass, digit.width()),
            place(y_mass, digit.height()),
        )
    }

    /// As the embedded digits are made: the longer side scaled to 32, in the middle of 32×32, of which blocks of 4×4 become
    /// a pixel.
    ///
    /// 64 values from 0 to 16, row by row.
    pub fn like_digits(&self) -> Vec<f32> {
        let digit = self.scaled(32);
        let middle = |side: u32| i64::from((32 - side) / 2);
        let fine = placed(&digit, 32, middle(digit.width()), middle(digit.height()));
        let mut coarse = vec![0f32; 64];
        for (y, line) in fine.chunks(32).enumerate() {
            let blocks = line.chunks(4).map(|block| block.iter().sum::<f32>() / 255.);
            for (sum, block) in coarse.iter_mut().skip(y / 4 * 8).zip(blocks) {
                *sum += block;
            }
        }
        coarse
    }

    fn scaled(&self, longer: u32) -> GrayImage {
        let (width, height) = self.0.dimensions();
        let most = u64::from(width.max(height));
        let scale = |side: u32| ((u64::from(side) * u64::from(longer) + most / 2) / most).max(1) as u32;
        imageops::resize(&self.0, scale(width), scale(height), FilterType::Triangle)
    }
}

/// The values of a black square with a picture laid on it.
fn placed(picture: &GrayImage, side: u32, x: i64, y: i64) -> Vec<f32> {
    let mut square = GrayImage::new(side, side);
    imageops::replace(&mut square, picture, x, y);
    square.pixels().map(|p| f32::from(p.0[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, LumaA, Rgb, RgbImage};

    /// A bar of 10×30 pixels in the corner of a picture.
    fn bar(ink: [u8; 3], paper: [u8; 3]) -> DynamicImage {
        let on = |x, y| (5..15).contains(&x) && (2..32).contains(&y);
        RgbImage::from_fn(60, 50, |x, y| Rgb(if on(x, y) { ink } else { paper })).into()
    }

    #[test]
    fn colours_and_polarity_do_not_matter() {
        let expected = cut_out(&bar([255; 3], [0; 3])).unwrap();
        assert_eq!(expected.0.dimensions(), (10, 30));
        for (ink, paper) in [
            ([0; 3], [255; 3]),
            ([20, 30, 160], [250, 240, 230]),
            ([90; 3], [40; 3]),
        ] {
            let drawing = cut_out(&bar(ink, paper)).unwrap();
            assert_eq!(
                drawing.like_mnist(),
                expected.like_mnist(),
                "{ink:?} on {paper:?}"
            );
            assert_eq!(drawing.like_digits(), expected.like_digits());
        }
        for ink in [0, 255] {
            let clear = image::GrayAlphaImage::from_fn(60, 50, |x, y| {
                let on = (5..15).contains(&x) && (2..32).contains(&y);
                LumaA(if on { [ink, 255] } else { [ink, 0] })
            });
            let drawing = cut_out(&clear.into()).unwrap();
            assert_eq!(drawing.like_mnist(), expected.like_mnist(), "{ink} on nothing");
        }
    }

    #[test]
    fn size_and_place_are_those_of_the_data() {
        let drawing = cut_out(&bar([255; 3], [0; 3])).unwrap();
        let mnist = drawing.like_mnist();
        let on: Vec<usize> = (0..784).filter(|&i| mnist[i] > 127.).collect();
        // 7×20 around the middle.
        assert_eq!((on[0] / 28, on[on.len() - 1] / 28, on.len()), (4, 23, 140));
        let digits = drawing.like_digits();
        assert_eq!(digits.len(), 64);
        assert!(digits.iter().all(|v| (0. ..=16.).contains(v)));
        assert_eq!((digits[0], digits[4]), (0., 16.));
    }

    #[test]
    fn nothing_to_see_is_an_error() {
        for grey in [0, 128, 255] {
            let blank = GrayImage::from_pixel(20, 20, Luma([grey]));
            assert!(cut_out(&blank.into()).is_none());
        }
        assert!(cut_out(&GrayImage::new(0, 0).into()).is_none());
        assert!(cut_out(&GrayImage::from_pixel(1, 1, Luma([9])).into()).is_none());
    }
}
