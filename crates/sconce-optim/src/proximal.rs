//! L1 regularisation that gives exact zeros: a proximal step after another rule's.

use crate::Optimize;
use crate::engine::check_not_negative;
use candle_core::{Tensor, Var};
use sconce_core::{Error, Gradients, Parameters, Result};

const NAME: &str = "ProximalL1";

/// Another rule's step, then the proximal step of an L1 penalty: each value moves towards 0, and stops there.
///
/// θ ← the rule's step by the loss without the penalty, then θ ← sign(θ)·max(|θ| − ηλ, 0), where η is the rule's learning
/// rate. With plain [`Sgd`](crate::Sgd) this is proximal gradient descent (ISTA), whose fixed points minimise L + λ‖θ‖₁. With
/// a rule that scales its steps, such as [`Adam`](crate::Adam), λ acts as decoupled weight decay does: past the scaling.
///
/// The penalty's subgradient, λ·sign(θ), in the loss instead has the same minimum in theory, but its steps jump over 0
/// from both sides, and no value ever rests there.
///
/// Parameters without a gradient stay as they are, as with every rule.
///
/// # Errors
/// `new`: `lambda` is negative or not finite; the glob is malformed or matches no parameter.
///
/// # Source
/// Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for linear inverse problems with a sparsity
/// constraint", 2004; Parikh and Boyd, "Proximal algorithms", 2014
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Optimize, ProximalL1, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 2, "fc.weight", &Init::Const(0.))?;
/// let sgd = Sgd::new(&SgdConfig { lr: 0.5, ..SgdConfig::default() }, &store)?;
/// let mut rule = ProximalL1::new(sgd, &store, "*.weight", 1.)?;
/// // The minimum of ½‖w − target‖² + ‖w‖₁ is at (2, 0).
/// let target = Tensor::new(&[3., 0.7], &Device::Cpu)?;
/// for _ in 0..10 {
///     let loss = ((w.tensor() - &target)?.sqr()?.sum_all()? * 0.5)?;
///     rule.step(&backward(&loss, &store)?)?;
/// }
/// let w = w.value().to_vec1::<f64>()?;
/// assert!((w[0] - 2.).abs() < 0.01 && w[1] == 0.);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct ProximalL1<O> {
    rule: O,
    shrunk: Vec<(String, Var)>,
    lambda: f64,
}

impl<O: Optimize> ProximalL1<O> {
    /// A proximal step after each of `rule`'s, on the parameters whose name matches `glob` (`*` matches dots too).
    ///
    /// # Errors
    /// See [`ProximalL1`].
    pub fn new<P: Parameters + ?Sized>(rule: O, parameters: &P, glob: &str, lambda: f64) -> Result<Self> {
        check_not_negative(NAME, &[("lambda", lambda)])?;
        let refuse = |problem: String| Error::Glob {
            glob: glob.to_string(),
            problem,
        };
        let matcher = globset::Glob::new(glob)
            .map_err(|error| refuse(format!("is not a glob: {}", error.kind())))?
            .compile_matcher();
        // Frozen ones too: they may be trained later.
        let mut shrunk = parameters.named_tensors();
        shrunk.retain(|(name, _)| matcher.is_match(name));
        if shrunk.is_empty() {
            return Err(refuse("matches no parameter".into()));
        }
        Ok(Self { rule, shrunk, lambda })
    }
}

impl<O: Optimize> Optimize for ProximalL1<O> {
    fn step(&mut self, gradients: &Gradients) -> Result<()> {
        self.rule.step(gradients)?;
        let threshold = self.rule.learning_rate() * self.lambda;
        for (name, var) in &self.shrunk {
            if gradients.get(name).is_some() {
                var.set(&soft_threshold(&var.as_detached_tensor(), threshold)?)?;
            }
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.rule.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.rule.set_learning_rate(learning_rate);
    }
}

/// sign(x)·max(|x| − t, 0), as x less what of it lies between −t and t: that is exactly 0 within.
fn soft_threshold(x: &Tensor, threshold: f64) -> candle_core::Result<Tensor> {
    x - x.clamp(-threshold, threshold)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adam, AdamConfig, Sgd, SgdConfig};
    use candle_core::{DType, Device};
    use sconce_core::{Init, ParamStore, backward, param};
    use sconce_testkit::Random;

    #[test]
    fn values_move_towards_zero_and_stop_there() {
        for dtype in [DType::F64, DType::F32, DType::BF16] {
            let x = Tensor::new(
                &[-2f32, -0.5, -0.25, 0., 0.25, 0.5, 2., f32::INFINITY],
                &Device::Cpu,
            )
            .unwrap();
            let y = soft_threshold(&x.to_dtype(dtype).unwrap(), 0.5).unwrap();
            let y = y.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(y, [-1.5, 0., 0., 0., 0., 0., 1.5, f32::INFINITY]);
        }
        let nan = soft_threshold(&Tensor::new(f64::NAN, &Device::Cpu).unwrap(), 0.5).unwrap();
        assert!(nan.to_scalar::<f64>().unwrap().is_nan());
    }

    #[test]
    fn only_what_matches_and_has_a_gradient_is_shrunk() {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let params = ["a.weight", "b.weight", "a.bias"]
            .map(|name| param(&store.builder(), 1, name, &Init::Const(0.5)).unwrap());
        store.freeze("b.*").unwrap();
        let sgd = Sgd::new(
            &SgdConfig {
                lr: 0.5,
                ..SgdConfig::default()
            },
            &store,
        )
        .unwrap();
        let mut rule = ProximalL1::new(sgd, &store, "*.weight", 0.5).unwrap();
        // Every slope is ¼.
        let gradients = || {
            let all = Tensor::cat(&params.each_ref().map(|p| p.tensor()), 0).unwrap();
            backward(&(all.sum_all().unwrap() * 0.25).unwrap(), &store).unwrap()
        };
        let values = || params.each_ref().map(|p| p.value().to_vec1::<f64>().unwrap()[0]);
        rule.step(&gradients()).unwrap();
        assert_eq!(values(), [0.125, 0.5, 0.375]);
        store.unfreeze("b.*").unwrap();
        rule.set_learning_rate(0.25);
        assert_eq!(rule.learning_rate(), 0.25);
        rule.step(&gradients()).unwrap();
        assert_eq!(values(), [0., 0.3125, 0.3125]);
    }

    #[test]
    fn bad_options_are_named() {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        param(&store.builder(), 1, "a.weight", &Init::Const(1.)).unwrap();
        for (glob, lambda, message) in [
            (
                "*",
                -1.,
                "ProximalL1: lambda is -1, expected a finite number, at least 0",
            ),
            (
                "*",
                f64::NAN,
                "ProximalL1: lambda is NaN, expected a finite number, at least 0",
            ),
            ("*.bias", 1., "\"*.bias\" matches no parameter"),
            (
                "[",
                1.,
                "\"[\" is not a glob: unclosed character class; missing ']'",
            ),
        ] {
            let adam = Adam::new(&AdamConfig::default(), &store).unwrap();
            let error = ProximalL1::new(adam, &store, glob, lambda).err().unwrap();
            assert_eq!(error.to_string(), message);
        }
    }

    /// How the weights of a regression end in which 5 of 40 inputs matter.
    struct Fit {
        zeros: usize,
        small: usize,
        /// Of the weights that should be 0, and those that shouldn't.
        largest_of_others: f64,
        smallest_of_five: f64,
    }

    /// The penalties that are compared.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Penalty {
        Nothing,
        L2,
        Subgradient,
        Proximal,
    }

    fn fit(penalty: Penalty) -> Fit {
        let mut random = Random::new(3);
        let x = random.normal((120, 40), DType::F64).unwrap();
        let truth = Tensor::from_iter(
            (0..40).map(|i| if i < 5 { 1. + i as f64 / 2. } else { 0. }),
            &Device::Cpu,
        );
        let noise = (random.normal((120, 1), DType::F64).unwrap() * 0.1).unwrap();
        let y = (x.matmul(&truth.unwrap().reshape((40, 1)).unwrap()).unwrap() + noise).unwrap();
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let init = Init::Normal { mean: 0., std: 1. };
        let w = param(&store.builder(), (40, 1), "w", &init).unwrap();
        let sgd = Sgd::new(
            &SgdConfig {
                lr: 0.05,
                ..SgdConfig::default()
            },
            &store,
        )
        .unwrap();
        let lambda = 0.2;
        let mut rule: Box<dyn Optimize> = match penalty {
            Penalty::Proximal => Box::new(ProximalL1::new(sgd, &store, "w", lambda).unwrap()),
            _ => Box::new(sgd),
        };
        for _ in 0..500 {
            let w = w.tensor();
            let loss = (x.matmul(&w).unwrap() - &y)
                .unwrap()
                .sqr()
                .unwrap()
                .mean_all()
                .unwrap();
            let loss = match penalty {
                Penalty::L2 => loss + (w.sqr().unwrap().sum_all().unwrap() * lambda).unwrap(),
                Penalty::Subgradient => loss + (w.abs().unwrap().sum_all().unwrap() * lambda).unwrap(),
                Penalty::Nothing | Penalty::Proximal => Ok(loss),
            };
            rule.step(&backward(&loss.unwrap(), &store).unwrap()).unwrap();
        }
        let w = w.value().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let (five, others) = w.split_at(5);
        Fit {
            zeros: w.iter().filter(|w| **w == 0.).count(),
            small: w.iter().filter(|w| w.abs() < 0.02).count(),
            largest_of_others: others.iter().fold(0., |a, w| w.abs().max(a)),
            smallest_of_five: five.iter().fold(f64::INFINITY, |a, w| w.abs().min(a)),
        }
    }

    #[test]
    fn the_proximal_step_alone_gives_exact_zeros() {
        println!("penalty       zeros  |w| < 0.02  largest of 35  smallest of 5");
        for penalty in [
            Penalty::Nothing,
            Penalty::L2,
            Penalty::Subgradient,
            Penalty::Proximal,
        ] {
            let fit = fit(penalty);
            let (name, small) = (format!("{penalty:?}"), fit.small);
            let (largest, smallest) = (fit.largest_of_others, fit.smallest_of_five);
            println!(
                "{name:<12} {:>6} {small:>11} {largest:>14.4} {smallest:>14.4}",
                fit.zeros
            );
            // All that matter are found, whatever the penalty.
            assert!(smallest > 0.6, "{penalty:?}");
            if penalty == Penalty::Proximal {
                assert_eq!(fit.zeros, 35);
            } else {
                assert_eq!(fit.zeros, 0, "{penalty:?}");
            }
        }
    }
}
