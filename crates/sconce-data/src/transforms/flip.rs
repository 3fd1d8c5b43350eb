//! Mirroring images.

use super::draw::{check_probability, happens};
use super::size::height_and_width;
use crate::Result;
use candle_core::{D, Tensor, shape::Dim};
use sconce_core::Generator;

/// Mirrors images left to right.
///
/// # Shapes
/// images `[*, height, width]`, any type; output the same
///
/// # Errors
/// Fewer than two axes.
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::horizontal_flip};
/// let image = Tensor::new(&[[1u8, 2], [3, 4]], &Device::Cpu)?;
/// assert_eq!(horizontal_flip(&image)?.to_vec2::<u8>()?, [[2, 1], [4, 3]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn horizontal_flip(images: &Tensor) -> Result<Tensor> {
    height_and_width(images)?;
    backwards(images, D::Minus1)
}

/// Mirrors images top to bottom.
///
/// # Shapes
/// images `[*, height, width]`, any type; output the same
///
/// # Errors
/// Fewer than two axes.
pub fn vertical_flip(images: &Tensor) -> Result<Tensor> {
    height_and_width(images)?;
    backwards(images, D::Minus2)
}

/// An axis from its end to its beginning.
pub(super) fn backwards(images: &Tensor, axis: D) -> Result<Tensor> {
    let axis = axis.to_index(images.shape(), "flip")?;
    Ok(images.contiguous()?.flip(&[axis])?)
}

/// Mirrors images left to right in half of the calls, or with another probability; all images of a call or none.
///
/// # Shapes
/// images `[*, height, width]`, any type; output the same
///
/// # Errors
/// `new`: the probability isn't from 0 to 1. `apply`: fewer than two axes.
///
/// # Source
/// `torchvision.transforms.v2.RandomHorizontalFlip`
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::RandomHorizontalFlip};
/// let image = Tensor::new(&[[1u8, 2]], &Device::Cpu)?;
/// let flip = RandomHorizontalFlip::new(1.)?;
/// assert_eq!(flip.apply(&image, &Generator::new(0))?.to_vec2::<u8>()?, [[2, 1]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RandomHorizontalFlip {
    p: f64,
}

impl RandomHorizontalFlip {
    /// With the probability `p`.
    pub fn new(p: f64) -> Result<Self> {
        check_probability(p)?;
        Ok(Self { p })
    }

    /// Mirrors or doesn't, as the generator draws.
    pub fn apply(&self, images: &Tensor, generator: &Generator) -> Result<Tensor> {
        match happens(generator, self.p) {
            true => horizontal_flip(images),
            false => Ok(images.clone()),
        }
    }
}

/// Mirrors images top to bottom in half of the calls, or with another probability; all images of a call or none.
///
/// # Shapes
/// images `[*, height, width]`, any type; output the same
///
/// # Errors
/// `new`: the probability isn't from 0 to 1. `apply`: fewer than two axes.
///
/// # Source
/// `torchvision.transforms.v2.RandomVerticalFlip`
#[derive(Debug, Clone, PartialEq)]
pub struct RandomVerticalFlip {
    p: f64,
}

impl RandomVerticalFlip {
    /// With the probability `p`.
    pub fn new(p: f64) -> Result<Self> {
        check_probability(p)?;
        Ok(Self { p })
    }

    /// Mirrors or doesn't, as the generator draws.
    pub fn apply(&self, images: &Tensor, generator: &Generator) -> Result<Tensor> {
        match happens(generator, self.p) {
            true => vertical_flip(images),
            false => Ok(images.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn as_often_as_the_probability_says() {
        let image = Tensor::new(&[[1u8, 2], [3, 4]], &Device::Cpu).unwrap();
        let generator = Generator::new(1);
        for (p, least, most) in [(0., 0, 0), (0.5, 400, 600), (0.9, 850, 950), (1., 1000, 1000)] {
            let (horizontal, vertical) = (
                RandomHorizontalFlip::new(p).unwrap(),
                RandomVerticalFlip::new(p).unwrap(),
            );
            let count = |flip: &dyn Fn() -> Result<Tensor>, flipped: [[u8; 2]; 2]| {
                let draws = (0..1000).map(|_| flip().unwrap().to_vec2::<u8>().unwrap());
                draws.filter(|image| *image == flipped).count()
            };
            let counts = [
                count(&|| horizontal.apply(&image, &generator), [[2, 1], [4, 3]]),
                count(&|| vertical.apply(&image, &generator), [[3, 4], [1, 2]]),
            ];
            assert!(
                counts.iter().all(|count| (least..=most).contains(count)),
                "{p}: {counts:?}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(RandomHorizontalFlip::new(p).is_err() && RandomVerticalFlip::new(p).is_err());
        }
        let line = Tensor::new(&[1u8, 2], &Device::Cpu).unwrap();
        for flipped in [horizontal_flip(&line), vertical_flip(&line)] {
            let error = flipped.unwrap_err().to_string();
            assert_eq!(error, "images is of shape [2], expected [*, height, width]");
        }
    }
}
