//! Cutting images out of larger ones.

use super::draw::below;
use super::size::{check_side, height_and_width};
use super::window::{Span, window};
use crate::{Error, Result};
use candle_core::Tensor;
use sconce_core::Generator;

/// Cuts the middle out of images; where they are smaller than what is asked for, zeros are put around them.
///
/// What can't be halved goes by torchvision's rules: the cut begins at (old − new)/2, rounded to the even number; of the
/// zeros the larger half is after.
///
/// # Shapes
/// images `[*, old height, old width]`, any type; output `[*, height, width]`
///
/// # Errors
/// Fewer than two axes, a side above 2²⁰, or more pixels than the memory has room for.
///
/// # Source
/// `torchvision.transforms.v2.CenterCrop`
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::center_crop};
/// let image = Tensor::arange(0u8, 16, &Device::Cpu)?.reshape((4, 4))?;
/// assert_eq!(center_crop(&image, 2, 2)?.to_vec2::<u8>()?, [[5, 6], [9, 10]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn center_crop(images: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    check_side("height", height)?;
    check_side("width", width)?;
    let [old_height, old_width] = height_and_width(images)?;
    window(images, middle(old_height, height), middle(old_width, width), 0.)
}

/// The middle, or what has the images in its middle.
fn middle(old: usize, new: usize) -> Span {
    match new.checked_sub(old) {
        Some(missing) => Span::new(0, new, missing / 2, old),
        None => Span::new(((old - new) as f64 / 2.).round_ties_even() as usize, new, 0, old),
    }
}

/// Cuts a rectangle out of images.
///
/// # Shapes
/// images `[*, old height, old width]`, any type; output `[*, height, width]`
///
/// # Errors
/// Fewer than two axes, or the rectangle reaches past the images.
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::crop};
/// let image = Tensor::arange(0u8, 6, &Device::Cpu)?.reshape((2, 3))?;
/// assert_eq!(crop(&image, 1, 0, 1, 2)?.to_vec2::<u8>()?, [[3, 4]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn crop(images: &Tensor, top: usize, left: usize, height: usize, width: usize) -> Result<Tensor> {
    let [old_height, old_width] = height_and_width(images)?;
    let fits = |start: usize, len: usize, old: usize| start.checked_add(len).is_some_and(|end| end <= old);
    if !fits(top, height, old_height) || !fits(left, width, old_width) {
        let value = format!("{height}×{width} at row {top}, column {left}");
        let expected = format!("within the images' {old_height}×{old_width}");
        return Err(Error::config("crop", value, expected));
    }
    let (rows, columns) = (
        Span::new(top, height, 0, old_height),
        Span::new(left, width, 0, old_width),
    );
    window(images, rows, columns, 0.)
}

/// Options of [`RandomCrop`].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomCropConfig {
    /// Rows of the output.
    pub height: usize,
    /// Columns of the output.
    pub width: usize,
    /// What is put around the images first: left, top, right, bottom.
    pub padding: [usize; 4],
    /// Put as much around images that are too small, on both sides, as they lack.
    pub pad_if_needed: bool,
    /// The value that is put around.
    pub fill: f64,
}

impl RandomCropConfig {
    /// A size, and nothing around the images.
    pub fn new(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            padding: [0; 4],
            pad_if_needed: false,
            fill: 0.,
        }
    }
}

/// Cuts a rectangle out of images at a random place; all images of a call are cut at the same.
///
/// # Shapes
/// images `[*, old height, old width]`, any type; output `[*, height, width]`
///
/// # Errors
/// `new`: a side of length 0, or sides or padding above 2²⁰. `apply`: fewer than two axes; the images, with what is around them, are too small; a fill
/// that their type can't hold.
///
/// # Source
/// `torchvision.transforms.v2.RandomCrop`
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::{RandomCrop, RandomCropConfig}};
/// let crop = RandomCrop::new(&RandomCropConfig { padding: [4; 4], ..RandomCropConfig::new(32, 32) })?;
/// let image = Tensor::zeros((3, 32, 32), sconce_data::candle_core::DType::F32, &Device::Cpu)?;
/// assert_eq!(crop.apply(&image, &Generator::new(0))?.dims(), [3, 32, 32]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RandomCrop {
    cfg: RandomCropConfig,
}

impl RandomCrop {
    /// Cuts of one size.
    pub fn new(cfg: &RandomCropConfig) -> Result<Self> {
        if cfg.height == 0 || cfg.width == 0 {
            let value = format!("{}×{}", cfg.height, cfg.width);
            return Err(Error::config("height and width", value, "at least 1"));
        }
        check_side("height", cfg.height)?;
        check_side("width", cfg.width)?;
        for side in cfg.padding {
            check_side("padding", side)?;
        }
        Ok(Self { cfg: cfg.clone() })
    }

    /// Cuts at a place that the generator draws: a row, then a column.
    pub fn apply(&self, images: &Tensor, generator: &Generator) -> Result<Tensor> {
        let (cfg, [height, width]) = (&self.cfg, height_and_width(images)?);
        let [mut left, mut top, mut right, mut bottom] = cfg.padding;
        if cfg.pad_if_needed {
            let lacking = cfg.height.saturating_sub(height + top + bottom);
            (top, bottom) = (top + lacking, bottom + lacking);
            let lacking = cfg.width.saturating_sub(width + left + right);
            (left, right) = (left + lacking, right + lacking);
        }
        let (padded_height, padded_width) = (height + top + bottom, width + left + right);
        if padded_height < cfg.height || padded_width < cfg.width {
            let value = format!("{padded_height}×{padded_width} with what is put around them");
            let expected = format!("at least {}×{}", cfg.height, cfg.width);
            return Err(Error::config("images", value, expected));
        }
        let row = below(generator, padded_height - cfg.height + 1);
        let column = below(generator, padded_width - cfg.width + 1);
        let rows = Span::new(row, cfg.height, top, height);
        window(images, rows, Span::new(column, cfg.width, left, width), cfg.fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use std::collections::BTreeSet;

    fn image(height: usize, width: usize) -> Tensor {
        let n = (height * width) as u32;
        let x = Tensor::arange(1u32, n + 1, &Device::Cpu).unwrap();
        x.reshape((1, height, width)).unwrap()
    }

    #[test]
    fn every_place_is_drawn_and_nothing_else() {
        let cut = RandomCrop::new(&RandomCropConfig::new(2, 3)).unwrap();
        let generator = Generator::new(0);
        let corners: BTreeSet<u32> = (0..200)
            .map(|_| {
                let cut = cut
                    .apply(&image(4, 4), &generator)
                    .unwrap()
                    .to_vec3::<u32>()
                    .unwrap();
                let corner = cut[0][0][0];
                let rows = [corner, corner + 4].map(|first| vec![first, first + 1, first + 2]);
                assert_eq!(cut[0], rows);
                corner
            })
            .collect();
        assert_eq!(corners, BTreeSet::from([1, 2, 5, 6, 9, 10]));
    }

    #[test]
    fn a_seed_decides_the_place() {
        let cut = RandomCrop::new(&RandomCropConfig::new(2, 2)).unwrap();
        let draw = |seed| {
            let generator = Generator::new(seed);
            let cuts = (0..8).map(|_| cut.apply(&image(9, 9), &generator).unwrap());
            cuts.map(|cut| cut.to_vec3::<u32>().unwrap()[0][0][0])
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn what_is_around_has_the_fill() {
        let cfg = RandomCropConfig {
            padding: [1, 2, 3, 0],
            fill: 9.,
            ..RandomCropConfig::new(4, 6)
        };
        let cut = RandomCrop::new(&cfg)
            .unwrap()
            .apply(&image(2, 2), &Generator::new(0))
            .unwrap();
        let expected = [[9; 6], [9; 6], [9, 1, 2, 9, 9, 9], [9, 3, 4, 9, 9, 9]];
        assert_eq!(cut.to_vec3::<u32>().unwrap()[0], expected);

        let needed = RandomCropConfig {
            pad_if_needed: true,
            ..RandomCropConfig::new(1, 4)
        };
        let cut = RandomCrop::new(&needed).unwrap();
        let generator = Generator::new(1);
        // Two columns lack, so two are put on either side: 0 0 1 2 0 0.
        let firsts: BTreeSet<Vec<u32>> = (0..100)
            .map(|_| {
                cut.apply(&image(1, 2), &generator)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1()
                    .unwrap()
            })
            .collect();
        let expected = [[0, 0, 1, 2], [0, 1, 2, 0], [1, 2, 0, 0]].map(Vec::from);
        assert_eq!(firsts, BTreeSet::from(expected));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(RandomCrop::new(&RandomCropConfig::new(0, 2)).is_err());
        assert!(RandomCrop::new(&RandomCropConfig::new(2, usize::MAX)).is_err());
        let padding = [0, usize::MAX, 1, 0];
        assert!(
            RandomCrop::new(&RandomCropConfig {
                padding,
                ..RandomCropConfig::new(2, 2)
            })
            .is_err()
        );
        assert!(center_crop(&image(2, 2), usize::MAX, 1).is_err());
        // Copied row by row, and by candle's operations.
        for dtype in [DType::U8, DType::F32, DType::F16] {
            let image = image(2, 2).to_dtype(dtype).unwrap();
            let error = center_crop(&image, 1 << 20, 1 << 20).unwrap_err().to_string();
            let expected = "height and width is 1048576×1048576, expected few enough pixels for the memory";
            assert_eq!(error, expected, "{dtype:?}");
        }
        let cut = RandomCrop::new(&RandomCropConfig {
            padding: [1; 4],
            ..RandomCropConfig::new(5, 4)
        })
        .unwrap();
        let error = cut
            .apply(&image(2, 2), &Generator::new(0))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "images is 4×4 with what is put around them, expected at least 5×4"
        );
        let error = crop(&image(2, 3), 1, 1, 1, 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "crop is 1×3 at row 1, column 1, expected within the images' 2×3"
        );
        assert!(crop(&image(2, 3), usize::MAX, 0, 2, 1).is_err());
        let bytes = image(2, 2).to_dtype(DType::U8).unwrap();
        let cfg = RandomCropConfig {
            padding: [1; 4],
            fill: -1.,
            ..RandomCropConfig::new(2, 2)
        };
        let error = RandomCrop::new(&cfg)
            .unwrap()
            .apply(&bytes, &Generator::new(0))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "fill is -1, expected a whole number from 0 to 255 for pixels of U8"
        );
        let line = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        assert!(center_crop(&line, 1, 1).is_err());
    }
}
