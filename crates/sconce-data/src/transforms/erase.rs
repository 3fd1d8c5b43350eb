//! Erasing a part of an image.

use super::draw::{below, check_probability, happens, uniform};
use super::rectangle::paste;
use super::size::{check_fill, height_and_width};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sconce_core::Generator;

/// What an erased part becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Erased {
    /// This value.
    Value(f64),
    /// Noise from N(0, 1).
    Noise,
}

/// Options of [`RandomErasing`]; the defaults are torchvision's.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomErasingConfig {
    /// How probable it is that a part is erased.
    pub p: f64,
    /// The least and the largest share of the area.
    pub scale: [f64; 2],
    /// The least and the largest ratio of height to width.
    pub ratio: [f64; 2],
    /// What it becomes.
    pub value: Erased,
}

impl Default for RandomErasingConfig {
    fn default() -> Self {
        Self {
            p: 0.5,
            scale: [0.02, 0.33],
            ratio: [0.3, 3.3],
            value: Erased::Value(0.),
        }
    }
}

/// Erases a rectangle of random size and place; all images of a call the same one.
///
/// Ten times a share of the area is drawn, and the logarithm of a ratio of height to width; the first rectangle that is
/// smaller than the images in both ways is erased, and nothing if there is none.
///
/// # Shapes
/// images `[*, height, width]`, any type (with noise: of floating point); output the same
///
/// # Errors
/// `new`: a probability, scale or ratio that is none. `apply`: fewer than two axes; a value that the type can't hold.
///
/// # Source
/// Zhong et al., "Random erasing data augmentation", 2020; `torchvision.transforms.v2.RandomErasing`
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// use sconce_data::candle_core::{DType, Device, Tensor};
/// use sconce_data::transforms::{RandomErasing, RandomErasingConfig};
/// let erasing = RandomErasing::new(&RandomErasingConfig { p: 1., ..RandomErasingConfig::default() })?;
/// let image = Tensor::ones((1, 28, 28), DType::F32, &Device::Cpu)?;
/// let erased = erasing.apply(&image, &Generator::new(0))?;
/// assert!(erased.sum_all()?.to_scalar::<f32>()? < 28. * 28.);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RandomErasing {
    cfg: RandomErasingConfig,
}

impl RandomErasing {
    /// Erases by these options.
    pub fn new(cfg: &RandomErasingConfig) -> Result<Self> {
        check_probability(cfg.p)?;
        let [least, most] = cfg.scale;
        if !(0. <= least && least <= most && most <= 1.) {
            let expected = "two shares from 0 to 1, the lesser first";
            return Err(Error::config("scale", format!("{:?}", cfg.scale), expected));
        }
        let [least, most] = cfg.ratio;
        if !(0. < least && least <= most && most.is_finite()) {
            let expected = "two finite numbers above 0, the lesser first";
            return Err(Error::config("ratio", format!("{:?}", cfg.ratio), expected));
        }
        Ok(Self { cfg: cfg.clone() })
    }

    /// Erases what the generator draws.
    pub fn apply(&self, images: &Tensor, generator: &Generator) -> Result<Tensor> {
        let [height, width] = height_and_width(images)?;
        if let Erased::Value(value) = self.cfg.value {
            check_fill(value, images.dtype())?;
        } else if !images.dtype().is_float() {
            let value = format!("of {:?}", images.dtype());
            return Err(Error::config("images", value, "of floating point, for noise"));
        }
        let rectangle = match happens(generator, self.cfg.p) {
            true => self.rectangle(height, width, generator),
            false => None,
        };
        let Some([rows, columns]) = rectangle else {
            return Ok(images.clone());
        };
        let (row, column) = (
            below(generator, height - rows + 1),
            below(generator, width - columns + 1),
        );
        let other = match self.cfg.value {
            Erased::Value(value) => Tensor::new(value, &Device::Cpu)?,
            Erased::Noise => {
                let mut noise = vec![0.; images.elem_count()];
                generator.fill_normal(&mut noise, 0., 1.);
                Tensor::from_vec(noise, images.dims(), &Device::Cpu)?
            }
        };
        let other = other.to_dtype(images.dtype())?.to_device(images.device())?;
        paste(images, &other, &(row..row + rows), &(column..column + columns))
    }

    /// Height and width of what is erased, both smaller than the images'.
    fn rectangle(&self, height: usize, width: usize, generator: &Generator) -> Option<[usize; 2]> {
        const ATTEMPTS: usize = 10;
        let ([least, most], [narrow, high]) = (self.cfg.scale, self.cfg.ratio);
        (0..ATTEMPTS).find_map(|_| {
            let area = (height * width) as f64 * uniform(generator, least, most);
            let ratio = uniform(generator, narrow.ln(), high.ln()).exp();
            let side = |square: f64| square.sqrt().round_ties_even() as usize;
            let [rows, columns] = [side(area * ratio), side(area / ratio)];
            (rows < height && columns < width).then_some([rows, columns])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn erasing(cfg: RandomErasingConfig) -> RandomErasing {
        RandomErasing::new(&cfg).unwrap()
    }

    #[test]
    fn what_is_erased_is_a_rectangle_within_the_limits() {
        let cfg = RandomErasingConfig {
            p: 0.7,
            value: Erased::Value(7.),
            ..RandomErasingConfig::default()
        };
        let (random, generator) = (erasing(cfg), Generator::new(4));
        let image = Tensor::zeros((2, 40, 50), DType::U8, &Device::Cpu).unwrap();
        let mut erased = 0;
        for _ in 0..300 {
            let image = random.apply(&image, &generator).unwrap().to_vec3::<u8>().unwrap();
            assert_eq!(image[0], image[1]);
            let rows: Vec<&Vec<u8>> = image[0].iter().filter(|row| row.contains(&7)).collect();
            let Some(row) = rows.first() else {
                continue;
            };
            erased += 1;
            assert!(rows.iter().all(|other| other == row));
            let columns = row.iter().filter(|&&pixel| pixel == 7).count();
            // Sides are rounded to whole pixels, so areas and ratios may pass the limits by as much.
            let (height, width) = (rows.len() as f64, columns as f64);
            assert!((height + 0.5) * (width + 0.5) >= 40. && (height - 0.5) * (width - 0.5) <= 660.);
            assert!((height + 0.5) / (width - 0.5) >= 0.3 && (height - 0.5) / (width + 0.5) <= 3.3);
        }
        // Binomial(300, 0.7): five standard deviations are 40.
        assert!((170..=250).contains(&erased), "{erased}");
    }

    #[test]
    fn noise_is_noise() {
        let cfg = RandomErasingConfig {
            p: 1.,
            scale: [0.5, 0.6],
            value: Erased::Noise,
            ..RandomErasingConfig::default()
        };
        let image = Tensor::full(100f64, (3, 40, 40), &Device::Cpu).unwrap();
        let erased = erasing(cfg).apply(&image, &Generator::new(1)).unwrap();
        let pixels = erased.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let noise: Vec<f64> = pixels.into_iter().filter(|&pixel| pixel != 100.).collect();
        let n = noise.len() as f64;
        assert!((0.45..0.65).contains(&(n / 4800.)), "{n}");
        let mean = noise.iter().sum::<f64>() / n;
        let variance = noise.iter().map(|x| x * x).sum::<f64>() / n;
        assert!(mean.abs() < 5. / n.sqrt() && (variance - 1.).abs() < 5. * (2. / n).sqrt());
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let good = RandomErasingConfig::default();
        for cfg in [
            RandomErasingConfig {
                p: 1.5,
                ..good.clone()
            },
            RandomErasingConfig {
                scale: [0.5, 0.2],
                ..good.clone()
            },
            RandomErasingConfig {
                scale: [0., 1.1],
                ..good.clone()
            },
            RandomErasingConfig {
                ratio: [0., 1.],
                ..good.clone()
            },
            RandomErasingConfig {
                ratio: [2., f64::NAN],
                ..good.clone()
            },
        ] {
            assert!(RandomErasing::new(&cfg).is_err(), "{cfg:?}");
        }
        let bytes = Tensor::zeros((1, 4, 4), DType::U8, &Device::Cpu).unwrap();
        for value in [Erased::Noise, Erased::Value(0.5), Erased::Value(256.)] {
            let random = erasing(RandomErasingConfig {
                value,
                ..good.clone()
            });
            assert!(random.apply(&bytes, &Generator::new(0)).is_err(), "{value:?}");
        }
        // Nothing smaller fits into one pixel.
        let pixel = Tensor::ones((1, 1, 1), DType::F32, &Device::Cpu).unwrap();
        let random = erasing(RandomErasingConfig {
            p: 1.,
            scale: [1., 1.],
            ..good
        });
        let same = random.apply(&pixel, &Generator::new(0)).unwrap();
        assert_eq!(same.to_vec3::<f32>().unwrap(), [[[1.]]]);
    }
}
