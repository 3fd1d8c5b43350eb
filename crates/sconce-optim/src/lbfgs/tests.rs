#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use super::*;
use candle_core::DType;
use sconce_core::{Init, Param, ParamStore, backward, param};

const WOLFE: LbfgsConfig = LbfgsConfig {
    lr: 1.,
    max_iter: 20,
    max_eval: None,
    tolerance_grad: 1e-7,
    tolerance_change: 1e-9,
    history_size: 10,
    line_search: LineSearch::StrongWolfe,
    maximize: false,
};

fn valley(dtype: DType, device: &Device) -> (ParamStore, [Param; 2]) {
    let store = ParamStore::new(dtype, device);
    let x = param(&store.builder(), 3, "x", &Init::Const(-1.)).unwrap();
    let y = param(&store.builder(), 3, "y", &Init::Const(2.)).unwrap();
    (store, [x, y])
}

/// Rosenbrock's valley, times a factor.
fn evaluate(store: &ParamStore, [x, y]: &[Param; 2], factor: f64) -> Result<(f64, Gradients)> {
    let (x, y) = (x.tensor(), y.tensor());
    let valley = ((y - x.sqr()?)?.sqr()? * 100.)?;
    let loss = (((1. - x)?.sqr()? + valley)?.sum_all()? * factor)?;
    Ok((loss.to_dtype(DType::F64)?.to_scalar()?, backward(&loss, store)?))
}

fn values(params: &[Param; 2]) -> Vec<f64> {
    let flat = params.iter().map(|p| p.value().to_dtype(DType::F64).unwrap());
    flat.flat_map(|value| value.to_vec1::<f64>().unwrap()).collect()
}

#[test]
fn it_descends_and_climbs_in_every_type() {
    for (dtype, near) in [(DType::F64, 1e-6), (DType::F32, 1e-2)] {
        for maximize in [false, true] {
            let (store, params) = valley(dtype, &Device::Cpu);
            let mut rule = Lbfgs::new(
                &LbfgsConfig {
                    maximize,
                    tolerance_change: 0.,
                    ..WOLFE
                },
                &store,
            )
            .unwrap();
            let factor = if maximize { -1. } else { 1. };
            let mut losses = Vec::new();
            for _ in 0..5 {
                let loss = rule.step(&mut || evaluate(&store, &params, factor)).unwrap();
                losses.push(loss * factor);
            }
            // Three times 4 + 100.
            assert_eq!(losses[0], 312., "{losses:?}");
            assert!(
                values(&params).iter().all(|value| (value - 1.).abs() < near),
                "{:?}",
                values(&params)
            );
        }
    }
}

#[test]
fn half_precision_ends_near_the_minimum() {
    let store = ParamStore::new(DType::BF16, &Device::Cpu);
    let w = param(&store.builder(), 4, "w", &Init::Const(-1.)).unwrap();
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap();
    let loss = rule.step(&mut || {
        let loss = (w.tensor().to_dtype(DType::F32)? - 3.)?.sqr()?.sum_all()?;
        Ok((loss.to_scalar::<f32>()?.into(), backward(&loss, &store)?))
    });
    assert_eq!(loss.unwrap(), 64.);
    let end: Vec<f32> = w.value().to_dtype(DType::F32).unwrap().to_vec1().unwrap();
    assert!(end.iter().all(|w| (w - 3.).abs() < 0.02), "{end:?}");
}

#[test]
fn a_saved_state_goes_on_to_the_bit() {
    for line_search in [LineSearch::StrongWolfe, LineSearch::Fixed] {
        let cfg = LbfgsConfig {
            line_search,
            lr: 0.1,
            max_iter: 3,
            history_size: 2,
            ..WOLFE
        };
        let (store, params) = valley(DType::F64, &Device::Cpu);
        let mut rule = Lbfgs::new(&cfg, &store).unwrap();
        assert!(rule.state().unwrap().is_empty());
        for _ in 0..3 {
            rule.step(&mut || evaluate(&store, &params, 1e-2)).unwrap();
        }
        let (twin_store, twins) = valley(DType::F64, &Device::Cpu);
        for (twin, param) in twins.iter().zip(&params) {
            twin_store.set(twin.name(), &param.value()).unwrap();
        }
        let mut twin = Lbfgs::new(&cfg, &twin_store).unwrap();
        twin.load_state(&rule.state().unwrap()).unwrap();
        for _ in 0..3 {
            let one = rule.step(&mut || evaluate(&store, &params, 1e-2)).unwrap();
            let two = twin.step(&mut || evaluate(&twin_store, &twins, 1e-2)).unwrap();
            assert_eq!(one.to_bits(), two.to_bits());
            assert_eq!(values(&params), values(&twins));
        }
    }
}

#[test]
fn state_that_does_not_fit_is_refused() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap();
    rule.step(&mut || evaluate(&store, &params, 1.)).unwrap();
    let good = rule.state().unwrap();
    let changed = |name: &str, tensor: Option<Tensor>| {
        let mut state = good.clone();
        let place = state.iter().position(|(known, _)| known == name).unwrap();
        match tensor {
            Some(tensor) => state[place].1 = tensor,
            None => drop(state.remove(place)),
        }
        state
    };
    let wrong = Tensor::zeros((2, 2), DType::F64, &Device::Cpu).unwrap();
    let mut extra = good.clone();
    extra.push(("exp_avg".into(), wrong.clone()));
    let mut twice = good.clone();
    twice.push(good[0].clone());
    for (bad, message) in [
        (changed("d", None), "state is missing, expected d"),
        (
            changed("d", Some(wrong.clone())),
            "d (Lbfgs): state has shape [2, 2], expected [6]",
        ),
        (
            changed("old_stps", Some(wrong.clone())),
            "old_stps (Lbfgs): state has shape [2, 2]",
        ),
        (
            changed("t", Some(wrong)),
            "t (Lbfgs): state has shape [2, 2], expected one element",
        ),
        (
            changed("n_iter", Some(Tensor::new(-3.5, &Device::Cpu).unwrap())),
            "n_iter is -3.5, expected a whole number, at least 0",
        ),
        (extra, "state is exp_avg"),
        (twice, "state is func_evals, expected each name once"),
    ] {
        let error = rule.load_state(&bad).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        let kept = rule.state().unwrap();
        assert_eq!(kept.len(), good.len());
        assert_eq!(
            kept[5].1.to_vec1::<f64>().unwrap(),
            good[5].1.to_vec1::<f64>().unwrap()
        );
    }
}

#[test]
fn any_number_of_iterations_may_be_asked_for() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let cfg = LbfgsConfig {
        max_iter: usize::MAX,
        ..WOLFE
    };
    let mut rule = Lbfgs::new(&cfg, &store).unwrap();
    rule.step(&mut || evaluate(&store, &params, 1.)).unwrap();
}

#[test]
fn a_slope_within_the_tolerance_is_a_minimum() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let cfg = LbfgsConfig {
        tolerance_grad: 1e6,
        ..WOLFE
    };
    let mut rule = Lbfgs::new(&cfg, &store).unwrap();
    let before = values(&params);
    rule.step(&mut || evaluate(&store, &params, 1.)).unwrap();
    assert_eq!(values(&params), before);
}

/// A loss may be finite where its gradient isn't.
#[test]
fn a_gradient_that_is_not_finite_is_refused_where_asked() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap().refusing_non_finite();
    let before = values(&params);
    let slope = Tensor::new(&[1., f64::NAN, 1.], &Device::Cpu).unwrap();
    let gradients = || Gradients::from_tensors([("y".to_string(), slope.clone())], []);
    let error = rule.step(&mut || Ok((1., gradients()?))).unwrap_err().to_string();
    assert_eq!(
        error,
        "y (Lbfgs): gradient is NaN at [1], expected finite numbers"
    );
    assert_eq!(values(&params), before);
    assert!(rule.state().unwrap().is_empty());
}

/// Whatever evaluation of a step it is that fails, the step didn't happen.
#[test]
fn a_step_that_fails_changes_nothing() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap().refusing_non_finite();
    let cfg_step = |rule: &mut Lbfgs, factor_at: &dyn Fn(usize) -> Result<f64>| {
        let mut call = 0;
        rule.step(&mut || {
            call += 1;
            evaluate(&store, &params, factor_at(call)?)
        })
    };
    cfg_step(&mut rule, &|_| Ok(1e-3)).unwrap();
    let before = values(&params);
    let numbers = |rule: &Lbfgs| rule.state().unwrap()[0].1.to_scalar::<f64>().unwrap();
    let evaluations = numbers(&rule);
    for (factor, message) in [
        (f64::NAN, "loss is NaN, expected a finite number"),
        (f64::INFINITY, "loss is inf, expected a finite number"),
    ] {
        let error = cfg_step(&mut rule, &|call| Ok(if call == 3 { factor } else { 1e-3 }));
        assert!(error.unwrap_err().to_string().contains(message));
        assert_eq!((values(&params), numbers(&rule)), (before.clone(), evaluations));
    }
    let error = cfg_step(&mut rule, &|call| match call {
        2 => Err(Error::Backward("no more".into())),
        _ => Ok(1e-3),
    });
    assert!(error.unwrap_err().to_string().contains("no more"));
    assert_eq!((values(&params), numbers(&rule)), (before, evaluations));
}

#[test]
fn bad_options_and_gradients_are_named() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    for (cfg, message) in [
        (LbfgsConfig { lr: -1., ..WOLFE }, "Lbfgs: lr is -1"),
        (
            LbfgsConfig { max_iter: 0, ..WOLFE },
            "Lbfgs: max_iter is 0, expected at least 1",
        ),
        (
            LbfgsConfig {
                max_eval: Some(0),
                ..WOLFE
            },
            "Lbfgs: max_eval is 0",
        ),
        (
            LbfgsConfig {
                history_size: 0,
                ..WOLFE
            },
            "Lbfgs: history_size is 0",
        ),
        (
            LbfgsConfig {
                tolerance_grad: f64::NAN,
                ..WOLFE
            },
            "Lbfgs: tolerance_grad is NaN",
        ),
        (
            LbfgsConfig {
                tolerance_change: -1.,
                ..WOLFE
            },
            "Lbfgs: tolerance_change is -1",
        ),
    ] {
        let error = Lbfgs::new(&cfg, &store).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap();
    assert!(rule.set_learning_rate(f64::INFINITY).is_err());
    rule.set_learning_rate(0.5).unwrap();
    assert_eq!(rule.learning_rate(), 0.5);
    let before = values(&params);
    for (name, dims, message) in [
        ("z", 3, "gradient is z, expected the name of a parameter"),
        (
            "x",
            2,
            "x (Lbfgs): gradient has shape [2], expected [3], the parameter's",
        ),
    ] {
        let gradient = Tensor::ones(dims, DType::F64, &Device::Cpu).unwrap();
        let error = rule.step(&mut || {
            Ok((
                0.,
                Gradients::from_tensors([(name.to_string(), gradient.clone())], [])?,
            ))
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(values(&params), before);
    }
}

/// What isn't in the loss stays, and what is minimised already isn't left.
#[test]
fn a_missing_gradient_is_zero_and_a_minimum_is_kept() {
    let (store, params) = valley(DType::F64, &Device::Cpu);
    let mut rule = Lbfgs::new(&WOLFE, &store).unwrap();
    let mut calls = 0;
    for _ in 0..2 {
        rule.step(&mut || {
            calls += 1;
            let loss = (params[0].tensor() - 4.)?.sqr()?.sum_all()?;
            Ok((loss.to_scalar()?, backward(&loss, &store)?))
        })
        .unwrap();
    }
    let end = values(&params);
    assert!(end[..3].iter().all(|x| (x - 4.).abs() < 1e-9), "{end:?}");
    assert_eq!(end[3..], [2.; 3]);
    assert!(calls < 12, "{calls}");
    let nothing = ParamStore::new(DType::F64, &Device::Cpu);
    let mut rule = Lbfgs::new(&WOLFE, &nothing).unwrap();
    let loss = rule.step(&mut || Ok((7., Gradients::from_tensors([], [])?)));
    assert_eq!(loss.unwrap(), 7.);
}
