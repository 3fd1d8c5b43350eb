//! Mixing the images of a batch.

use super::draw::{below, beta};
use super::rectangle::paste;
use super::size::height_and_width;
use crate::{Error, Result};
use candle_core::Tensor;
use sconce_core::Generator;
use std::ops::Range;

/// Mixes each image of a batch with the one before it, the first with the last, and their targets in the same proportion.
///
/// λ is drawn from Beta(α, α) once a batch; x = λ·x + (1 − λ)·x′ and y = λ·y + (1 − λ)·y′, with x′, y′ the sample before.
/// Shuffle the set, so that neighbours are anyone.
///
/// # Shapes
/// images `[batch, *]` of floating point; targets `[batch, classes]`, as [`one_hot`](super::one_hot) gives them; outputs
/// the same
///
/// # Errors
/// `new`: α isn't above 0 and finite. `apply`: whole numbers, no samples, or different numbers of images and targets.
///
/// # Source
/// Zhang et al., "mixup: beyond empirical risk minimization", 2018; `torchvision.transforms.v2.MixUp`
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::{MixUp, one_hot}};
/// let images = Tensor::new(&[[0f32], [1.]], &Device::Cpu)?;
/// let targets = one_hot(&Tensor::new(&[0u32, 1], &Device::Cpu)?, 2)?;
/// let (images, targets) = MixUp::new(1.)?.apply(&images, &targets, &Generator::new(0))?;
/// let (share, targets) = (images.to_vec2::<f32>()?[0][0], targets.to_vec2::<f32>()?);
/// assert_eq!(targets[0][1], share);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MixUp {
    alpha: f64,
}

impl MixUp {
    /// With λ from Beta(α, α); 1 makes every λ as likely, less makes mixes rarer.
    pub fn new(alpha: f64) -> Result<Self> {
        check_alpha(alpha)?;
        Ok(Self { alpha })
    }

    /// Mixes with a λ that the generator draws.
    pub fn apply(
        &self,
        images: &Tensor,
        targets: &Tensor,
        generator: &Generator,
    ) -> Result<(Tensor, Tensor)> {
        check_batch(images, targets)?;
        mix_up(images, targets, beta(generator, self.alpha))
    }
}

/// [`MixUp`] with a given λ.
///
/// # Errors
/// λ isn't from 0 to 1; whole numbers, no samples, or different numbers of images and targets.
pub fn mix_up(images: &Tensor, targets: &Tensor, lambda: f64) -> Result<(Tensor, Tensor)> {
    check_batch(images, targets)?;
    if !(0. ..=1.).contains(&lambda) {
        return Err(Error::config("lambda", lambda, "0 to 1"));
    }
    if !images.dtype().is_float() {
        let value = format!("of {:?}", images.dtype());
        return Err(Error::config("images", value, "of floating point"));
    }
    Ok((mixed(images, lambda)?, mixed(targets, lambda)?))
}

/// Puts a rectangle of the image before it into each image of a batch, and mixes their targets by its share of the area.
///
/// λ is drawn from Beta(α, α) once a batch; the rectangle has √(1 − λ) of height and width, its middle is drawn anywhere,
/// and what of it would lie outside is cut off.
///
/// # Shapes
/// images `[batch, *, height, width]`, any type; targets `[batch, classes]`, as [`one_hot`](super::one_hot) gives them;
/// outputs the same
///
/// # Errors
/// `new`: α isn't above 0 and finite. `apply`: fewer than three axes, no samples or pixels, targets of whole numbers, or
/// different numbers of images and targets.
///
/// # Source
/// Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019;
/// `torchvision.transforms.v2.CutMix`
#[derive(Debug, Clone, PartialEq)]
pub struct CutMix {
    alpha: f64,
}

impl CutMix {
    /// With λ from Beta(α, α).
    pub fn new(alpha: f64) -> Result<Self> {
        check_alpha(alpha)?;
        Ok(Self { alpha })
    }

    /// Cuts and mixes with a λ and a place that the generator draws.
    pub fn apply(
        &self,
        images: &Tensor,
        targets: &Tensor,
        generator: &Generator,
    ) -> Result<(Tensor, Tensor)> {
        check_batch(images, targets)?;
        let [height, width] = height_and_width(images)?;
        if images.rank() < 3 || height == 0 || width == 0 {
            let value = format!("of shape {:?}", images.dims());
            return Err(Error::config(
                "images",
                value,
                "[batch, *, height, width] with pixels",
            ));
        }
        let lambda = beta(generator, self.alpha);
        let (column, row) = (below(generator, width), below(generator, height));
        let (rows, columns) = (stretch(height, row, lambda), stretch(width, column, lambda));
        cut_mix(images, targets, &rows, &columns)
    }
}

/// Where a rectangle with its middle here begins and ends.
fn stretch(len: usize, middle: usize, lambda: f64) -> Range<usize> {
    let half = (0.5 * (1. - lambda).sqrt() * len as f64) as usize;
    middle.saturating_sub(half)..(middle + half).min(len)
}

/// [`CutMix`] with a given rectangle.
fn cut_mix(
    images: &Tensor,
    targets: &Tensor,
    rows: &Range<usize>,
    columns: &Range<usize>,
) -> Result<(Tensor, Tensor)> {
    let [height, width] = height_and_width(images)?;
    let share = (rows.len() * columns.len()) as f64 / (height * width) as f64;
    let cut = paste(images, &images.roll(1, 0)?, rows, columns)?;
    Ok((cut, mixed(targets, 1. - share)?))
}

/// λ·x + (1 − λ)·x′, with x′ the sample before.
fn mixed(x: &Tensor, lambda: f64) -> Result<Tensor> {
    Ok(((x.roll(1, 0)? * (1. - lambda))? + (x * lambda)?)?)
}

fn check_alpha(alpha: f64) -> Result<()> {
    match alpha > 0. && alpha.is_finite() {
        true => Ok(()),
        false => Err(Error::config("alpha", alpha, "above 0 and finite")),
    }
}

fn check_batch(images: &Tensor, targets: &Tensor) -> Result<()> {
    if !targets.dtype().is_float() {
        let value = format!("of {:?}", targets.dtype());
        return Err(Error::config(
            "targets",
            value,
            "of floating point, as one_hot makes them",
        ));
    }
    match (images.dims().first(), targets.dims().first()) {
        (Some(a), Some(b)) if a == b && *a > 0 => Ok(()),
        _ => {
            let value = format!(
                "of shape {:?}, with targets of shape {:?}",
                images.dims(),
                targets.dims()
            );
            Err(Error::config("images", value, "one or more, and as many targets"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn batch() -> (Tensor, Tensor) {
        let images = Tensor::arange(0f32, 3. * 20., &Device::Cpu).unwrap();
        let targets = Tensor::new(&[[1f32, 0., 0.], [0., 1., 0.], [0., 0., 1.]], &Device::Cpu).unwrap();
        (images.reshape((3, 1, 4, 5)).unwrap(), targets)
    }

    #[test]
    fn a_cut_is_what_its_target_says() {
        let (images, targets) = batch();
        let generator = Generator::new(8);
        let mut shares = Vec::new();
        for _ in 0..200 {
            let (cut, mixed) = CutMix::new(1.)
                .unwrap()
                .apply(&images, &targets, &generator)
                .unwrap();
            let (cut, mixed) = (cut.flatten_from(1).unwrap(), mixed.to_vec2::<f32>().unwrap());
            for (i, row) in cut.to_vec2::<f32>().unwrap().iter().enumerate() {
                // Image i's pixel k is 20·i + k, so another image's pixel at the same place is known.
                let before = (i + 2) % 3;
                let other = row
                    .iter()
                    .enumerate()
                    .filter(|(k, value)| **value == (20 * before + k) as f32);
                let own = row
                    .iter()
                    .enumerate()
                    .filter(|(k, value)| **value == (20 * i + k) as f32);
                let (other, own) = (other.count(), own.count());
                assert_eq!(other + own, 20);
                assert!((mixed[i][before] - other as f32 / 20.).abs() < 1e-6);
                assert!((mixed[i][i] - own as f32 / 20.).abs() < 1e-6);
                shares.push(other);
            }
        }
        // At most 2 of 4 rows and 4 of 5 columns, for halves are rounded down.
        assert!(shares.contains(&0) && shares.iter().max() == Some(&8));
    }

    #[test]
    fn rectangles_are_torchvisions() {
        // Python: int(0.5·√(1 − λ)·len), then clamped at 0 and len.
        for (len, middle, lambda, expected) in [
            (10, 5, 0.36, 1..9),
            (10, 0, 0.36, 0..4),
            (10, 9, 0.36, 5..10),
            (5, 2, 0.75, 1..3),
            (5, 2, 1., 2..2),
            (5, 2, 0., 0..4),
        ] {
            assert_eq!(stretch(len, middle, lambda), expected, "{len} {middle} {lambda}");
        }
        let (images, targets) = batch();
        let (cut, mixed) = cut_mix(&images, &targets, &(1..3), &(3..5)).unwrap();
        let first = cut.get(0).unwrap().get(0).unwrap().to_vec2::<f32>().unwrap();
        let expected = [
            [0., 1., 2., 3., 4.],
            [5., 6., 7., 48., 49.],
            [10., 11., 12., 53., 54.],
            [15., 16., 17., 18., 19.],
        ];
        assert_eq!(first, expected);
        assert_eq!(mixed.to_vec2::<f32>().unwrap()[0], [0.8, 0., 0.2]);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for alpha in [0., -1., f64::NAN, f64::INFINITY] {
            assert!(
                MixUp::new(alpha).is_err() && CutMix::new(alpha).is_err(),
                "{alpha}"
            );
        }
        let (images, targets) = batch();
        let (mix, cut, generator) = (
            MixUp::new(1.).unwrap(),
            CutMix::new(1.).unwrap(),
            Generator::new(0),
        );
        for lambda in [f64::NAN, 7., -0.1, f64::INFINITY] {
            let error = mix_up(&images, &targets, lambda).unwrap_err().to_string();
            assert_eq!(error, format!("lambda is {lambda}, expected 0 to 1"));
        }
        assert!(
            [0., 1.]
                .iter()
                .all(|&lambda| mix_up(&images, &targets, lambda).is_ok())
        );
        let labels = targets.to_dtype(DType::U32).unwrap();
        let bytes = images.to_dtype(DType::U8).unwrap();
        let two = targets.narrow(0, 0, 2).unwrap();
        for (images, targets, is_fit_to_cut) in [
            (&images, &labels, false),
            (&images, &two, false),
            (&bytes, &targets, true),
        ] {
            assert!(mix.apply(images, targets, &generator).is_err());
            assert_eq!(cut.apply(images, targets, &generator).is_ok(), is_fit_to_cut);
        }
        let none = Tensor::zeros((0, 1, 2, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(
            mix.apply(&none, &targets.narrow(0, 0, 0).unwrap(), &generator)
                .is_err()
        );
        assert!(cut.apply(&targets, &targets, &generator).is_err());
    }
}
