//! Normalising images.

use crate::{Error, Result};
use candle_core::{DType, Module, Tensor};

/// Brings each channel to mean 0 and standard deviation 1: y = (x − mean) / std.
///
/// It is a candle [`Module`], so it can stand in front of a network and turn batches of bytes into numbers there.
///
/// # Shapes
/// input `[batch, channels, *]`, any type; output the same, `f32` unless the input is `f64`, `f16` or `bf16`
///
/// # Errors
/// `new`: different numbers of means and deviations, none at all, or a deviation that isn't above 0. `forward`: another
/// number of channels.
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Module, Tensor}, transforms::Normalize};
/// let normalize = Normalize::new(&[100.], &[50.])?;
/// let images = Tensor::new(&[[[[0u8, 200]]]], &Device::Cpu)?;
/// assert_eq!(normalize.forward(&images)?.flatten_all()?.to_vec1::<f32>()?, [-2., 2.]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// From each channel's mean and standard deviation, in the pixels' units.
    pub fn new(mean: &[f64], std: &[f64]) -> Result<Self> {
        if mean.len() != std.len() || mean.is_empty() {
            let value = format!("{mean:?} and {std:?}");
            return Err(Error::config(
                "mean and std",
                value,
                "one of each for every channel",
            ));
        }
        if let Some(bad) = mean.iter().find(|m| !m.is_finite()) {
            return Err(Error::config("mean", bad, "a finite number"));
        }
        if let Some(bad) = std.iter().find(|s| !(s.is_finite() && **s > 0.)) {
            return Err(Error::config("std", bad, "above 0"));
        }
        Ok(Self {
            mean: mean.to_vec(),
            std: std.to_vec(),
        })
    }
}

impl Module for Normalize {
    fn forward(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        let x = match images.dtype() {
            DType::F64 | DType::F16 | DType::BF16 | DType::F32 => images.clone(),
            _ => images.to_dtype(DType::F32)?,
        };
        let channels = x.dims().get(1).copied().unwrap_or(0);
        // The mean goes first: x/std − mean/std cancels where both are large.
        match (self.mean.as_slice(), self.std.as_slice()) {
            (&[mean], &[std]) if channels == 1 => (x - mean)? / std,
            _ if channels == self.mean.len() => {
                let mut dims = vec![1; x.rank()];
                if let Some(axis) = dims.get_mut(1) {
                    *axis = channels;
                }
                let per_channel = |values: &[f64]| {
                    let values = Tensor::new(values, x.device())?.reshape(dims.as_slice())?;
                    values.to_dtype(x.dtype())
                };
                x.broadcast_sub(&per_channel(&self.mean)?)?
                    .broadcast_div(&per_channel(&self.std)?)
            }
            _ => {
                let value = format!("of shape {:?}", images.dims());
                let expected = format!("[batch, channels = {}, *]", self.mean.len());
                Err(Error::config("images", value, expected).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn each_channel_has_its_own() {
        let x = Tensor::new(&[[[1f64, 3.], [10., 30.]]], &Device::Cpu).unwrap();
        let y = Normalize::new(&[1., 20.], &[2., 10.])
            .unwrap()
            .forward(&x)
            .unwrap();
        assert_eq!(y.to_vec3::<f64>().unwrap(), [[[0., 1.], [-1., 1.]]]);
        let error = Normalize::new(&[1.], &[2.]).unwrap().forward(&x).unwrap_err();
        assert_eq!(
            Error::from(error).to_string(),
            "images is of shape [1, 2, 2], expected [batch, channels = 1, *]"
        );
    }

    /// x·(1/std) − mean/std loses what is left of a small difference of large numbers.
    #[test]
    fn large_offsets_leave_what_is_left() {
        for channels in [1, 2] {
            let normalized = |pixel: f64, mean: f64, std: f64, dtype| {
                let x = Tensor::full(pixel, (1, channels, 1), &Device::Cpu).unwrap();
                let x = x.to_dtype(dtype).unwrap();
                let y = Normalize::new(&vec![mean; channels], &vec![std; channels])
                    .unwrap()
                    .forward(&x)
                    .unwrap();
                y.to_dtype(DType::F64)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f64>()
                    .unwrap()
            };
            for y in normalized(10_000.007_812_5, 10_000., 0.01, DType::F32) {
                assert!((y - 0.781_25).abs() < 1e-6, "{channels}: {y}");
            }
            for (dtype, epsilon) in [(DType::F16, 1e-3), (DType::F32, 1e-7), (DType::F64, 1e-15)] {
                for y in normalized(2001., 2000., 5., dtype) {
                    assert!((y - 0.2).abs() < epsilon, "{channels} {dtype:?}: {y}");
                }
            }
        }
    }

    #[test]
    fn options_that_make_no_sense_are_errors() {
        for (mean, std) in [
            (&[0.][..], &[0.][..]),
            (&[0.], &[-1.]),
            (&[0.], &[f64::NAN]),
            (&[], &[]),
            (&[0., 1.], &[1.]),
        ] {
            assert!(Normalize::new(mean, std).is_err(), "{mean:?} {std:?}");
        }
    }
}
