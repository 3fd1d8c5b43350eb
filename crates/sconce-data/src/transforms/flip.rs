//! Mirroring images.

use super::draw::{check_probability, happens};
use super::size::height_and_width;
use crate::Result;
use crate::dispatch::on_cpu;
use candle_core::{D, Tensor, WithDType, shape::Dim};
use sconce_core::{Generator, cpu};

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
    let images = images.contiguous()?;
    if axis + 1 == images.rank()
        && let Some(reversed) = on_cpu!(images, reverse_rows(&images))
    {
        return reversed;
    }
    Ok(images.flip(&[axis])?)
}

/// The last axis backwards on the CPU. candle goes there by an index of each element; along other axes it copies rows.
fn reverse_rows<T: WithDType>(images: &Tensor) -> Result<Tensor> {
    let width = images.dim(D::Minus1)?;
    let old = cpu::slice::<T>(images)?;
    let mut new: Vec<T> = Vec::with_capacity(old.len());
    // Without a width there are no rows, but chunks can't be 0 long.
    for row in old.chunks(width.max(1)) {
        new.extend(row.iter().rev());
    }
    Ok(Tensor::from_vec(new, images.dims(), images.device())?)
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
    use candle_core::{DType, Device};

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

    /// Rows reversed on the CPU and candle's flip for other types and devices agree.
    #[test]
    fn every_type_is_mirrored_the_same() {
        let pixels = Tensor::arange(1u32, 121, &Device::Cpu).unwrap();
        for dtype in [
            DType::U8,
            DType::U32,
            DType::I16,
            DType::I64,
            DType::F16,
            DType::F32,
            DType::F64,
        ] {
            // Transposed, so that it isn't contiguous, and cut out of a larger tensor.
            let large = pixels.to_dtype(dtype).unwrap().reshape((2, 3, 4, 5)).unwrap();
            let images = large.narrow(0, 1, 1).unwrap().t().unwrap();
            for (images, dims) in [(&large, [2, 3, 4, 5]), (&images, [1, 3, 5, 4])] {
                for (flipped, axis) in [(horizontal_flip(images), 3), (vertical_flip(images), 2)] {
                    let flipped = flipped.unwrap();
                    assert_eq!((flipped.dims(), flipped.dtype()), (&dims[..], dtype));
                    let values = |t: &Tensor| {
                        let t = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
                        t.to_vec1::<f64>().unwrap()
                    };
                    let expected = images.contiguous().unwrap().flip(&[axis]).unwrap();
                    assert_eq!(values(&flipped), values(&expected), "{dtype:?} {axis}");
                }
            }
            for dims in [(0, 3, 4), (2, 0, 4), (2, 3, 0)] {
                let none = Tensor::zeros(dims, dtype, &Device::Cpu).unwrap();
                for flipped in [horizontal_flip(&none), vertical_flip(&none)] {
                    assert_eq!(flipped.unwrap().dims(), none.dims());
                }
            }
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
