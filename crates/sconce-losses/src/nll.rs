//! Negative log-likelihood.

use crate::rows::{Rows, classes_last};
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::graph;

const NAME: &str = "nll";

/// Options of [`nll`]; the defaults are PyTorch's.
#[derive(Debug, Clone)]
pub struct NllConfig {
    /// A weight a class, at least 0: `[classes]`. None counts all the same.
    pub weight: Option<Tensor>,
    /// Rows with this target count for nothing. It may be a class or no class at all.
    pub ignore_index: i64,
}

impl Default for NllConfig {
    fn default() -> Self {
        Self {
            weight: None,
            ignore_index: -100,
        }
    }
}

/// Negative log-likelihood of classes, from their logarithmic probabilities.
///
/// l = −w\[t\]·x\[t\]. The mean is Σ l / Σ w\[t\] over the rows that count; if none does, it is NaN, as PyTorch's. From logits,
/// [`cross_entropy`](crate::cross_entropy()) is the same and one step less.
///
/// # Shapes
/// `log_probabilities`: `[batch, classes, *positions]` or `[classes]`; `targets`: the same without `classes`, of type `u8`, `u32`
/// or `i64`; output: like `targets` with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types other than these; a target that is no class, with its position and value; a weight that is negative,
/// not finite or tracked, or another number of them than classes.
///
/// # Source
/// `torch.nn.functional.nll_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{NllConfig, Reduction, nll};
/// let log_probabilities = Tensor::new(&[[0.25f64, 0.75], [0.5, 0.5]], &Device::Cpu)?.log()?;
/// let targets = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let loss = nll(&log_probabilities, &targets, &NllConfig::default(), Reduction::Sum)?;
/// assert!((loss.to_scalar::<f64>()? + (0.75f64 * 0.5).ln()).abs() < 1e-12);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn nll(
    log_probabilities: &Tensor,
    targets: &Tensor,
    cfg: &NllConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let argument = "log_probabilities";
    check::float(NAME, argument, log_probabilities)?;
    let weight = cfg.weight.as_ref();
    let rows = Rows::new(
        NAME,
        argument,
        log_probabilities,
        targets,
        weight,
        cfg.ignore_index,
    )?;
    let picked = rows.pick(&classes_last(log_probabilities)?, |class| -rows.weight(class))?;
    let losses = rows.that_count(&picked)?;
    let losses = match reduction {
        Reduction::None => losses.reshape(targets.shape())?,
        _ => reduction.composite(&losses, rows.count())?,
    };
    graph::note(NAME, &[log_probabilities], std::slice::from_ref(&losses));
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrossEntropyConfig, cross_entropy_with};
    use candle_core::{D, DType, Device, Var};
    use sconce_core::Error;
    use sconce_testkit::golden::{Bound, compare};
    use sconce_testkit::{GradCheck, Layout, Random};

    const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

    #[test]
    fn gradients_are_right() {
        let mut random = Random::new(1);
        for shape in [&[5][..], &[3, 4], &[2, 3, 5], &[2, 3, 1, 2]] {
            let x = random.normal(shape, DType::F64).unwrap();
            let axis = usize::from(shape.len() > 1);
            let mut positions = shape.to_vec();
            let classes = positions.remove(axis);
            let targets = random.indices(positions, classes).unwrap();
            let weight = Some(random.uniform(classes, 0.1, 2., DType::F64).unwrap());
            let ignore_index = if shape.len() > 1 { 1 } else { -1 };
            for cfg in [NllConfig::default(), NllConfig { weight, ignore_index }] {
                for reduction in REDUCTIONS {
                    let check = GradCheck {
                        layouts: Layout::ALL,
                        ..GradCheck::default()
                    };
                    check.assert(&[("x", &x)], &[], |t| nll(&t[0], &targets, &cfg, reduction));
                }
            }
        }
    }

    #[test]
    fn of_a_log_softmax_it_is_cross_entropy() {
        let mut random = Random::new(2);
        let x = random.normal((6, 3), DType::F64).unwrap();
        let targets = random.indices(6, 3).unwrap();
        let weight = Some(random.uniform(3, 0.1, 2., DType::F64).unwrap());
        let exp = x.exp().unwrap();
        let log_softmax = exp
            .broadcast_div(&exp.sum_keepdim(D::Minus1).unwrap())
            .unwrap()
            .log()
            .unwrap();
        for reduction in REDUCTIONS {
            let cfg = NllConfig {
                weight: weight.clone(),
                ignore_index: 2,
            };
            let actual = nll(&log_softmax, &targets, &cfg, reduction).unwrap();
            let cfg = CrossEntropyConfig {
                weight: weight.clone(),
                ignore_index: 2,
                ..CrossEntropyConfig::default()
            };
            let expected = cross_entropy_with(&x, &targets, &cfg, reduction).unwrap();
            compare("nll", &actual, &expected, Bound::F64).unwrap();
        }
    }

    #[test]
    fn rows_that_count_for_nothing() {
        let x = Var::new(
            &[[0f64, f64::NEG_INFINITY], [f64::NEG_INFINITY, 0.]],
            &Device::Cpu,
        )
        .unwrap();
        let targets = Tensor::new(&[-100i64, -100], &Device::Cpu).unwrap();
        for (reduction, expected) in [(Reduction::Mean, f64::NAN), (Reduction::Sum, 0.)] {
            let loss = nll(&x, &targets, &NllConfig::default(), reduction).unwrap();
            compare(
                "loss",
                &loss,
                &Tensor::new(expected, &Device::Cpu).unwrap(),
                Bound::F64,
            )
            .unwrap();
        }
        let loss = nll(&x, &targets, &NllConfig::default(), Reduction::Sum).unwrap();
        let gradient = loss.backward().unwrap().remove(&x).unwrap();
        assert_eq!(gradient.to_vec2::<f64>().unwrap(), [[0.; 2]; 2]);
    }

    #[test]
    fn bad_arguments() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let classes = |values: &[i64]| Tensor::new(values, &Device::Cpu).unwrap();
        for (x, targets, message) in [
            (
                x.clone(),
                classes(&[0, 3]),
                "nll: targets[1] is 3, expected a class, at least 0 and below 3, or ignore_index = -100",
            ),
            (
                x.clone(),
                classes(&[0]),
                "nll: targets has shape [1], expected [batch] = [2]",
            ),
            (
                x.clone(),
                x.get_on_dim(1, 0).unwrap(),
                "nll: targets has dtype F32, expected u8, u32 or i64",
            ),
            (
                x.narrow(1, 0, 0).unwrap(),
                classes(&[0, 1]),
                "nll: log_probabilities has shape [2, 0], expected [batch, classes, *positions] or [classes], at least one class",
            ),
            (
                classes(&[1, 2]),
                classes(&[0]),
                "nll: log_probabilities has dtype I64, expected a floating-point type",
            ),
        ] {
            let error = nll(&x, &targets, &NllConfig::default(), Reduction::Mean).unwrap_err();
            assert_eq!(Error::from(error).to_string(), message);
        }
    }
}
