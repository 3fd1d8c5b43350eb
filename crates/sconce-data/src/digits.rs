//! The digits that come with this crate.

use crate::{Error, Result};
use candle_core::{Device, Tensor};
use flate2::read::GzDecoder;
use std::io::Read;

const FILE: &str = "digits.csv.gz";
const CSV: &[u8] = include_bytes!("../data/digits.csv.gz");
const SIDE: usize = 8;

/// Handwritten digits: 1 797 real images of 8×8 pixels, from 13 people.
///
/// # Source
/// "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository, CC BY 4.0
#[derive(Debug, Clone)]
pub struct Digits {
    /// `[samples = 1797, channels = 1, height = 8, width = 8]`, `f32`, from 0 (background) to 16 (ink).
    pub images: Tensor,
    /// `[samples = 1797]`, `u32`, the digits.
    pub labels: Tensor,
}

/// The [`Digits`], on the CPU. They are part of the program: nothing is read from the disk.
///
/// # Errors
/// The data within the program is damaged.
///
/// # Example
/// ```
/// let digits = sconce_data::digits()?;
/// assert_eq!(digits.images.dims(), [1797, 1, 8, 8]);
/// assert_eq!(digits.labels.get(0)?.to_scalar::<u32>()?, 0);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn digits() -> Result<Digits> {
    let damaged = |problem: &str| Error::file(FILE, problem);
    let mut text = String::new();
    GzDecoder::new(CSV)
        .read_to_string(&mut text)
        .map_err(|error| damaged(&error.to_string()))?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (image, label) = line
            .rsplit_once(',')
            .ok_or_else(|| damaged("a line without a label"))?;
        labels.push(
            label
                .parse::<u32>()
                .map_err(|_| damaged("a label that is no number"))?,
        );
        for pixel in image.split(',') {
            pixels.push(
                pixel
                    .parse::<f32>()
                    .map_err(|_| damaged("a pixel that is no number"))?,
            );
        }
    }
    let n = labels.len();
    Ok(Digits {
        images: Tensor::from_vec(pixels, (n, 1, SIDE, SIDE), &Device::Cpu)?,
        labels: Tensor::from_vec(labels, n, &Device::Cpu)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_published_ones() {
        let digits = digits().unwrap();
        let labels = digits.labels.to_vec1::<u32>().unwrap();
        let mut counts = [0; 10];
        for label in labels {
            counts[label as usize] += 1;
        }
        // The counts that the data set's description states.
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let pixels = digits.images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(pixels.iter().all(|p| (0. ..=16.).contains(p) && p.fract() == 0.));
        assert_eq!(pixels[..8], [0., 0., 5., 13., 9., 1., 0., 0.]);
        let sum: f64 = pixels.iter().map(|&p| f64::from(p)).sum();
        assert_eq!(sum, 561_718.);
    }
}
