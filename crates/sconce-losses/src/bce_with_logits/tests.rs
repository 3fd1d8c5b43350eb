use super::*;
use crate::{BceConfig, bce};
use candle_core::{DType, Device, Var};
use proptest::prelude::*;
use sconce_core::Error;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

#[test]
fn gradients_are_right_for_all_arguments() {
    let mut random = Random::new(1);
    let x = random.normal((3, 5), DType::F64).unwrap();
    let [y, w, p] = [&[3, 5][..], &[3, 1], &[5]].map(|s| random.uniform(s, 0.1, 0.9, DType::F64).unwrap());
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn kernel_is_composite(
        seed: u64, rank in 0usize..4, reduction in 0usize..3, single: bool, shapes in prop::array::uniform2(0usize..4),
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let shape = random.shape(rank, 9);
        let x = Var::from_tensor(&(random.normal(shape.clone(), dtype)? * 6.)?)?;
        let y = Var::from_tensor(&random.uniform(shape.clone(), 0., 1., dtype)?)?;
        // None, the same shape, one that lacks the first axis, or one with axes of 1.
        let mut weight = |kind: usize| {
            let mut own = shape.clone();
            match kind {
                0 => return Ok(None),
                1 => {}
                2 => own = own.into_iter().skip(1).collect(),
                _ => own.iter_mut().step_by(2).for_each(|length| *length = 1),
            }
            Var::from_tensor(&random.uniform(own, 0.1, 2., dtype)?).map(Some)
        };
        let vars = [weight(shapes[0])?, weight(shapes[1])?];
        let [weight, pos_weight] = vars.clone().map(|var| var.map(|var| var.as_tensor().clone()));
        let cfg = BceWithLogitsConfig { weight, pos_weight };
        let reduction = REDUCTIONS[reduction];
        let oracle = composite(&x, &y, &cfg, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let loss = bce_with_logits(&x, &y, &cfg, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            for var in [&x, &y].into_iter().chain(vars.iter().flatten()) {
                compare("gradient", gradients.get(var).unwrap(), expected.get(var).unwrap(), bound)?;
            }
        }
    }
}

#[test]
fn infinite_logits() {
    let inf = f64::INFINITY;
    // logit, target, loss, slope; where the target is exactly what the logit says, 0 times infinity is no number, as in PyTorch.
    for (x, y, loss, slope) in [
        (inf, 0., inf, 1.),
        (inf, 0.5, inf, 0.5),
        (-inf, 1., inf, -1.),
        (inf, 1., f64::NAN, 0.),
        (-inf, 0., f64::NAN, 0.),
        (f64::NAN, 0., f64::NAN, f64::NAN),
    ] {
        let var = Var::new(x, &Device::Cpu).unwrap();
        let target = Tensor::new(y, &Device::Cpu).unwrap();
        let actual = bce_with_logits(&var, &target, &BceWithLogitsConfig::default(), Reduction::Sum).unwrap();
        let gradient = actual.backward().unwrap().remove(&var).unwrap();
        let same = |a: Tensor, b: f64| {
            let a = a.to_scalar::<f64>().unwrap();
            assert!(a == b || a.is_nan() && b.is_nan(), "{x}, {y}: {a}, not {b}");
        };
        same(actual, loss);
        same(gradient, slope);
    }
}

#[test]
fn many_elements_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(3);
    // More than what goes past the cache.
    let x = Var::from_tensor(&random.normal((220_001, 10), DType::F32).unwrap()).unwrap();
    let y = random.uniform((220_001, 10), 0., 1., DType::F32).unwrap();
    let cfg = BceWithLogitsConfig {
        weight: Some(random.uniform((220_001, 1), 0., 1., DType::F32).unwrap()),
        pos_weight: Some(random.uniform(10, 0., 2., DType::F32).unwrap()),
    };
    check_thread_independence(|| {
        let loss = bce_with_logits(&x, &y, &cfg, Reduction::Mean)?;
        let gradient = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
        Ok(vec![
            loss,
            bce_with_logits(&x, &y, &cfg, Reduction::None)?,
            gradient,
        ])
    })
    .unwrap();
}
