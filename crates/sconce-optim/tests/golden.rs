//! Trajectories of 40 steps against PyTorch, in f64.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is wrong"
)]

use candle_core::{DType, Device, Tensor};
use sconce_core::{Init, ParamStore, backward, param};
use sconce_optim::{
    Adadelta, AdadeltaConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax, AdamaxConfig, Asgd,
    AsgdConfig, NAdam, NAdamConfig, Optimize, RAdam, RAdamConfig, RmsProp, RmsPropConfig, Rprop, RpropConfig,
    Sgd, SgdConfig,
};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

/// The elementwise rules do PyTorch's operations in PyTorch's order; what is left is rounding.
const BOUND: Bound = Bound {
    rtol: 1e-11,
    atol: 0.,
};

fn rule(case: Case<'_>, store: &ParamStore) -> Box<dyn Optimize> {
    let number = |name: &str, default: f64| case.config().get(name).map_or(default, |v| v.as_f64().unwrap());
    let flag = |name: &str| case.config().get(name).is_some_and(|v| v.as_bool().unwrap());
    let pair = |name: &str, default: (f64, f64)| {
        let numbers = case.config().get(name);
        numbers.map_or(default, |v| (v[0].as_f64().unwrap(), v[1].as_f64().unwrap()))
    };
    match case.kind() {
        "SGD" => {
            let cfg = SgdConfig {
                lr: number("lr", 1e-3),
                momentum: number("momentum", 0.),
                dampening: number("dampening", 0.),
                weight_decay: number("weight_decay", 0.),
                nesterov: flag("nesterov"),
                maximize: flag("maximize"),
            };
            Box::new(Sgd::new(&cfg, store).unwrap())
        }
        kind @ ("Adam" | "AdamW") => {
            let decoupled = kind == "AdamW";
            let cfg = AdamConfig {
                lr: number("lr", 1e-3),
                betas: pair("betas", (0.9, 0.999)),
                eps: number("eps", 1e-8),
                weight_decay: number("weight_decay", if decoupled { 0.01 } else { 0. }),
                decoupled_weight_decay: decoupled,
                amsgrad: flag("amsgrad"),
                maximize: flag("maximize"),
            };
            Box::new(Adam::new(&cfg, store).unwrap())
        }
        "Adagrad" => {
            let cfg = AdagradConfig {
                lr: number("lr", 1e-2),
                lr_decay: number("lr_decay", 0.),
                weight_decay: number("weight_decay", 0.),
                initial_accumulator_value: number("initial_accumulator_value", 0.),
                eps: number("eps", 1e-10),
                maximize: flag("maximize"),
            };
            Box::new(Adagrad::new(&cfg, store).unwrap())
        }
        "RMSprop" => {
            let cfg = RmsPropConfig {
                lr: number("lr", 1e-2),
                alpha: number("alpha", 0.99),
                eps: number("eps", 1e-8),
                weight_decay: number("weight_decay", 0.),
                momentum: number("momentum", 0.),
                centered: flag("centered"),
                maximize: flag("maximize"),
            };
            Box::new(RmsProp::new(&cfg, store).unwrap())
        }
        "Adadelta" => {
            let cfg = AdadeltaConfig {
                lr: number("lr", 1.),
                rho: number("rho", 0.9),
                eps: number("eps", 1e-6),
                weight_decay: number("weight_decay", 0.),
                maximize: flag("maximize"),
            };
            Box::new(Adadelta::new(&cfg, store).unwrap())
        }
        "Adamax" => {
            let cfg = AdamaxConfig {
                lr: number("lr", 2e-3),
                betas: pair("betas", (0.9, 0.999)),
                eps: number("eps", 1e-8),
                weight_decay: number("weight_decay", 0.),
                maximize: flag("maximize"),
            };
            Box::new(Adamax::new(&cfg, store).unwrap())
        }
        "NAdam" => {
            let cfg = NAdamConfig {
                lr: number("lr", 2e-3),
                betas: pair("betas", (0.9, 0.999)),
                eps: number("eps", 1e-8),
                weight_decay: number("weight_decay", 0.),
                momentum_decay: number("momentum_decay", 4e-3),
                decoupled_weight_decay: flag("decoupled_weight_decay"),
                maximize: flag("maximize"),
            };
            Box::new(NAdam::new(&cfg, store).unwrap())
        }
        "RAdam" => {
            let cfg = RAdamConfig {
                lr: number("lr", 1e-3),
                betas: pair("betas", (0.9, 0.999)),
                eps: number("eps", 1e-8),
                weight_decay: number("weight_decay", 0.),
                decoupled_weight_decay: flag("decoupled_weight_decay"),
                maximize: flag("maximize"),
            };
            Box::new(RAdam::new(&cfg, store).unwrap())
        }
        "Rprop" => {
            let cfg = RpropConfig {
                lr: number("lr", 1e-2),
                etas: pair("etas", (0.5, 1.2)),
                step_sizes: pair("step_sizes", (1e-6, 50.)),
                maximize: flag("maximize"),
            };
            Box::new(Rprop::new(&cfg, store).unwrap())
        }
        "ASGD" => {
            let cfg = AsgdConfig {
                lr: number("lr", 1e-2),
                lambd: number("lambd", 1e-4),
                alpha: number("alpha", 0.75),
                t0: number("t0", 1e6),
                weight_decay: number("weight_decay", 0.),
                maximize: flag("maximize"),
            };
            Box::new(Asgd::new(&cfg, store).unwrap())
        }
        kind => panic!("unknown kind {kind}"),
    }
}

#[test]
fn trajectories_are_pytorchs() {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "optim").unwrap();
    assert!(cases.len() > 50);
    for case in cases.iter() {
        let [a, b, w0, c0, trajectory] =
            ["A", "b", "w0", "c0", "trajectory"].map(|name| case.tensor(name).unwrap());
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let w = param(&store.builder(), w0.shape(), "w", &Init::Const(0.)).unwrap();
        let c = param(&store.builder(), c0.shape(), "c", &Init::Const(0.)).unwrap();
        store.set("w", &w0).unwrap();
        store.set("c", &c0).unwrap();
        let mut rule = rule(case, &store);
        let mut steps = Vec::new();
        for _ in 0..trajectory.dim(0).unwrap() {
            let (w, c) = (w.tensor(), c.tensor());
            let error = (a.matmul(&w).unwrap().broadcast_add(&c).unwrap() - &b).unwrap();
            let loss =
                (error.sqr().unwrap().mean_all().unwrap() + w.powf(4.).unwrap().mean_all().unwrap()).unwrap();
            rule.step(&backward(&loss, &store).unwrap()).unwrap();
            let values = [w, c].map(|x| x.detach().flatten_all().unwrap().copy().unwrap());
            steps.push(Tensor::cat(&values, 0).unwrap());
        }
        let name = format!("case {} {}", case.index(), case.config());
        compare(&name, &Tensor::stack(&steps, 0).unwrap(), &trajectory, BOUND).unwrap();
    }
}
