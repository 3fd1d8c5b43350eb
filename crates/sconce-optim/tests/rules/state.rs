//! The state, by PyTorch's names.

use super::*;

#[test]
fn state_has_pytorchs_names_and_only_where_a_gradient_came() {
    for (config, names) in RULES {
        let (store, params) = store(&[3, 4, 2], DType::F32);
        let mut rule = config.rule(&store);
        assert!(rule.state().unwrap().is_empty());
        let before = params[1].value().copy().unwrap();
        let partial = backward(&loss(&[params[0].tensor(), params[2].tensor()]), &store).unwrap();
        assert_eq!(partial.missing(), ["p1"]);
        rule.step(&partial).unwrap();
        check_same_bits("a parameter without a gradient", &params[1].value(), &before).unwrap();
        let state = rule.state().unwrap();
        let expected: Vec<String> = ["p0", "p2"]
            .iter()
            .flat_map(|p| names.iter().map(move |name| format!("{p}.{name}")))
            .collect();
        assert_eq!(
            state.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            expected
        );
        let tensors = state.iter().filter(|(_, tensor)| tensor.rank() > 0);
        for (name, tensor) in tensors {
            assert_eq!(tensor.dims(), [if name.starts_with("p0") { 3 } else { 2 }]);
            assert!(
                tensor
                    .abs()
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap()
                    > 0.,
                "{name}"
            );
        }
    }
}

/// Whatever the step, a rule that was given another's state goes on as that one does, to the bit.
#[test]
fn state_moves_to_another_optimiser_in_mid_run() {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        for (config, _) in RULES {
            let ((store, params), (twin, twins)) = (store(&[3, 200], dtype), store(&[3, 200], dtype));
            let mut rule = config.rule(&store);
            for _ in 0..3 {
                rule.step(&gradients(&store, &params)).unwrap();
            }
            let mut other = config.rule(&twin);
            // What it has done itself is forgotten.
            other.step(&gradients(&twin, &twins)).unwrap();
            for (name, var) in store.named_tensors() {
                twin.set(&name, &var).unwrap();
            }
            other.load_state(&rule.state().unwrap()).unwrap();
            for _ in 0..3 {
                rule.step(&gradients(&store, &params)).unwrap();
                other.step(&gradients(&twin, &twins)).unwrap();
            }
            for ((a, b), p) in rule
                .state()
                .unwrap()
                .iter()
                .zip(other.state().unwrap())
                .zip([0; 9])
            {
                assert_eq!((&a.0, p), (&b.0, 0));
                check_same_bits(&format!("{config:?} {}", a.0), &a.1, &b.1).unwrap();
            }
            for (a, b) in params.iter().zip(&twins) {
                check_same_bits(&format!("{config:?} {}", a.name()), &a.value(), &b.value()).unwrap();
            }
        }
    }
}

/// With the digits that bf16 has no room for, many small steps add up.
#[test]
fn half_precision_parameters_have_a_twin() {
    let (store, params) = store(&[8], DType::BF16);
    store
        .set("p0", &Tensor::ones(8, DType::BF16, &Device::Cpu).unwrap())
        .unwrap();
    let cfg = SgdConfig { lr: 1e-4, ..SGD };
    let mut sgd = Sgd::new(&cfg, &store).unwrap();
    let sum = || backward(&params[0].tensor().sum_all().unwrap(), &store).unwrap();
    for _ in 0..1000 {
        sgd.step(&sum()).unwrap();
    }
    let value = || {
        params[0]
            .value()
            .to_dtype(DType::F64)
            .unwrap()
            .mean_all()
            .unwrap()
    };
    let left = value().to_scalar::<f64>().unwrap();
    assert!((left - 0.9).abs() < 0.005, "{left}");
    // What others write counts.
    store
        .set("p0", &Tensor::zeros(8, DType::BF16, &Device::Cpu).unwrap())
        .unwrap();
    sgd.step(&sum()).unwrap();
    let left = value().to_scalar::<f64>().unwrap();
    assert!((left + 1e-4).abs() < 1e-6, "{left}");
}

#[test]
fn state_that_does_not_fit_is_refused_and_changes_nothing() {
    let (store, params) = store(&[3, 4], DType::F32);
    let mut adam = Adam::new(&ADAM, &store).unwrap();
    adam.step(&gradients(&store, &params)).unwrap();
    let good = adam.state().unwrap();
    let three = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
    type Change<'a> = &'a dyn Fn(&mut State);
    let table: [(Change<'_>, &str); 7] = [
        (
            &|state| state[0].0 = "p9.step".into(),
            "state is p9.step, expected PARAMETER.STATE, for a parameter that Adam::new was given",
        ),
        (
            &|state| drop(state.remove(4)),
            "p1.exp_avg (Adam): state is missing",
        ),
        (
            &|state| state[4].1 = three.clone(),
            "p1.exp_avg (Adam): state has shape [3], expected [4], for the parameter's [4]",
        ),
        (
            &|state| state[1].1 = three.to_dtype(DType::U32).unwrap(),
            "p0.exp_avg (Adam): state has dtype U32",
        ),
        (
            &|state| state[0].1 = Tensor::new(-1f64, &Device::Cpu).unwrap(),
            "p0.step (Adam): state is -1, expected a whole number, at least 0",
        ),
        (
            &|state| state[0].1 = three.clone(),
            "p0.step (Adam): state has shape [3], expected one element",
        ),
        (
            &|state| state.push(("p0.momentum_buffer".into(), three.clone())),
            "state is momentum_buffer, expected one of [\"exp_avg\", \"exp_avg_sq\"]",
        ),
    ];
    for (change, message) in table {
        let mut bad = good.clone();
        change(&mut bad);
        let error = adam.load_state(&bad).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        for ((name, before), (_, after)) in good.iter().zip(adam.state().unwrap()) {
            check_same_bits(name, before, &after).unwrap();
        }
    }
}

#[test]
fn what_a_state_leaves_out_has_none() {
    for (config, names) in RULES {
        let (store, params) = store(&[3, 4], DType::F32);
        let mut rule = config.rule(&store);
        rule.step(&gradients(&store, &params)).unwrap();
        let mut state = rule.state().unwrap();
        state.retain(|(name, _)| name.starts_with("p0."));
        rule.load_state(&state).unwrap();
        let kept = rule.state().unwrap();
        assert_eq!(kept.len(), names.len());
        assert!(kept.iter().all(|(name, _)| name.starts_with("p0.")), "{config:?}");
    }
}

#[test]
fn steps_are_counted_for_each_parameter() {
    let (store, params) = store(&[3, 4], DType::F64);
    let mut adam = Adam::new(&ADAM, &store).unwrap();
    adam.step(&backward(&loss(&[params[0].tensor()]), &store).unwrap())
        .unwrap();
    adam.step(&gradients(&store, &params)).unwrap();
    let steps = adam
        .state()
        .unwrap()
        .into_iter()
        .filter(|(name, _)| name.ends_with("step"));
    let steps: Vec<_> = steps
        .map(|(name, step)| (name, step.to_scalar::<f64>().unwrap()))
        .collect();
    assert_eq!(steps, [("p0.step".to_string(), 2.), ("p1.step".to_string(), 1.)]);
}
