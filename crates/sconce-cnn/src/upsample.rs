//! Resampling to another size.

mod taps;

use crate::along::Along;
use crate::window::{axis_name, fits};
use candle_core::{Module, Result, Tensor};
use sconce_core::Error;

/// Options of [`Upsample`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct UpsampleConfig {
    /// What the output's size is.
    pub to: UpsampleTo,
    /// How values between the input's are found.
    pub mode: UpsampleMode,
    /// Whether the centres of the outermost elements of input and output coincide, rather than their outer edges. For
    /// [`UpsampleMode::Linear`] and [`UpsampleMode::Cubic`] alone.
    pub align_corners: bool,
    /// Whether positions follow from the sizes of input and output instead of the given factor, which differs where their
    /// product isn't whole.
    pub recompute_scale_factor: bool,
}

/// The output's size; a single number holds for all axes.
#[derive(Debug, Clone, PartialEq)]
pub enum UpsampleTo {
    /// The length of every axis.
    Size(Vec<usize>),
    /// What every axis's length is multiplied by; the product is rounded down.
    Scale(Vec<f64>),
}

/// How [`Upsample`] finds values between the input's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsampleMode {
    /// The element at the position rounded down: PyTorch's `nearest`.
    Nearest,
    /// The element that is nearest to the centre: PyTorch's `nearest-exact`.
    NearestExact,
    /// On a line between two neighbours on each axis: PyTorch's `linear`, `bilinear` and `trilinear`.
    Linear,
    /// On a cubic curve through four neighbours on each axis of an image: PyTorch's `bicubic`, a = −0.75.
    Cubic,
}

impl UpsampleConfig {
    /// The nearest element.
    pub fn new(to: UpsampleTo) -> Self {
        Self {
            to,
            mode: UpsampleMode::Nearest,
            align_corners: false,
            recompute_scale_factor: false,
        }
    }
}

/// Resamples every axis of positions to another length, by the nearest element or by interpolation.
///
/// On each axis y\[i\] = Σ_j w_j(s)·x\[j\] at s = (i + ½)·length / size − ½, or s = i·(length − 1) / (size − 1) with
/// `align_corners`; with a scale factor, 1 / factor stands for length / size. The weights w are those of the mode; nearest is
/// x\[⌊i·length / size⌋\]. The gradient is the sum over all outputs that an element went into.
///
/// # Shapes
/// input `[batch, channels, *positions]` with one to three axes of positions, output the same with other lengths
/// # Errors
/// `new`: no size, a size of 0, a factor that isn't above 0; `align_corners` with a nearest mode. `forward`: another number of
/// axes than of sizes or factors; an axis of length 0, or one of whose product with the factor nothing is left; mode `Cubic`
/// with anything but images.
/// # Source
/// `torch.nn.Upsample`; Keys, "Cubic convolution interpolation for digital image processing", 1981
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Module, Tensor};
/// use sconce_cnn::{Upsample, UpsampleConfig, UpsampleMode, UpsampleTo};
/// let x = Tensor::new(&[[[1f32, 3.]]], &Device::Cpu)?;
/// let double = UpsampleConfig::new(UpsampleTo::Scale(vec![2.]));
/// let y = Upsample::new(&double)?.forward(&x)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 1., 3., 3.]);
/// let linear = UpsampleConfig { mode: UpsampleMode::Linear, ..double };
/// let y = Upsample::new(&linear)?.forward(&x)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 1.5, 2.5, 3.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Upsample {
    cfg: UpsampleConfig,
}

impl Upsample {
    /// The layer with these options.
    pub fn new(cfg: &UpsampleConfig) -> sconce_core::Result<Self> {
        let fail = |field, value, expected: &str| Err(Error::config("Upsample", field, value, expected));
        match &cfg.to {
            UpsampleTo::Size(sizes) if sizes.is_empty() || sizes.contains(&0) => {
                return fail("size", format!("{sizes:?}"), "at least one size, each at least 1");
            }
            UpsampleTo::Scale(scale)
                if scale.is_empty() || !scale.iter().all(|scale| *scale > 0. && scale.is_finite()) =>
            {
                let expected = "at least one factor, each above 0 and finite";
                return fail("scale_factor", format!("{scale:?}"), expected);
            }
            _ => {}
        }
        if cfg.align_corners && matches!(cfg.mode, UpsampleMode::Nearest | UpsampleMode::NearestExact) {
            let expected = format!("false for mode {:?}", cfg.mode);
            return fail("align_corners", true.to_string(), &expected);
        }
        Ok(Self { cfg: cfg.clone() })
    }

    /// Size of the output on axis `k` of `count`, and how far apart its elements are, in the input's.
    fn axis(&self, k: usize, count: usize, length: usize) -> std::result::Result<(usize, f64), String> {
        fn of<T: Copy>(numbers: &[T], k: usize, count: usize) -> std::result::Result<T, String> {
            let wrong = || format!("{} axes of positions, as many as sizes or factors", numbers.len());
            match numbers {
                [one] => Ok(*one),
                all if all.len() == count => all.get(k).copied().ok_or_else(wrong),
                _ => Err(wrong()),
            }
        }
        let name = axis_name(count, k);
        if length == 0 {
            return Err(format!("a {name} of at least 1"));
        }
        let (size, factor) = match &self.cfg.to {
            UpsampleTo::Size(sizes) => (of(sizes, k, count)?, None),
            UpsampleTo::Scale(factors) => {
                let factor = of(factors, k, count)?;
                let size = (length as f64 * factor).floor();
                if !(1. ..=f64::from(i32::MAX)).contains(&size) {
                    return Err(format!(
                        "a {name} that is at least 1, and not too large, when multiplied by {factor}"
                    ));
                }
                (size as usize, Some(factor))
            }
        };
        let step = match factor {
            _ if self.cfg.align_corners => (length - 1) as f64 / (size.max(2) - 1) as f64,
            Some(factor) if !self.cfg.recompute_scale_factor => 1. / factor,
            _ => length as f64 / size as f64,
        };
        Ok((size, step))
    }
}

impl Module for Upsample {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let fail = |expected: String| Error::shape("Upsample", "input", expected, x.dims());
        let [_, _, positions @ ..] = x.dims() else {
            return Err(fail("[batch, channels, *positions]".to_owned()).into());
        };
        let count = positions.len();
        if !(1..=3).contains(&count) {
            return Err(
                fail("[batch, channels, *positions] with one to three axes of positions".to_owned()).into(),
            );
        }
        if self.cfg.mode == UpsampleMode::Cubic && count != 2 {
            return Err(fail("[batch, channels, height, width] for mode Cubic".to_owned()).into());
        }
        let mut sizes = Vec::with_capacity(count);
        for (k, &length) in positions.iter().enumerate() {
            sizes.push(self.axis(k, count, length).map_err(fail)?);
        }
        let largest = positions.iter().zip(&sizes);
        let largest = largest.map(|(&length, &(size, _))| size.max(length));
        let channels = x.dims().iter().take(2).copied();
        fits("Upsample", x.dims(), channels.chain(largest))?;
        let mut y = x.clone();
        for (k, (&length, (size, step))) in positions.iter().zip(sizes).enumerate() {
            let rows = taps::rows(self.cfg.mode, self.cfg.align_corners, length, size, step);
            y = Along::new("upsample", length, rows).apply(&y, k + 2)?;
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests;
