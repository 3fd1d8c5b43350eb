//! Groups of parameters with options of their own; parameters that are frozen, or come later.

use super::*;

fn moved(before: &Tensor, param: &Param) -> f64 {
    let distance = (param.value() - before)
        .unwrap()
        .abs()
        .unwrap()
        .sum_all()
        .unwrap();
    distance.to_scalar().unwrap()
}

#[test]
fn each_group_has_options_of_its_own() {
    let (store, params) = store(&[3, 4, 5], DType::F64);
    let mut sgd = Sgd::new(&SGD, &store)
        .unwrap()
        .with_group("p1", &SgdConfig { lr: 0., ..SGD })
        .unwrap()
        .with_group("p{2,9}", &SgdConfig { momentum: 0.5, ..SGD })
        .unwrap();
    let names: Vec<_> = sgd
        .groups()
        .into_iter()
        .map(|(cfg, names)| (cfg.lr, names))
        .collect();
    assert_eq!(names, [(0.05, vec!["p0"]), (0., vec!["p1"]), (0.05, vec!["p2"])]);
    let before: Vec<Tensor> = params.iter().map(|p| p.value().copy().unwrap()).collect();
    sgd.step(&gradients(&store, &params)).unwrap();
    assert!(moved(&before[0], &params[0]) > 0. && moved(&before[2], &params[2]) > 0.);
    assert_eq!(moved(&before[1], &params[1]), 0.);
    let state: Vec<_> = sgd.state().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(state, ["p2.momentum_buffer"]);

    assert_eq!(
        (sgd.learning_rates(), sgd.momenta()),
        (vec![0.05, 0., 0.05], vec![0., 0., 0.5])
    );
    sgd.set_learning_rates(&[0.1, 0.2, 0.3]).unwrap();
    sgd.set_momenta(&[0., 0.6, 0.7]).unwrap();
    assert_eq!(
        (sgd.learning_rates(), sgd.momenta()),
        (vec![0.1, 0.2, 0.3], vec![0., 0.6, 0.7])
    );
    for (bad, message) in [
        (
            &[0.1, 0.2][..],
            "lr is [0.1, 0.2], expected one for each of the 3 groups",
        ),
        (
            &[0.1, -0.2, 0.3],
            "lr is -0.2, expected a finite number, at least 0",
        ),
    ] {
        let error = sgd.set_learning_rates(bad).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(sgd.learning_rates(), [0.1, 0.2, 0.3]);
    }
    let mut rprop = Rprop::new(&RPROP, &store).unwrap();
    let error = rprop.set_momenta(&[0.5]).unwrap_err().to_string();
    assert!(
        error.contains("Rprop: momentum is [0.5], expected none"),
        "{error}"
    );
}

/// A group for all parameters is what the options are without groups.
#[test]
fn a_group_of_all_is_no_group() {
    for (config, _) in RULES {
        let ((one, params), (two, twins)) = (store(&[3, 70], DType::F64), store(&[3, 70], DType::F64));
        let mut rule = config.rule(&one);
        let mut grouped = config.grouped(&two);
        for _ in 0..3 {
            rule.step(&gradients(&one, &params)).unwrap();
            grouped.step(&gradients(&two, &twins)).unwrap();
        }
        for (a, b) in params.iter().zip(&twins) {
            check_same_bits(&format!("{config:?}"), &a.value(), &b.value()).unwrap();
        }
    }
}

#[test]
fn groups_that_cannot_be_are_refused() {
    let (store, params) = store(&[3, 4], DType::F64);
    let mut sgd = Sgd::new(&SGD, &store).unwrap();
    sgd.step(&gradients(&store, &params)).unwrap();
    for (glob, cfg, message) in [
        ("q*", SGD, "\"q*\" matches no parameter"),
        ("p[", SGD, "is not a glob"),
        ("p0", SgdConfig { lr: -1., ..SGD }, "lr is -1"),
        (
            "p0",
            SgdConfig { momentum: 0.5, ..SGD },
            "group is [\"momentum_buffer\"], expected options that keep [], as p0 has them already",
        ),
    ] {
        let error = sgd.add_group(glob, &cfg).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(sgd.groups().len(), 1);
    }
}

#[test]
fn what_is_frozen_stays_and_may_thaw() {
    for (config, _) in RULES {
        let (store, params) = store(&[3, 4], DType::F64);
        let mut rule = config.rule(&store);
        store.freeze("p1").unwrap();
        let before = params[1].value().copy().unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        assert_eq!(moved(&before, &params[1]), 0., "{config:?}");
        assert!(
            rule.state()
                .unwrap()
                .iter()
                .all(|(name, _)| !name.starts_with("p1"))
        );
        store.unfreeze("p1").unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        assert!(moved(&before, &params[1]) > 0., "{config:?}");
    }
}

#[test]
fn parameters_may_come_later() {
    let (store, mut params) = store(&[3], DType::F64);
    let mut adam = Adam::new(&ADAM, &store).unwrap();
    adam.step(&gradients(&store, &params)).unwrap();
    params.push(param(&store.builder(), 2, "late", &Init::Const(2.)).unwrap());
    let gradients = gradients(&store, &params);
    assert!(adam.step(&gradients).is_err());
    let (other, _) = self::store(&[3], DType::F64);
    let error = adam.add_parameters(&other).unwrap_err().to_string();
    assert!(
        error.contains("parameter is p0, expected a name that no other parameter has"),
        "{error}"
    );
    adam.add_parameters(&store).unwrap();
    adam.step(&gradients).unwrap();
    assert!(
        params[1]
            .value()
            .to_vec1::<f64>()
            .unwrap()
            .iter()
            .all(|&v| v < 2.)
    );
}

#[test]
fn parameters_that_come_later_join_the_group_of_their_name() {
    let (store, _) = store(&[3, 3], DType::F64);
    let mut adam = Adam::new(&ADAM, &store).unwrap();
    adam.add_group("*0", &AdamConfig { lr: 0.5, ..ADAM }).unwrap();
    adam.add_group("p0*", &AdamConfig { lr: 0.25, ..ADAM }).unwrap();
    for name in ["p00", "q0", "late"] {
        param(&store.builder(), 2, name, &Init::Const(2.)).unwrap();
    }
    adam.add_parameters(&store).unwrap();
    let names: Vec<_> = adam.groups().into_iter().map(|(_, names)| names).collect();
    assert_eq!(names, [vec!["p1", "late"], vec!["q0"], vec!["p0", "p00"]]);
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_where_asked() {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let (store, params) = store(&[3, 4], dtype);
        let before = params[0].value().copy().unwrap();
        let adam = Adam::new(&ADAM, &store).unwrap();
        let mut adam = adam.refusing_non_finite();
        let factor = Tensor::new(&[1f32, 1., f32::INFINITY, 1.], &Device::Cpu)
            .unwrap()
            .to_dtype(dtype)
            .unwrap();
        let second = (params[1].tensor() * factor).unwrap();
        let loss = (params[0].tensor().sum_all().unwrap() + second.sum_all().unwrap()).unwrap();
        let error = adam
            .step(&backward(&loss, &store).unwrap())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "p1 (Adam): gradient is inf at [2], expected finite numbers"
        );
        check_same_bits("p0", &params[0].value(), &before).unwrap();
        assert!(adam.state().unwrap().is_empty());
        adam.step(&gradients(&store, &params)).unwrap();
    }
}
