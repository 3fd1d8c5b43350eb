//! Single samples with what the model makes of them.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use std::fmt::Display;
use std::io::Cursor;

/// A sample with what it was taken for and what it is, for [`RunReport::with_samples`](crate::RunReport::with_samples).
///
/// # Example
/// ```
/// use sconce_train::{Sample, candle_core::{Device, Tensor}};
/// let picture = Tensor::new(&[[0f32, 0.5], [0.5, 1.]], &Device::Cpu)?;
/// let samples = [Sample::picture(&picture, 7, 1)?, Sample::text("good film", "positive", "positive")];
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub(super) input: Input,
    pub(super) predicted: String,
    pub(super) actual: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    Picture {
        width: usize,
        /// A file.
        png: Vec<u8>,
    },
    Text(String),
}

/// The longest side of a picture: a page holds them all.
const LARGEST: usize = 2048;

impl Sample {
    /// A picture, grey or red, green and blue. Floats are from 0 to 1 and whole numbers from 0 to 255; what lies outside is cut
    /// off, and NaN is black.
    ///
    /// # Shapes
    /// picture `[height, width]`, `[1, height, width]` or `[3, height, width]`
    ///
    /// # Errors
    /// Another shape, or a side that is 0 or longer than 2048.
    pub fn picture(picture: &Tensor, predicted: impl Display, actual: impl Display) -> Result<Self> {
        let (channels, height, width) = match *picture.dims() {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            _ => (0, 0, 0),
        };
        let side = 1..=LARGEST;
        if !side.contains(&height) || !side.contains(&width) {
            let expected =
                format!("[height, width], [1, height, width] or [3, height, width], sides 1 to {LARGEST}");
            let error = sconce_core::Error::shape("Sample", "picture", expected, picture.dims());
            return Err(error.into());
        }
        let most = if picture.dtype().is_float() { 1. } else { 255. };
        // Pixel by pixel, as files have them.
        let pixels = picture
            .reshape((channels, height * width))?
            .t()?
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        // Conversion cuts off what lies outside, and makes NaN 0.
        let bytes = pixels
            .iter()
            .map(|value| (value / most * 255.).round() as u8)
            .collect();
        let (w, h) = (width as u32, height as u32);
        let image = match channels {
            1 => GrayImage::from_raw(w, h, bytes).map(DynamicImage::from),
            _ => RgbImage::from_raw(w, h, bytes).map(DynamicImage::from),
        };
        let image = image.ok_or_else(|| Error::chart("picture", "its size and its pixels disagree"))?;
        let mut png = Cursor::new(Vec::new());
        image
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|error| Error::chart("picture", error))?;
        Ok(Self {
            input: Input::Picture {
                width,
                png: png.into_inner(),
            },
            predicted: predicted.to_string(),
            actual: actual.to_string(),
        })
    }

    /// A text.
    pub fn text(text: impl Into<String>, predicted: impl Display, actual: impl Display) -> Self {
        Self {
            input: Input::Text(text.into()),
            predicted: predicted.to_string(),
            actual: actual.to_string(),
        }
    }
}

/// Bytes as letters (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * place) & 63) as usize);
            // Three bytes are four letters, two are three.
            let letter = letter.filter(|_| place <= three.len());
            text.push(char::from(letter.copied().unwrap_or(b'=')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(sample: &Sample) -> RgbImage {
        match &sample.input {
            Input::Picture { png, .. } => image::load_from_memory(png).unwrap().to_rgb8(),
            Input::Text(text) => panic!("{text}"),
        }
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn pictures_keep_their_pixels() {
        let grey = [[0f32, 0.2], [1., 7.], [-1., f32::NAN]];
        let sample = Sample::picture(&Tensor::new(&grey, &Device::Cpu).unwrap(), 1, "one").unwrap();
        let picture = decoded(&sample);
        assert_eq!(picture.dimensions(), (2, 3));
        let values: Vec<u8> = picture.pixels().map(|pixel| pixel.0[0]).collect();
        assert_eq!(values, [0, 51, 255, 255, 0, 0]);
        assert_eq!((sample.predicted.as_str(), sample.actual.as_str()), ("1", "one"));

        // Two pixels side by side: (1, 3, 5) and (2, 4, 6).
        let colours = Tensor::new(&[[[1u8, 2]], [[3, 4]], [[5, 6]]], &Device::Cpu).unwrap();
        let picture = decoded(&Sample::picture(&colours, 0, 0).unwrap());
        assert_eq!(
            picture.pixels().map(|pixel| pixel.0).collect::<Vec<_>>(),
            [[1, 3, 5], [2, 4, 6]]
        );
        let turned = Tensor::new(&[[0f64, 1.], [0.4, 0.6]], &Device::Cpu)
            .unwrap()
            .t()
            .unwrap();
        let picture = decoded(&Sample::picture(&turned.unsqueeze(0).unwrap(), 0, 0).unwrap());
        let values: Vec<u8> = picture.pixels().map(|pixel| pixel.0[0]).collect();
        assert_eq!(values, [0, 102, 255, 153]);
    }

    #[test]
    fn other_shapes_are_refused() {
        for dims in [&[4][..], &[2, 3, 3], &[0, 3], &[3, 5, 2049], &[1, 1, 3, 3]] {
            let picture = Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
            let error = Sample::picture(&picture, 0, 0).unwrap_err().to_string();
            assert!(
                error.contains("picture") && error.contains(&format!("{dims:?}")),
                "{error}"
            );
        }
    }
}
