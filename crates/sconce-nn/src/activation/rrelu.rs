//! Randomised leaky ReLU.

use super::LeakyRelu;
use candle_core::{Device, Module, ModuleT, Result, Tensor};
use sconce_core::{Error, Generator, default_generator, graph};

/// Options of [`Rrelu`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RreluConfig {
    /// The least slope below zero.
    pub lower: f64,
    /// The greatest.
    pub upper: f64,
}

impl Default for RreluConfig {
    fn default() -> Self {
        Self {
            lower: 1. / 8.,
            upper: 1. / 3.,
        }
    }
}

/// y = x for x > 0, else a·x, where a is drawn from U(`lower`, `upper`) for each element in training.
///
/// In evaluation a is the mean of the two. Draws from the process's default generator
/// ([`manual_seed`](sconce_core::manual_seed)), or from one of its own. The slope at 0 is a, as in PyTorch's evaluation.
///
/// # Shapes
/// input `[*]`, output the same
/// # Errors
/// `new`: `lower` is more than `upper`, or one isn't finite.
/// # Source
/// Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network", 2015; `torch.nn.RReLU`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, ModuleT, Tensor};
/// use sconce_nn::{Rrelu, RreluConfig};
/// let layer = Rrelu::new(&RreluConfig { lower: 0.1, upper: 0.3 })?;
/// let x = Tensor::new(&[-10f64, 2.], &Device::Cpu)?;
/// let y = layer.forward_t(&x, true)?.to_vec1::<f64>()?;
/// assert!((-3. ..=-1.).contains(&y[0]) && y[1] == 2.);
/// assert_eq!(layer.forward_t(&x, false)?.to_vec1::<f64>()?, [-2., 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rrelu {
    cfg: RreluConfig,
    generator: Option<Generator>,
}

impl Rrelu {
    /// The layer with these bounds.
    pub fn new(cfg: &RreluConfig) -> sconce_core::Result<Self> {
        for (field, value) in [("lower", cfg.lower), ("upper", cfg.upper)] {
            if !value.is_finite() {
                return Err(Error::config("Rrelu", field, value, "a finite number"));
            }
        }
        if cfg.lower > cfg.upper {
            let expected = format!("at most upper = {}", cfg.upper);
            return Err(Error::config("Rrelu", "lower", cfg.lower, expected));
        }
        Ok(Self {
            cfg: *cfg,
            generator: None,
        })
    }

    /// The same, drawing from a generator of its own.
    pub fn with_generator(self, generator: Generator) -> Self {
        Self {
            generator: Some(generator),
            ..self
        }
    }
}

impl ModuleT for Rrelu {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = &crate::input("Rrelu", x)?;
        let RreluConfig { lower, upper } = self.cfg;
        if !train {
            let negative_slope = (lower + upper) / 2.;
            return LeakyRelu { negative_slope }.forward(x);
        }
        let mut slopes = vec![0.; x.elem_count()];
        self.generator
            .clone()
            .unwrap_or_else(default_generator)
            .fill_uniform(&mut slopes, lower, upper);
        let slopes = Tensor::from_vec(slopes, x.shape(), &Device::Cpu)?
            .to_dtype(x.dtype())?
            .to_device(x.device())?;
        let (positive, negative) = super::split(x)?;
        let y = positive.where_cond(x, &(negative * slopes)?)?;
        graph::note("rrelu", &[x], std::slice::from_ref(&y));
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};

    #[test]
    fn the_gradient_is_the_drawn_slope() {
        let layer = Rrelu::new(&RreluConfig::default())
            .unwrap()
            .with_generator(Generator::new(1));
        let x = Var::from_tensor(&Tensor::full(-1f64, (50, 200), &Device::Cpu).unwrap()).unwrap();
        let y = layer.forward_t(&x, true).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let (slopes, values) = (flat(grads.get(&x).unwrap()), flat(&y));
        assert!(slopes.iter().zip(&values).all(|(s, y)| *s == -y));
        assert!(slopes.iter().all(|s| (1. / 8. ..1. / 3.).contains(s)));
        // The mean of U(1/8, 1/3) within five standard deviations.
        let mean = slopes.iter().sum::<f64>() / 1e4;
        assert!(
            (mean - 11. / 48.).abs() < 5. * (5. / 24.) / 12f64.sqrt() / 100.,
            "{mean}"
        );
    }

    #[test]
    fn same_seed_same_bits_and_every_call_draws_anew() {
        let x = Tensor::full(-1f32, 100, &Device::Cpu).unwrap();
        let run = || {
            let layer = Rrelu::new(&RreluConfig::default())
                .unwrap()
                .with_generator(Generator::new(5));
            [(); 2].map(|()| layer.forward_t(&x, true).unwrap().to_vec1::<f32>().unwrap())
        };
        let (a, b) = (run(), run());
        assert_eq!(a, b);
        assert_ne!(a[0], a[1]);
        let empty = Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
        let layer = Rrelu::new(&RreluConfig::default()).unwrap();
        assert_eq!(layer.forward_t(&empty, true).unwrap().dims(), [0, 3]);
    }

    #[test]
    fn bounds_are_checked() {
        let message = |lower, upper| Rrelu::new(&RreluConfig { lower, upper }).unwrap_err().to_string();
        assert_eq!(
            message(0.5, 0.1),
            "Rrelu: lower is 0.5, expected at most upper = 0.1"
        );
        assert!(message(0., f64::NAN).contains("upper is NaN"));
        assert!(message(f64::NEG_INFINITY, 1.).contains("lower is -inf"));
    }
}
