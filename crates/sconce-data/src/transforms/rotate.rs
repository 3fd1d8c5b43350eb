//! Turning images.

use super::draw::uniform;
use super::flip::backwards;
use super::size::{check_fill, height_and_width};
use crate::{Error, Result};
use candle_core::{D, DType, Device, Tensor, WithDType};
use sconce_core::{Generator, cpu};

/// How a pixel's value is found where it falls between pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// The value of the pixel that is nearest.
    #[default]
    Nearest,
    /// Between the four pixels around, in proportion to how near they are.
    Bilinear,
}

/// Options of [`rotate`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RotateConfig {
    /// How values between pixels are found.
    pub interpolation: Interpolation,
    /// The value of what comes in from outside. `None` is 0; it differs from `Some(0.)` on the edge of a bilinear image,
    /// where torchvision weights the pixels twice as soon as a fill is given.
    pub fill: Option<f64>,
}

/// Turns images about their middle, counter-clockwise, without changing their size.
///
/// Angles of 0°, 180° and, for square images, 90° and 270° move pixels and interpolate nothing.
///
/// # Shapes
/// images `[*, height, width]`, `f32`, `f64` or `u8` (rounded, halves to even); output the same, on the CPU
///
/// # Errors
/// Another element type, fewer than two axes, an angle that isn't finite, a fill that the type can't hold.
///
/// # Source
/// `torchvision.transforms.v2.functional.rotate`
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::{RotateConfig, rotate}};
/// let image = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let turned = rotate(&image, 90., &RotateConfig::default())?;
/// assert_eq!(turned.to_vec2::<f32>()?, [[2., 4.], [1., 3.]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn rotate(images: &Tensor, degrees: f64, cfg: &RotateConfig) -> Result<Tensor> {
    let [height, width] = height_and_width(images)?;
    if !degrees.is_finite() {
        return Err(Error::config("degrees", degrees, "a finite number"));
    }
    if let Some(fill) = cfg.fill {
        check_fill(fill, images.dtype())?;
    }
    let images = images.to_device(&Device::Cpu)?.contiguous()?;
    let degrees = degrees.rem_euclid(360.);
    if !matches!(images.dtype(), DType::F32 | DType::F64 | DType::U8) {
        let value = format!("of {:?}", images.dtype());
        return Err(Error::config("images", value, "F32, F64 or U8"));
    }
    let transposed = || images.transpose(D::Minus2, D::Minus1)?.contiguous();
    match images.dtype() {
        _ if degrees == 0. => Ok(images),
        _ if degrees == 180. => backwards(&backwards(&images, D::Minus1)?, D::Minus2),
        _ if degrees == 90. && height == width => backwards(&transposed()?, D::Minus2),
        _ if degrees == 270. && height == width => backwards(&transposed()?, D::Minus1),
        DType::F32 => turned::<f32>(&images, degrees, cfg, |value| value as f32),
        DType::F64 => turned::<f64>(&images, degrees, cfg, |value| value),
        _ => turned::<u8>(&images, degrees, cfg, |value| value.round_ties_even() as u8),
    }
}

/// Places in the old image and their weights, of which a new pixel is made.
type Taps = [(usize, f64); 4];

fn turned<T: WithDType>(
    images: &Tensor,
    degrees: f64,
    cfg: &RotateConfig,
    round: impl Fn(f64) -> T,
) -> Result<Tensor> {
    let [height, width] = height_and_width(images)?;
    let taps = taps(height, width, degrees, cfg.interpolation);
    let old = cpu::slice::<T>(images)?;
    let mut new = Vec::with_capacity(images.elem_count());
    for image in old.chunks_exact((height * width).max(1)) {
        new.extend(taps.iter().map(|taps| {
            let (mut value, mut inside) = (0., 0.);
            for &(at, weight) in taps {
                value += image.get(at).map_or(0., |pixel| pixel.to_f64() * weight);
                inside += weight;
            }
            round(match (cfg.fill, cfg.interpolation) {
                (None, _) => value,
                (Some(fill), Interpolation::Nearest) if inside < 0.5 => fill,
                (Some(_), Interpolation::Nearest) => value,
                (Some(fill), Interpolation::Bilinear) => (value - fill) * inside + fill,
            })
        }));
    }
    Ok(Tensor::from_vec(new, images.dims(), &Device::Cpu)?)
}

/// For each new pixel: the old ones at the place that is turned onto it. What is outside has no weight.
fn taps(height: usize, width: usize, degrees: f64, interpolation: Interpolation) -> Vec<Taps> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = |len: usize| (len as f64 - 1.) / 2.;
    let tap = |row: f64, column: f64, weight: f64| {
        let is_inside = row >= 0. && column >= 0. && row < height as f64 && column < width as f64;
        match is_inside {
            true => (row as usize * width + column as usize, weight),
            false => (0, 0.),
        }
    };
    let of_pixel = |row: usize, column: usize| {
        let (y, x) = (row as f64 - middle(height), column as f64 - middle(width));
        let y_old = sin * x + cos * y + middle(height);
        let x_old = cos * x - sin * y + middle(width);
        match interpolation {
            Interpolation::Nearest => {
                let nearest = tap(y_old.round_ties_even(), x_old.round_ties_even(), 1.);
                [nearest, (0, 0.), (0, 0.), (0, 0.)]
            }
            Interpolation::Bilinear => {
                let (top, left) = (y_old.floor(), x_old.floor());
                let (down, right) = (y_old - top, x_old - left);
                [
                    tap(top, left, (1. - down) * (1. - right)),
                    tap(top, left + 1., (1. - down) * right),
                    tap(top + 1., left, down * (1. - right)),
                    tap(top + 1., left + 1., down * right),
                ]
            }
        }
    };
    (0..height)
        .flat_map(|row| (0..width).map(move |column| (row, column)))
        .map(|(row, column)| of_pixel(row, column))
        .collect()
}

/// Turns images by an angle drawn between two, in degrees counter-clockwise; all images of a call by the same.
///
/// # Shapes
/// images `[*, height, width]`, `f32`, `f64` or `u8`; output the same, on the CPU
///
/// # Errors
/// `new`: the angles aren't finite, or the first is above the second. `apply`: those of [`rotate`].
///
/// # Source
/// `torchvision.transforms.v2.RandomRotation`
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// use sconce_data::candle_core::{DType, Device, Tensor};
/// use sconce_data::transforms::{RandomRotation, RotateConfig};
/// let rotation = RandomRotation::new([-15., 15.], &RotateConfig::default())?;
/// let image = Tensor::ones((1, 28, 28), DType::F32, &Device::Cpu)?;
/// assert_eq!(rotation.apply(&image, &Generator::new(0))?.dims(), [1, 28, 28]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RandomRotation {
    degrees: [f64; 2],
    cfg: RotateConfig,
}

impl RandomRotation {
    /// By an angle from U(degrees\[0\], degrees\[1\]).
    pub fn new(degrees: [f64; 2], cfg: &RotateConfig) -> Result<Self> {
        let [least, most] = degrees;
        match least <= most && least.is_finite() && most.is_finite() {
            true => Ok(Self {
                degrees,
                cfg: cfg.clone(),
            }),
            false => {
                let expected = "two finite angles, the lesser first";
                Err(Error::config("degrees", format!("{degrees:?}"), expected))
            }
        }
    }

    /// Turns by the angle that the generator draws.
    pub fn apply(&self, images: &Tensor, generator: &Generator) -> Result<Tensor> {
        let [least, most] = self.degrees;
        rotate(images, uniform(generator, least, most), &self.cfg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_angle_is_drawn_between_the_two() {
        // With fill 0, a pixel at the right edge of a wide image tells the angle.
        let image = Tensor::arange(0f64, 81., &Device::Cpu)
            .unwrap()
            .reshape((9, 9))
            .unwrap();
        let cfg = RotateConfig {
            interpolation: Interpolation::Bilinear,
            ..RotateConfig::default()
        };
        let rotation = RandomRotation::new([-10., 30.], &cfg).unwrap();
        // Four columns right of the middle the value is 40 + 4·cos + 36·sin, if nothing from outside is in it; three are safe.
        let angle = |image: &Tensor| {
            let value = image.to_vec2::<f64>().unwrap()[4][7] - 40.;
            (value / 27f64.hypot(3.)).asin().to_degrees() - (3f64 / 27.).atan().to_degrees()
        };
        let generator = Generator::new(3);
        let angles: Vec<f64> = (0..500)
            .map(|_| angle(&rotation.apply(&image, &generator).unwrap()))
            .collect();
        assert!(angles.iter().all(|angle| (-10.001..30.001).contains(angle)));
        let mean = angles.iter().sum::<f64>() / 500.;
        // The standard error is 40/√12/√500 = 0.52.
        assert!((mean - 10.).abs() < 2.6, "{mean}");
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let cfg = RotateConfig::default();
        for degrees in [[1., 0.], [f64::NAN, 1.], [0., f64::INFINITY]] {
            assert!(RandomRotation::new(degrees, &cfg).is_err(), "{degrees:?}");
        }
        let bytes = Tensor::zeros((2, 3), DType::U8, &Device::Cpu).unwrap();
        for (degrees, fill) in [(f64::NAN, None), (3., Some(256.)), (3., Some(0.5))] {
            assert!(
                rotate(&bytes, degrees, &RotateConfig { fill, ..cfg }).is_err(),
                "{degrees} {fill:?}"
            );
        }
        for dtype in [DType::F16, DType::I64] {
            for degrees in [0., 3.] {
                let error = rotate(&bytes.to_dtype(dtype).unwrap(), degrees, &cfg)
                    .unwrap_err()
                    .to_string();
                assert_eq!(error, format!("images is of {dtype:?}, expected F32, F64 or U8"));
            }
        }
        let none = Tensor::zeros((2, 0, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(rotate(&none, 3., &cfg).unwrap().dims(), [2, 0, 3]);
    }
}
