//! Dropout of whole channels.

use super::{Chance, chance};
use candle_core::{ModuleT, Result, Tensor};
use sconce_core::{Error, graph};

/// Zeroes each channel of each sample with probability p while training, and divides the others by 1 − p.
///
/// Neighbouring positions say nearly the same, so dropping single ones would only make the step smaller. Draws from the
/// process's default generator ([`manual_seed`](sconce_core::manual_seed)), or from one of its own.
///
/// # Shapes
/// input `[batch, channels, length]` or `[channels, length]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\]. `forward_t`: another number of axes.
/// # Source
/// Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015; `torch.nn.Dropout1d`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::Dropout1d;
/// let x = Tensor::ones((2, 3, 4), DType::F64, &Device::Cpu)?;
/// let y = Dropout1d::new(0.5)?.forward_t(&x, true)?;
/// for channel in y.flatten_from(2)?.flatten(0, 1)?.to_vec2::<f64>()? {
///     assert!(channel.iter().all(|&y| y == 0.) || channel.iter().all(|&y| y == 2.));
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dropout1d(Chance);

chance!(Dropout1d);

/// [`Dropout1d`] for two axes of positions.
///
/// Three axes are a batch of one-dimensional samples, as in PyTorch.
///
/// # Shapes
/// input `[batch, channels, height, width]` or `[batch, channels, length]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\]. `forward_t`: another number of axes.
/// # Source
/// Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015; `torch.nn.Dropout2d`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::Dropout2d;
/// let x = Tensor::ones((2, 3, 4, 5), DType::F64, &Device::Cpu)?;
/// let y = Dropout2d::new(0.5)?.forward_t(&x, true)?;
/// for channel in y.flatten_from(2)?.flatten(0, 1)?.to_vec2::<f64>()? {
///     assert!(channel.iter().all(|&y| y == 0.) || channel.iter().all(|&y| y == 2.));
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dropout2d(Chance);

chance!(Dropout2d);

/// [`Dropout1d`] for three axes of positions.
///
/// # Shapes
/// input `[batch, channels, depth, height, width]` or `[channels, depth, height, width]`, output the same
/// # Errors
/// `new`: p isn't in \[0, 1\]. `forward_t`: another number of axes.
/// # Source
/// Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015; `torch.nn.Dropout3d`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_nn::Dropout3d;
/// let x = Tensor::ones((2, 3, 2, 4, 5), DType::F64, &Device::Cpu)?;
/// let y = Dropout3d::new(0.5)?.forward_t(&x, true)?;
/// for channel in y.flatten_from(2)?.flatten(0, 1)?.to_vec2::<f64>()? {
///     assert!(channel.iter().all(|&y| y == 0.) || channel.iter().all(|&y| y == 2.));
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dropout3d(Chance);

chance!(Dropout3d);

impl ModuleT for Dropout1d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match x.rank() {
            2 => drop("Dropout1d", &self.0, x, train, 1),
            3 => drop("Dropout1d", &self.0, x, train, 2),
            _ => {
                let expected = "[batch, channels, length] or [channels, length]";
                Err(Error::shape("Dropout1d", "input", expected, x.dims()).into())
            }
        }
    }
}

impl ModuleT for Dropout2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match x.rank() {
            3 | 4 => drop("Dropout2d", &self.0, x, train, 2),
            _ => {
                let expected = "[batch, channels, height, width] or [batch, channels, length]";
                Err(Error::shape("Dropout2d", "input", expected, x.dims()).into())
            }
        }
    }
}

impl ModuleT for Dropout3d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match x.rank() {
            4 => drop("Dropout3d", &self.0, x, train, 1),
            5 => drop("Dropout3d", &self.0, x, train, 2),
            _ => {
                let expected = "[batch, channels, depth, height, width] or [channels, depth, height, width]";
                Err(Error::shape("Dropout3d", "input", expected, x.dims()).into())
            }
        }
    }
}

/// Drops slices of x along its first `axes` axes.
fn drop(layer: &str, chance: &Chance, x: &Tensor, train: bool, axes: usize) -> Result<Tensor> {
    let x = &crate::input(layer, x)?;
    if !chance.applies(train) {
        return Ok(x.clone());
    }
    let y = x.broadcast_mul(&chance.factors(leading(x, axes), x)?)?;
    graph::note("dropout", &[x], std::slice::from_ref(&y));
    Ok(y)
}

/// The shape of x with 1 in place of all but its first `axes` lengths.
pub(super) fn leading(x: &Tensor, axes: usize) -> Vec<usize> {
    let length = |(i, &length): (usize, &usize)| if i < axes { length } else { 1 };
    x.dims().iter().enumerate().map(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_core::Generator;

    #[test]
    fn whole_channels_are_dropped_at_the_right_rate_and_the_gradient_is_the_factor() {
        let seeded = || Generator::new(3);
        let table: [(Box<dyn ModuleT>, &[usize], usize); 6] = [
            (
                Box::new(Dropout1d::new(0.3).unwrap().with_generator(seeded())),
                &[50, 40, 3],
                2,
            ),
            (
                Box::new(Dropout1d::new(0.3).unwrap().with_generator(seeded())),
                &[2000, 3],
                1,
            ),
            (
                Box::new(Dropout2d::new(0.3).unwrap().with_generator(seeded())),
                &[50, 40, 2, 3],
                2,
            ),
            (
                Box::new(Dropout2d::new(0.3).unwrap().with_generator(seeded())),
                &[50, 40, 3],
                2,
            ),
            (
                Box::new(Dropout3d::new(0.3).unwrap().with_generator(seeded())),
                &[50, 40, 2, 1, 2],
                2,
            ),
            (
                Box::new(Dropout3d::new(0.3).unwrap().with_generator(seeded())),
                &[2000, 2, 1, 2],
                1,
            ),
        ];
        for (layer, shape, axes) in table {
            let x = Var::from_tensor(&Tensor::full(3f64, shape, &Device::Cpu).unwrap()).unwrap();
            let y = layer.forward_t(&x, true).unwrap();
            let grads = y.sum_all().unwrap().backward().unwrap();
            let size: usize = shape[axes..].iter().product();
            let rows = |t: &Tensor| t.reshape(((), size)).unwrap().to_vec2::<f64>().unwrap();
            let mut kept = 0;
            for (y, slope) in rows(&y).iter().zip(rows(grads.get(&x).unwrap())) {
                let first = slope[0];
                assert!(first == 0. || (first - 1. / 0.7).abs() < 1e-15);
                assert!(slope.iter().all(|&s| s == first) && y.iter().all(|&y| y == 3. * first));
                kept += usize::from(first != 0.);
            }
            // Five standard deviations of a binomial count.
            assert!(kept.abs_diff(1400) < 103, "{kept} of 2000 in {shape:?}");
        }
    }

    #[test]
    fn nothing_and_everything() {
        let x = Tensor::ones((2, 3, 4), DType::F32, &Device::Cpu).unwrap();
        let sum = |p, train| {
            let y = Dropout1d::new(p).unwrap().forward_t(&x, train).unwrap();
            y.sum_all().unwrap().to_scalar::<f32>().unwrap()
        };
        assert_eq!([sum(0., true), sum(1., true), sum(1., false)], [24., 0., 24.]);
    }

    #[test]
    fn bad_input_is_named() {
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(Dropout2d::new(p), Err(Error::Config { field: "p", .. })));
        }
        let layers: [(Box<dyn ModuleT>, &str, [usize; 2]); 3] = [
            (Box::new(Dropout1d::new(0.5).unwrap()), "Dropout1d", [2, 3]),
            (Box::new(Dropout2d::new(0.5).unwrap()), "Dropout2d", [3, 4]),
            (Box::new(Dropout3d::new(0.5).unwrap()), "Dropout3d", [4, 5]),
        ];
        for (layer, name, ranks) in layers {
            for rank in 0..7 {
                let x = Tensor::ones(vec![2; rank], DType::F32, &Device::Cpu).unwrap();
                match layer.forward_t(&x, true) {
                    Ok(y) => assert!(ranks.contains(&rank) && y.dims() == x.dims()),
                    Err(error) => {
                        let error = Error::from(error).to_string();
                        assert!(
                            !ranks.contains(&rank) && error.starts_with(&format!("{name}: input has shape"))
                        );
                    }
                }
            }
        }
    }
}
