//! What is refused, and in what words.

use super::*;

#[test]
fn gradients_that_do_not_fit_are_refused_and_change_nothing() {
    let var = |n: usize, dtype| Var::ones(n, dtype, &Device::Cpu).unwrap();
    let of = |name: &str, var: &Var| (name.to_string(), var.clone());
    let (first, w) = (var(2, DType::F32), var(3, DType::F32));
    let table = [
        (
            of("w", &var(4, DType::F32)),
            "w (Adam): gradient has shape [4], expected [3], the parameter's",
        ),
        (
            of("w", &var(3, DType::F64)),
            "w (Adam): gradient has dtype F64, expected F32, the parameter's",
        ),
        (
            of("v", &var(3, DType::F32)),
            "Adam: gradient is v, expected the name of a parameter that Adam::new was given",
        ),
    ];
    for (other, message) in table {
        let mut adam = Adam::new(&ADAM, &Named(vec![of("first", &first), of("w", &w)])).unwrap();
        let sum = |v: &Var| v.to_dtype(DType::F64).unwrap().sum_all().unwrap();
        let loss = (sum(&first) + sum(&other.1)).unwrap();
        let gradients = backward(&loss, &Named(vec![of("first", &first), other])).unwrap();
        assert_eq!(adam.step(&gradients).unwrap_err().to_string(), message);
        assert_eq!(first.to_vec1::<f32>().unwrap(), [1., 1.]);
        assert!(adam.state().unwrap().is_empty());
    }
}

/// candle has no square of whole numbers, and would end the program.
#[test]
fn gradients_of_whole_numbers_are_refused_and_change_nothing() {
    let first = Var::ones(2, DType::F32, &Device::Cpu).unwrap();
    let count = Var::ones(3, DType::I64, &Device::Cpu).unwrap();
    let all = Named(vec![
        ("first".into(), first.clone()),
        ("count".into(), count.clone()),
    ]);
    for (config, _) in RULES {
        let mut rule = config.rule(&all);
        let ones = [("first", &first), ("count", &count)];
        let ones = ones.map(|(name, var)| (name.to_string(), var.ones_like().unwrap()));
        let error = rule
            .step(&Gradients::from_tensors(ones, []).unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("gradient has dtype I64, expected floating-point numbers"),
            "{error}"
        );
        assert_eq!(first.to_vec1::<f32>().unwrap(), [1., 1.]);
        assert!(rule.state().unwrap().is_empty());
    }
}

#[test]
fn a_learning_rate_that_is_no_number_is_refused() {
    for (config, _) in RULES {
        let (store, params) = store(&[3], DType::F32);
        let mut rule = config.rule(&store);
        rule.set_learning_rate(f64::NAN);
        let before = params[0].value().copy().unwrap();
        let message = rule.step(&gradients(&store, &params)).unwrap_err().to_string();
        assert!(
            message.contains("lr is NaN, expected a finite number, at least 0"),
            "{message}"
        );
        check_same_bits("parameter", &params[0].value(), &before).unwrap();
    }
}

/// The message of a rule that could not be made.
fn refusal(config: &Config) -> String {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    config.try_rule(&store).err().unwrap().to_string()
}

#[test]
fn options_out_of_range_are_named() {
    let sgd = |cfg: SgdConfig| Config::Sgd(cfg);
    let adam = |cfg: AdamConfig| Config::Adam(cfg);
    let adagrad = |cfg: AdagradConfig| Config::Adagrad(cfg);
    let rms = |cfg: RmsPropConfig| Config::RmsProp(cfg);
    let nesterov = SgdConfig {
        nesterov: true,
        ..SGD
    };
    let inf = f64::INFINITY;
    let table = [
        (
            sgd(SgdConfig { lr: -0.1, ..SGD }),
            "Sgd: lr is -0.1, expected a finite number, at least 0",
        ),
        (
            sgd(SgdConfig { momentum: -1., ..SGD }),
            "Sgd: momentum is -1, expected a finite number, at least 0",
        ),
        (
            sgd(SgdConfig {
                weight_decay: f64::NAN,
                ..SGD
            }),
            "Sgd: weight_decay is NaN, expected a finite number, at least 0",
        ),
        (
            sgd(SgdConfig {
                dampening: inf,
                ..SGD
            }),
            "Sgd: dampening is inf, expected a finite number",
        ),
        (
            sgd(nesterov),
            "Sgd: nesterov is true, expected false, or a momentum above 0",
        ),
        (
            sgd(SgdConfig {
                momentum: 0.9,
                dampening: 0.5,
                ..nesterov
            }),
            "Sgd: dampening is 0.5, expected 0 with nesterov",
        ),
        (
            adam(AdamConfig { lr: -1., ..ADAM }),
            "Adam: lr is -1, expected a finite number, at least 0",
        ),
        (
            adam(AdamConfig { eps: -1e-8, ..ADAM }),
            "Adam: eps is -0.00000001, expected a finite number, at least 0",
        ),
        (
            adam(AdamConfig {
                betas: (1., 0.9),
                ..ADAM
            }),
            "Adam: betas.0 is 1, expected at least 0 and below 1",
        ),
        (
            adam(AdamConfig {
                betas: (0.9, -0.1),
                ..ADAM
            }),
            "Adam: betas.1 is -0.1, expected at least 0 and below 1",
        ),
        (
            adam(AdamConfig {
                weight_decay: -1.,
                ..ADAM
            }),
            "Adam: weight_decay is -1, expected a finite number, at least 0",
        ),
        (
            adagrad(AdagradConfig { lr: inf, ..ADAGRAD }),
            "Adagrad: lr is inf, expected a finite number, at least 0",
        ),
        (
            adagrad(AdagradConfig {
                lr_decay: -1.,
                ..ADAGRAD
            }),
            "Adagrad: lr_decay is -1, expected a finite number, at least 0",
        ),
        (
            adagrad(AdagradConfig {
                initial_accumulator_value: -1.,
                ..ADAGRAD
            }),
            "Adagrad: initial_accumulator_value is -1, expected a finite number, at least 0",
        ),
        (
            rms(RmsPropConfig {
                momentum: -1.,
                ..RMS_PROP
            }),
            "RmsProp: momentum is -1, expected a finite number, at least 0",
        ),
        (
            rms(RmsPropConfig {
                alpha: 9.,
                ..RMS_PROP
            }),
            "RmsProp: alpha is 9, expected between 0 and 1",
        ),
        (
            rms(RmsPropConfig {
                alpha: f64::NAN,
                ..RMS_PROP
            }),
            "RmsProp: alpha is NaN, expected between 0 and 1",
        ),
    ];
    for (config, message) in table {
        assert_eq!(refusal(&config), message);
    }
}
