//! What holds for every rule, whatever it computes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is wrong"
)]

use candle_core::{DType, Device, Tensor, Var};
use sconce_core::candle_nn::{self, VarBuilder, VarMap};
use sconce_core::{
    Backward, Function, Gradients, Init, Output, Param, ParamStore, Parameters, Result, apply1, backward,
    param,
};
use sconce_optim::{Adam, AdamConfig, Optimize, Sgd, SgdConfig};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::{check_same_bits, check_thread_independence};
use sconce_testkit::{Layout, Random};

type State = Vec<(String, Tensor)>;

/// A rule with the view of its state that its type alone has.
trait Rule: Optimize {
    fn state(&self) -> Result<State>;
}

impl Rule for Sgd {
    fn state(&self) -> Result<State> {
        self.state()
    }
}

impl Rule for Adam {
    fn state(&self) -> Result<State> {
        self.state()
    }
}

const SGD: SgdConfig = SgdConfig {
    lr: 0.05,
    momentum: 0.,
    dampening: 0.,
    weight_decay: 0.,
    nesterov: false,
    maximize: false,
};
const ADAM: AdamConfig = AdamConfig {
    lr: 0.05,
    betas: (0.8, 0.9),
    eps: 1e-8,
    weight_decay: 0.,
    decoupled_weight_decay: false,
    amsgrad: false,
    maximize: false,
};

enum Config {
    Sgd(SgdConfig),
    Adam(AdamConfig),
}

/// Every rule with every option, and the names of its state.
const RULES: &[(Config, &[&str])] = &[
    (Config::Sgd(SGD), &[]),
    (
        Config::Sgd(SgdConfig {
            weight_decay: 0.1,
            ..SGD
        }),
        &[],
    ),
    (
        Config::Sgd(SgdConfig { momentum: 0.9, ..SGD }),
        &["momentum_buffer"],
    ),
    (
        Config::Sgd(SgdConfig {
            momentum: 0.9,
            dampening: 0.3,
            weight_decay: 0.1,
            ..SGD
        }),
        &["momentum_buffer"],
    ),
    (
        Config::Sgd(SgdConfig {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.1,
            ..SGD
        }),
        &["momentum_buffer"],
    ),
    (Config::Adam(ADAM), &["step", "exp_avg", "exp_avg_sq"]),
    (
        Config::Adam(AdamConfig {
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq"],
    ),
    (
        Config::Adam(AdamConfig {
            amsgrad: true,
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    ),
    (
        Config::Adam(AdamConfig {
            decoupled_weight_decay: true,
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq"],
    ),
];

impl Config {
    fn rule<P: Parameters>(&self, parameters: &P) -> Box<dyn Rule> {
        match self {
            Self::Sgd(cfg) => Box::new(Sgd::new(cfg, parameters).unwrap()),
            Self::Adam(cfg) => Box::new(Adam::new(cfg, parameters).unwrap()),
        }
    }

    fn climbing(&self) -> Self {
        match *self {
            Self::Sgd(cfg) => Self::Sgd(SgdConfig {
                maximize: true,
                ..cfg
            }),
            Self::Adam(cfg) => Self::Adam(AdamConfig {
                maximize: true,
                ..cfg
            }),
        }
    }
}

/// A store with normal parameters of these sizes, and the parameters.
fn store(sizes: &[usize], dtype: DType) -> (ParamStore, Vec<Param>) {
    let store = ParamStore::new(dtype, &Device::Cpu).seeded(3);
    let init = Init::Normal { mean: 0., std: 1. };
    let params = sizes.iter().enumerate();
    let params = params
        .map(|(i, &n)| param(&store.builder(), n, &format!("p{i}"), &init).unwrap())
        .collect();
    (store, params)
}

/// Σ (p − 1)⁴/4 + p, whose gradient differs from element to element.
fn loss(params: &[Tensor]) -> Tensor {
    let term = |p: &Tensor| ((p - 1.)?.sqr()?.sqr()? * 0.25)?.add(p)?.sum_all();
    let terms: Vec<_> = params.iter().map(|p| term(p).unwrap()).collect();
    Tensor::stack(&terms, 0).unwrap().sum_all().unwrap()
}

fn tensors(params: &[Param]) -> Vec<Tensor> {
    params.iter().map(Param::tensor).collect()
}

fn gradients(store: &ParamStore, params: &[Param]) -> Gradients {
    backward(&loss(&tensors(params)), store).unwrap()
}

#[test]
fn every_rule_descends_and_climbs() {
    for (config, _) in RULES {
        for (config, sign) in [(config, 1.), (&config.climbing(), -1.)] {
            let (store, params) = store(&[5, 7], DType::F64);
            let mut rule = config.rule(&store);
            rule.set_learning_rate(1e-3);
            let value = || loss(&tensors(&params)).to_scalar::<f64>().unwrap();
            let before = value();
            for _ in 0..5 {
                rule.step(&gradients(&store, &params)).unwrap();
            }
            assert!(sign * (value() - before) < 0.);
        }
    }
}

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
        for (name, tensor) in state.iter().filter(|(name, _)| !name.ends_with(".step")) {
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

#[test]
fn frozen_parameters_stay_until_they_are_unfrozen() {
    for (config, _) in RULES {
        let (store, params) = store(&[3, 4], DType::F32);
        store.freeze("p1").unwrap();
        let mut rule = config.rule(&store);
        let before = params[1].value().copy().unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        check_same_bits("frozen", &params[1].value(), &before).unwrap();
        store.unfreeze("p1").unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        assert!(check_same_bits("trained", &params[1].value(), &before).is_err());
    }
}

#[test]
fn half_precision_follows_single_precision() {
    for dtype in [DType::BF16, DType::F16] {
        for (config, _) in RULES {
            let (half, half_params) = store(&[33], dtype);
            let (single, single_params) = store(&[33], DType::F32);
            single
                .set("p0", &half_params[0].value().to_dtype(DType::F32).unwrap())
                .unwrap();
            let (mut a, mut b) = (config.rule(&half), config.rule(&single));
            // The same gradient for both, exact in half precision.
            let slope = Tensor::from_iter((0..33).map(|i| (i as f32 - 16.) / 8.), &Device::Cpu).unwrap();
            let linear = |p: &Param, dtype| {
                (p.tensor() * slope.to_dtype(dtype).unwrap())
                    .unwrap()
                    .sum_all()
                    .unwrap()
            };
            a.step(&backward(&linear(&half_params[0], dtype), &half).unwrap())
                .unwrap();
            b.step(&backward(&linear(&single_params[0], DType::F32), &single).unwrap())
                .unwrap();
            let expected = single_params[0].value().to_dtype(dtype).unwrap();
            // One rounding to the half-precision type, which may fall to either side.
            let rtol = if dtype == DType::BF16 {
                2f64.powi(-9)
            } else {
                2f64.powi(-12)
            };
            compare(
                "step",
                &half_params[0].value(),
                &expected,
                Bound { rtol, atol: 0. },
            )
            .unwrap();
            for ((name, a), (_, b)) in a.state().unwrap().iter().zip(&b.state().unwrap()) {
                compare(name, a, b, Bound { rtol: 1e-6, atol: 0. }).unwrap();
            }
        }
    }
}

#[test]
fn any_layout_of_the_gradient_serves() {
    for (config, _) in RULES {
        let mut results = Vec::new();
        for &layout in Layout::ALL {
            let store = ParamStore::new(DType::F32, &Device::Cpu);
            let w = param(&store.builder(), (4, 6), "w", &Init::Const(0.5)).unwrap();
            let slope = layout
                .apply(&Random::new(7).normal((4, 6), DType::F32).unwrap())
                .unwrap();
            let mut rule = config.rule(&store);
            for _ in 0..3 {
                let loss = apply1(Slopes(vec![slope.clone()]), &[&w.tensor()]).unwrap();
                let gradients = backward(&loss, &store).unwrap();
                assert_eq!(
                    gradients.get("w").unwrap().is_contiguous(),
                    layout == Layout::Contiguous
                );
                rule.step(&gradients).unwrap();
            }
            results.push(w.value().copy().unwrap());
        }
        for result in &results[1..] {
            check_same_bits("layout", result, &results[0]).unwrap();
        }
    }
}

#[test]
fn many_sizes_have_the_same_bits_for_any_number_of_threads() {
    // On both sides of the size from which a tensor is split, and enough small ones for several tasks.
    let mut sizes = vec![0, 1, 3, 17, 64 * 1024 - 1, 64 * 1024, 70_003];
    sizes.extend((0..60).map(|i| 25 * i));
    for (config, _) in RULES {
        check_thread_independence(|| {
            let (store, params) = store(&sizes, DType::F32);
            let mut rule = config.rule(&store);
            for _ in 0..2 {
                rule.step(&gradients(&store, &params))?;
            }
            Ok(params.iter().map(Param::value).collect())
        })
        .unwrap();
    }
}

#[test]
fn candles_varmap_serves() {
    for (config, _) in RULES {
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let layer = candle_nn::linear(3, 2, vb.pp("fc")).unwrap();
        let mut rule = config.rule(&map);
        let x = Random::new(1).normal((4, 3), DType::F32).unwrap();
        let loss = || {
            candle_core::Module::forward(&layer, &x)
                .unwrap()
                .sqr()
                .unwrap()
                .mean_all()
                .unwrap()
        };
        let before = loss().to_scalar::<f32>().unwrap();
        rule.set_learning_rate(0.01);
        for _ in 0..5 {
            rule.step(&backward(&loss(), &map).unwrap()).unwrap();
        }
        assert!(loss().to_scalar::<f32>().unwrap() < before);
    }
}

/// Parameters under names and with shapes of their own.
struct Named(Vec<(String, Var)>);

impl Parameters for Named {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }
}

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

#[test]
fn options_out_of_range_are_named() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let sgd = [
        (
            SgdConfig { lr: -0.1, ..SGD },
            "Sgd: lr is -0.1, expected a finite number, at least 0",
        ),
        (
            SgdConfig { momentum: -1., ..SGD },
            "Sgd: momentum is -1, expected a finite number, at least 0",
        ),
        (
            SgdConfig {
                weight_decay: f64::NAN,
                ..SGD
            },
            "Sgd: weight_decay is NaN, expected a finite number, at least 0",
        ),
        (
            SgdConfig {
                dampening: f64::INFINITY,
                ..SGD
            },
            "Sgd: dampening is inf, expected a finite number",
        ),
        (
            SgdConfig {
                nesterov: true,
                ..SGD
            },
            "Sgd: nesterov is true, expected false, or a momentum above 0",
        ),
        (
            SgdConfig {
                nesterov: true,
                momentum: 0.9,
                dampening: 0.5,
                ..SGD
            },
            "Sgd: dampening is 0.5, expected 0 with nesterov",
        ),
    ];
    for (cfg, message) in sgd {
        assert_eq!(Sgd::new(&cfg, &store).err().unwrap().to_string(), message);
    }
    let adam = [
        (
            AdamConfig { lr: -1., ..ADAM },
            "Adam: lr is -1, expected a finite number, at least 0",
        ),
        (
            AdamConfig { eps: -1e-8, ..ADAM },
            "Adam: eps is -0.00000001, expected a finite number, at least 0",
        ),
        (
            AdamConfig {
                betas: (1., 0.9),
                ..ADAM
            },
            "Adam: betas.0 is 1, expected at least 0 and below 1",
        ),
        (
            AdamConfig {
                betas: (0.9, -0.1),
                ..ADAM
            },
            "Adam: betas.1 is -0.1, expected at least 0 and below 1",
        ),
        (
            AdamConfig {
                weight_decay: -1.,
                ..ADAM
            },
            "Adam: weight_decay is -1, expected a finite number, at least 0",
        ),
    ];
    for (cfg, message) in adam {
        assert_eq!(Adam::new(&cfg, &store).err().unwrap().to_string(), message);
    }
}

/// A gradient that is another parameter's own memory is read before that parameter changes.
#[test]
fn gradients_may_be_parameters() {
    let start = || [[1f64, -2.], [3., 5.]].map(|values| Var::new(&values, &Device::Cpu).unwrap());
    let [a, b] = start();
    let all = Named(vec![("a".into(), a.clone()), ("b".into(), b.clone())]);
    let slopes = Slopes(vec![b.detach(), a.detach()]);
    let loss = apply1(slopes, &[&a, &b]).unwrap();
    let cfg = SgdConfig { lr: 0.5, ..SGD };
    Sgd::new(&cfg, &all)
        .unwrap()
        .step(&backward(&loss, &all).unwrap())
        .unwrap();
    assert_eq!(a.to_vec1::<f64>().unwrap(), [-0.5, -4.5]);
    assert_eq!(b.to_vec1::<f64>().unwrap(), [2.5, 6.]);
}

/// Zero, with these gradients, as they lie in memory.
struct Slopes(Vec<Tensor>);

impl Function for Slopes {
    type Saved = ();

    fn name(&self) -> &'static str {
        "slopes"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> candle_core::Result<(Vec<Output>, ())> {
        Ok((
            vec![Output::copy_of(&Tensor::zeros(
                (),
                inputs[0].dtype(),
                inputs[0].device(),
            )?)?],
            (),
        ))
    }

    fn backward(
        &self,
        _: &Backward<'_, ()>,
        _: &[Option<Tensor>],
    ) -> candle_core::Result<Vec<Option<Tensor>>> {
        Ok(self.0.iter().cloned().map(Some).collect())
    }
}
