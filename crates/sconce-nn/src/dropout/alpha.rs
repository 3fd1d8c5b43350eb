//! Dropout that keeps mean and variance, for self-normalising networks.

use super::channels::leading;
use super::{Chance, chance};
use candle_core::{ModuleT, Result, Tensor};
use sconce_core::{Error, graph};

/// Minus SELU's value at −∞, which is what a dropped element becomes before the correction.
const ALPHA: f64 = 1.7580993408473766;

/// Sets each element to SELU's least value with probability p while training, and maps all so that mean 0 and variance 1 stay.
///
/// y = a·x + b for a kept element and −a·α + b for a dropped one, with α = 1.758…, a = 1/√((1 − p)(1 + p·α²)) and b = a·α·p.
/// With p = 1 all is 0. Draws from the process's default generator ([`manual_seed`](sconce_core::manual_seed)), or from one
/// of its own.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\].
/// # Source
/// Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.AlphaDropout`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::AlphaDropout;
/// let x = Tensor::zeros(1000, DType::F64, &Device::Cpu)?;
/// let y = AlphaDropout::new(0.5)?.forward_t(&x, true)?.to_vec1::<f64>()?;
/// // Kept zeros and dropped ones lie evenly about 0.
/// assert!(y.iter().all(|y| (y.abs() - 0.7791939).abs() < 1e-6));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AlphaDropout(Chance);

chance!(AlphaDropout);

/// [`AlphaDropout`] of whole channels of a sample.
///
/// # Shapes
/// input `[batch, channels, *]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\]. `forward_t`: fewer than two axes.
/// # Source
/// Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.FeatureAlphaDropout`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::FeatureAlphaDropout;
/// let x = Tensor::zeros((2, 3, 4), DType::F64, &Device::Cpu)?;
/// let y = FeatureAlphaDropout::new(0.5)?.forward_t(&x, true)?;
/// for channel in y.flatten(0, 1)?.to_vec2::<f64>()? {
///     assert!(channel.iter().all(|y| y == &channel[0]));
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureAlphaDropout(Chance);

chance!(FeatureAlphaDropout);

impl ModuleT for AlphaDropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        drop(&self.0, x, train, x.rank(), "alpha_dropout")
    }
}

impl ModuleT for FeatureAlphaDropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if x.rank() < 2 {
            let expected = "[batch, channels, *]";
            return Err(Error::shape("FeatureAlphaDropout", "input", expected, x.dims()).into());
        }
        drop(&self.0, x, train, 2, "feature_alpha_dropout")
    }
}

/// Drops slices of x along its first `axes` axes.
fn drop(chance: &Chance, x: &Tensor, train: bool, axes: usize, name: &'static str) -> Result<Tensor> {
    let x = &crate::input(name, x)?;
    if !chance.applies(train) {
        return Ok(x.clone());
    }
    let keep = 1. - chance.p;
    let y = if keep == 0. {
        x.broadcast_mul(&x.detach().zeros_like()?)?
    } else {
        let a = 1. / (keep * (1. + chance.p * ALPHA * ALPHA)).sqrt();
        // 1 where kept, 0 where dropped.
        let kept = (chance.factors(leading(x, axes), x)? * keep)?;
        let shift = kept.affine(a * ALPHA, a * ALPHA * (chance.p - 1.))?;
        x.broadcast_mul(&(kept * a)?)?.broadcast_add(&shift)?
    };
    graph::note(name, &[x], std::slice::from_ref(&y));
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_core::Generator;
    use sconce_testkit::Random;

    #[test]
    fn mean_and_variance_stay() {
        let x = Random::new(1).normal(200_000, DType::F64).unwrap();
        for p in [0.1, 0.5, 0.8] {
            let layer = AlphaDropout::new(p).unwrap().with_generator(Generator::new(2));
            let y = layer.forward_t(&x, true).unwrap();
            let mean = y.mean_all().unwrap().to_scalar::<f64>().unwrap();
            let square = y.sqr().unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap();
            // Five standard errors: 1/√n of the mean, and of the square at most √(E[y⁴]/n) with E[y⁴] < 10.
            assert!(
                mean.abs() < 5. / 447. && (square - 1.).abs() < 5. * 3.2 / 447.,
                "{p}: {mean} {square}"
            );
        }
    }

    /// The values that PyTorch 2.15 gives for ones with p = 0.5: −0.7792 and 1.6656.
    #[test]
    fn values_are_pytorchs() {
        let ones = Tensor::ones((40, 50, 3), DType::F64, &Device::Cpu).unwrap();
        let x = Var::from_tensor(&ones).unwrap();
        let layers: [Box<dyn ModuleT>; 2] = [
            Box::new(AlphaDropout::new(0.5).unwrap().with_generator(Generator::new(1))),
            Box::new(
                FeatureAlphaDropout::new(0.5)
                    .unwrap()
                    .with_generator(Generator::new(1)),
            ),
        ];
        for (layer, whole) in layers.iter().zip([false, true]) {
            let y = layer.forward_t(&x, true).unwrap();
            let grads = y.sum_all().unwrap().backward().unwrap();
            let rows = |t: &Tensor| t.reshape(((), 3)).unwrap().to_vec2::<f64>().unwrap();
            let (y, slopes) = (rows(&y), rows(grads.get(&x).unwrap()));
            let mut dropped = 0;
            for (y, slope) in y.iter().flatten().zip(slopes.iter().flatten()) {
                let (value, expected) = if *slope == 0. {
                    (-0.7791939, 0.)
                } else {
                    (1.6655991, 0.8864053)
                };
                assert!(
                    (y - value).abs() < 1e-6 && (slope - expected).abs() < 1e-6,
                    "{y} {slope}"
                );
                dropped += usize::from(*slope == 0.);
            }
            // Five standard deviations, of whole triples if channels go together.
            assert!(
                dropped.abs_diff(3000) < if whole { 336 } else { 194 },
                "{dropped}"
            );
            assert_eq!(y.iter().all(|row| row.iter().all(|y| y == &row[0])), whole);
        }
    }

    #[test]
    fn nothing_and_everything() {
        let x = Var::new(&[[1f64, -2.], [3., 4.]], &Device::Cpu).unwrap();
        for (p, train, expected, slope) in [
            (0., true, vec![1., -2., 3., 4.], 1.),
            (1., true, vec![0., 0., 0., 0.], 0.),
            (1., false, vec![1., -2., 3., 4.], 1.),
        ] {
            let layers: [Box<dyn ModuleT>; 2] = [
                Box::new(AlphaDropout::new(p).unwrap()),
                Box::new(FeatureAlphaDropout::new(p).unwrap()),
            ];
            for layer in layers {
                let y = layer.forward_t(&x, train).unwrap();
                let grads = y.sum_all().unwrap().backward().unwrap();
                let slopes = grads
                    .get(&x)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f64>()
                    .unwrap();
                assert_eq!(slopes, [slope; 4]);
                assert_eq!(y.flatten_all().unwrap().to_vec1::<f64>().unwrap(), expected);
            }
        }
    }

    #[test]
    fn bad_input_is_named() {
        assert!(
            AlphaDropout::new(-1.)
                .unwrap_err()
                .to_string()
                .starts_with("AlphaDropout: p is -1")
        );
        let x = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
        let layer = FeatureAlphaDropout::new(0.5).unwrap();
        let error = Error::from(layer.forward_t(&x, true).unwrap_err()).to_string();
        assert_eq!(
            error,
            "FeatureAlphaDropout: input has shape [3], expected [batch, channels, *]"
        );
    }
}
