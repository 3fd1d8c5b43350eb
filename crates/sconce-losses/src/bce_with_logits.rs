//! Binary cross-entropy of logits.

use crate::stable::softplus;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::graph;

const NAME: &str = "bce_with_logits";

/// Options of [`bce_with_logits`].
#[derive(Debug, Clone, Default)]
pub struct BceWithLogitsConfig {
    /// Factors of the losses, of any shape that broadcasts to theirs, such as `[batch, 1]`. None counts all the same.
    pub weight: Option<Tensor>,
    /// Factors of the positive terms, of any shape that broadcasts to the losses', such as `[classes]`: above 1 they favour
    /// recall, below 1 precision. None is 1.
    pub pos_weight: Option<Tensor>,
}

/// Binary cross-entropy between logits and targets.
///
/// l = −w·(p·t·ln σ(x) + (1 − t)·ln(1 − σ(x))), where σ is the sigmoid and p is `pos_weight`. It is computed as
/// w·(p·t·s(−x) + (1 − t)·s(x)) with s(x) = ln(1 + eˣ), in which nothing overflows or cancels, however sure the prediction. The
/// mean is over all elements, whatever the weights. All arguments get their gradient, if they are tracked.
///
/// # Shapes
/// `input`, `target`: any, the same; output: the same with [`Reduction::None`], else a scalar
///
/// # Errors
/// `input` and `target` differ in shape or element type, or aren't of floating point; a weight of another type, or that doesn't
/// broadcast.
///
/// # Source
/// `torch.nn.functional.binary_cross_entropy_with_logits`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{BceWithLogitsConfig, Reduction, bce_with_logits};
/// let logits = Tensor::new(&[0f64, 1000., -1000.], &Device::Cpu)?;
/// let targets = Tensor::new(&[1f64, 1., 1.], &Device::Cpu)?;
/// let losses = bce_with_logits(&logits, &targets, &BceWithLogitsConfig::default(), Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f64>()?, [2f64.ln(), 0., 1000.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn bce_with_logits(
    input: &Tensor,
    target: &Tensor,
    cfg: &BceWithLogitsConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    check::pair(NAME, input, target)?;
    let mut positive = (target * softplus(&input.neg()?)?)?;
    if let Some(weight) = &cfg.pos_weight {
        positive = (positive * check::broadcast(NAME, "pos_weight", weight, input)?)?;
    }
    let mut losses = (positive + ((1. - target)? * softplus(input)?)?)?;
    if let Some(weight) = &cfg.weight {
        losses = (losses * check::broadcast(NAME, "weight", weight, input)?)?;
    }
    let loss = reduction.composite(&losses, input.elem_count() as f64)?;
    graph::note(NAME, &[input, target], std::slice::from_ref(&loss));
    Ok(loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BceConfig, bce};
    use candle_core::{DType, Device, Var};
    use sconce_core::Error;
    use sconce_testkit::golden::{Bound, compare};
    use sconce_testkit::{GradCheck, Layout, Random};

    const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

    #[test]
    fn gradients_are_right_for_all_arguments() {
        let mut random = Random::new(1);
        let x = random.normal((3, 5), DType::F64).unwrap();
        let [y, w, p] =
            [&[3, 5][..], &[3, 1], &[5]].map(|s| random.uniform(s, 0.1, 0.9, DType::F64).unwrap());
        for reduction in REDUCTIONS {
            let check = GradCheck {
                layouts: Layout::ALL,
                ..GradCheck::default()
            };
            check.assert(&[("input", &x), ("target", &y)], &[], |t| {
                bce_with_logits(&t[0], &t[1], &BceWithLogitsConfig::default(), reduction)
            });
            let all = [("input", &x), ("target", &y), ("weight", &w), ("pos_weight", &p)];
            check.assert(&all, &[], |t| {
                let cfg = BceWithLogitsConfig {
                    weight: Some(t[2].clone()),
                    pos_weight: Some(t[3].clone()),
                };
                bce_with_logits(&t[0], &t[1], &cfg, reduction)
            });
        }
    }

    #[test]
    fn of_a_sigmoid_it_is_bce() {
        let mut random = Random::new(2);
        let x = random.normal((4, 3), DType::F64).unwrap();
        let y = random.uniform((4, 3), 0., 1., DType::F64).unwrap();
        let weight = Some(random.uniform(3, 0.1, 2., DType::F64).unwrap());
        let sigmoid = (x.neg().unwrap().exp().unwrap() + 1.).unwrap().recip().unwrap();
        for reduction in REDUCTIONS {
            let expected = bce(
                &sigmoid,
                &y,
                &BceConfig {
                    weight: weight.clone(),
                },
                reduction,
            )
            .unwrap();
            let cfg = BceWithLogitsConfig {
                weight: weight.clone(),
                pos_weight: None,
            };
            let actual = bce_with_logits(&x, &y, &cfg, reduction).unwrap();
            compare("loss", &actual, &expected, Bound::F64).unwrap();
        }
    }

    #[test]
    fn sure_predictions() {
        // logit, target, loss, slope
        for (x, y, loss, slope) in [
            (0., 0., 2f64.ln(), 0.5),
            (1e4, 1., 0., 0.),
            (1e4, 0., 1e4, 1.),
            (-1e4, 1., 1e4, -1.),
            (-40., 0., 4.248_354_255_291_589e-18, 4.248_354_255_291_589e-18),
            (40., 1., 4.248_354_255_291_589e-18, -4.248_354_255_291_589e-18),
        ] {
            for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
                let tensor = |value: f64| Tensor::new(value, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
                let var = Var::from_tensor(&tensor(x)).unwrap();
                let cfg = BceWithLogitsConfig::default();
                let actual = bce_with_logits(&var, &tensor(y), &cfg, Reduction::Sum).unwrap();
                let gradient = actual.backward().unwrap().remove(&var).unwrap();
                let name = format!("{x}, {y}, {dtype:?}");
                let exact = Bound { atol: 0., ..bound };
                compare(&name, &actual, &tensor(loss), exact).unwrap();
                compare(&name, &gradient, &tensor(slope), exact).unwrap();
            }
        }
    }

    #[test]
    fn bad_arguments() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let default = BceWithLogitsConfig::default;
        let weight = Some(x.get(0).unwrap().narrow(0, 0, 2).unwrap());
        for (target, cfg, message) in [
            (
                x.get(0).unwrap(),
                default(),
                "bce_with_logits: target has shape [3], expected [2, 3], the input's",
            ),
            (
                x.to_dtype(DType::I64).unwrap(),
                default(),
                "bce_with_logits: target has dtype I64, expected F32, the input's",
            ),
            (
                x.clone(),
                BceWithLogitsConfig {
                    pos_weight: weight.clone(),
                    ..default()
                },
                "bce_with_logits: pos_weight has shape [2], expected one that broadcasts to [2, 3], the input's",
            ),
            (
                x.clone(),
                BceWithLogitsConfig { weight, ..default() },
                "bce_with_logits: weight has shape [2], expected one that broadcasts to [2, 3], the input's",
            ),
        ] {
            let error = bce_with_logits(&x, &target, &cfg, Reduction::Mean).unwrap_err();
            assert_eq!(Error::from(error).to_string(), message);
        }
    }
}
