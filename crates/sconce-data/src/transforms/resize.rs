//! Resizing images.

use super::size::{check_side, room};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use sconce_core::cpu;

/// Resizes images by bilinear interpolation between the centres of pixels.
///
/// Each new pixel's centre falls at (i + ½)·old/new − ½ of the old grid and is interpolated between its neighbours; beyond
/// the edge, the edge's value counts. Images that shrink are not smoothed first.
///
/// # Shapes
/// images `[*, old height, old width]`, `f32`; output `[*, height, width]`, on the CPU
///
/// # Errors
/// Another element type, fewer than two axes, a side of length 0 or above 2²⁰, or more pixels than the memory has room for.
///
/// # Source
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::resize_bilinear};
/// let image = Tensor::new(&[[0f32, 4.]], &Device::Cpu)?;
/// assert_eq!(resize_bilinear(&image, 1, 4)?.to_vec2::<f32>()?, [[0., 1., 3., 4.]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn resize_bilinear(images: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (&[.., old_height, old_width], DType::F32) = (images.dims(), images.dtype()) else {
        let value = format!("{:?} of shape {:?}", images.dtype(), images.dims());
        return Err(Error::config("images", value, "F32 of shape [*, height, width]"));
    };
    if [old_height, old_width, height, width].contains(&0) {
        let value = format!("{old_height}×{old_width}, to be {height}×{width}");
        return Err(Error::config("images", value, "sides of at least 1"));
    }
    check_side("height", height)?;
    check_side("width", width)?;
    let images = images.to_device(&Device::Cpu)?.contiguous()?;
    let mut dims = images.dims().to_vec();
    if let [.., h, w] = dims.as_mut_slice() {
        (*h, *w) = (height, width);
    }
    let mut resized = room::<f32>(&dims)?;
    let (rows, columns) = (weights(old_height, height), weights(old_width, width));
    let mut between = vec![0f32; old_width];
    let pixels = cpu::slice::<f32>(&images)?;
    for image in pixels.chunks_exact(old_height * old_width) {
        let line = |row: usize| {
            image
                .get(row * old_width..(row + 1) * old_width)
                .unwrap_or_default()
        };
        for &(above, below, part) in &rows {
            for ((value, a), b) in between.iter_mut().zip(line(above)).zip(line(below)) {
                *value = a + (b - a) * part;
            }
            let value = |column: usize| between.get(column).copied().unwrap_or_default();
            resized.extend(columns.iter().map(|&(left, right, part)| {
                let left = value(left);
                left + (value(right) - left) * part
            }));
        }
    }
    Ok(Tensor::from_vec(resized, dims, &Device::Cpu)?)
}

/// For each new position: its two neighbours in the old grid, and how far it is from the first to the second.
fn weights(old: usize, new: usize) -> Vec<(usize, usize, f32)> {
    let scale = old as f32 / new as f32;
    let weight = |i: usize| {
        let position = ((i as f32 + 0.5) * scale - 0.5).max(0.);
        let first = (position as usize).min(old - 1);
        (first, (first + 1).min(old - 1), position - first as f32)
    };
    (0..new).map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_pytorchs() {
        let images = Tensor::new(&[[[[1f32, 2., 4.], [3., 5., 9.]]]], &Device::Cpu).unwrap();
        let images = Tensor::cat(&[&images, &(&images * 2.).unwrap()], 0).unwrap();
        // torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False)
        let cases: [(usize, usize, &[f32]); 4] = [
            (
                4,
                5,
                &[
                    1., 1.4, 2., 3.2, 4., 1.5, 2., 2.75, 4.25, 5.25, 2.5, 3.2, 4.25, 6.35, 7.75, 3., 3.8, 5.,
                    7.4, 9.,
                ],
            ),
            (3, 2, &[1.25, 3.5, 2.375, 5.75, 3.5, 8.]),
            (1, 1, &[3.5]),
            (2, 3, &[1., 2., 4., 3., 5., 9.]),
        ];
        for (height, width, expected) in cases {
            let resized = resize_bilinear(&images, height, width).unwrap();
            assert_eq!(resized.dims(), [2, 1, height, width]);
            let values = resized.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (i, value) in values.iter().enumerate() {
                let expected = expected[i % expected.len()] * if i < expected.len() { 1. } else { 2. };
                assert!((value - expected).abs() < 1e-5, "{height}×{width}: {values:?}");
            }
        }
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        let cpu = &Device::Cpu;
        for images in [
            Tensor::zeros((2, 2), DType::U8, cpu).unwrap(),
            Tensor::zeros(2, DType::F32, cpu).unwrap(),
            Tensor::zeros((0, 2), DType::F32, cpu).unwrap(),
        ] {
            assert!(resize_bilinear(&images, 2, 2).is_err(), "{images:?}");
        }
        let image = Tensor::zeros((2, 2), DType::F32, cpu).unwrap();
        let error = resize_bilinear(&image, 0, 3).unwrap_err().to_string();
        assert_eq!(error, "images is 2×2, to be 0×3, expected sides of at least 1");
        for (height, width, message) in [
            (
                1 << 62,
                1 << 62,
                "height is 4611686018427387904, expected at most 1048576",
            ),
            (2, 1 << 33, "width is 8589934592, expected at most 1048576"),
            (
                1 << 20,
                1 << 20,
                "height and width is 1048576×1048576, expected few enough pixels for the memory",
            ),
        ] {
            let error = resize_bilinear(&image, height, width).unwrap_err().to_string();
            assert_eq!(error, message);
        }
    }
}
