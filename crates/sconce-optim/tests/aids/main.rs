//! Rules, schedules, clipping and averages against PyTorch, in f64.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is wrong"
)]

mod make;
mod rules;
mod trajectories;

use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{Gradients, Init, ParamStore, Parameters, param};
use sconce_optim as optim;
use sconce_optim::schedule::{self, ReduceLrOnPlateau, Scheduler};
use sconce_optim::{
    Adagrad, AdagradConfig, Adam, AdamConfig, ClipGradNormConfig, Ema, EmaConfig, Optimize, Sgd, SgdConfig,
    Swa, SwaConfig, clip_grad_norm, clip_grad_value,
};
use sconce_testkit::golden::{Bound, Case, Cases, compare};

/// The same operations in the same order: what is left is the last digit.
const BOUND: Bound = Bound {
    rtol: 1e-12,
    atol: 1e-18,
};

fn cases(family: &str) -> Cases {
    Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), family).unwrap()
}

/// An optimiser with a group for each rate.
fn rule(case: Case<'_>) -> Box<dyn Optimize> {
    let rates = case.config().get("lr").and_then(|lr| lr.as_array());
    let rates: Vec<f64> = rates.map_or(vec![0.1], |list| {
        list.iter().map(|x| x.as_f64().unwrap()).collect()
    });
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    for group in 0..rates.len() {
        param(&store.builder(), 1, &format!("p{group}"), &Init::Const(0.)).unwrap();
    }
    macro_rules! grouped {
        ($rule:ident, $cfg:expr) => {{
            let mut rule = $rule::new(&$cfg(rates[0]), &store).unwrap();
            for (group, &lr) in rates.iter().enumerate().skip(1) {
                rule.add_group(&format!("p{group}"), &$cfg(lr)).unwrap();
            }
            Box::new(rule)
        }};
    }
    match case.config().get("optimizer").and_then(|name| name.as_str()) {
        None => grouped!(Sgd, |lr| SgdConfig {
            lr,
            momentum: 0.5,
            ..SgdConfig::default()
        }),
        Some("Adam") => grouped!(Adam, |lr| AdamConfig {
            lr,
            ..AdamConfig::default()
        }),
        Some("Adagrad") => grouped!(Adagrad, |lr| AdagradConfig {
            lr,
            ..AdagradConfig::default()
        }),
        Some(name) => panic!("unknown optimiser {name}"),
    }
}

#[test]
fn schedules_are_pytorchs() {
    let cases = cases("schedule");
    assert!(cases.len() > 50);
    for case in cases.iter() {
        let name = format!("case {} {}", case.index(), case.config());
        let lr = case.tensor("lr").unwrap();
        let momentum = case.get("momentum").unwrap();
        let mut rule = rule(case);
        let (mut lrs, mut momenta) = (Vec::new(), Vec::new());
        let mut note = |rule: &dyn Optimize| {
            lrs.push(Tensor::new(rule.learning_rates(), &Device::Cpu).unwrap());
            momenta.push(Tensor::new(rule.momenta(), &Device::Cpu).unwrap());
        };
        if case.kind() == "ReduceLROnPlateau" {
            let metric = case.tensor("in.metric").unwrap().to_vec1::<f64>().unwrap();
            let cfg = make::plateau(case.config()).unwrap();
            let mut plateau = ReduceLrOnPlateau::new(&cfg, &rule).unwrap();
            note(&rule);
            for &value in metric.iter().take(99) {
                plateau.step(value, &mut rule).unwrap();
                note(&rule);
            }
        } else {
            let schedule = make::schedule(case.config()).unwrap();
            let mut scheduler = Scheduler::new(schedule, &mut rule).unwrap();
            note(&rule);
            for _ in 1..100 {
                scheduler.step(&mut rule).unwrap();
                note(&rule);
            }
        }
        let lrs = Tensor::stack(&lrs, 0).unwrap();
        for step in 0..100 {
            let (ours, theirs) = (lrs.get(step).unwrap(), lr.get(step).unwrap());
            compare(&format!("{name}: lr at {step}"), &ours, &theirs, BOUND).unwrap();
        }
        if let Some(momentum) = momentum {
            compare(&name, &Tensor::stack(&momenta, 0).unwrap(), &momentum, BOUND).unwrap();
        }
    }
}

#[test]
fn clipping_is_pytorchs() {
    let cases = cases("clip");
    for case in cases.iter() {
        let name = format!("case {} {}", case.index(), case.config());
        let number = |key: &str| case.config().get(key).and_then(|value| value.as_f64());
        let named = case.tensors("in.").unwrap();
        let mut gradients = Gradients::from_tensors(named, []).unwrap();
        if case.kind() == "clip_grad_value" {
            clip_grad_value(&mut gradients, number("clip_value").unwrap()).unwrap();
        } else {
            let infinite = case.config().get("norm_type").is_some_and(|p| p.is_string());
            let p = number("norm_type").unwrap_or(if infinite { f64::INFINITY } else { 2. });
            let cfg = ClipGradNormConfig {
                norm_type: p,
                ..ClipGradNormConfig::new(number("max_norm").unwrap())
            };
            let norm = clip_grad_norm(&mut gradients, &cfg).unwrap();
            let expected = case.tensor("norm").unwrap().to_scalar::<f64>().unwrap();
            assert!(
                norm == expected || (norm - expected).abs() <= 1e-12 * expected,
                "{name}: {norm}"
            );
        }
        for (i, expected) in case.tensors("out.").unwrap() {
            let ours = gradients.get(&format!("g{i}")).unwrap();
            compare(&format!("{name}: {i}"), ours, &expected, BOUND).unwrap();
        }
    }
}

/// The tensors of a model, without the model.
struct Tensors(Vec<(String, Var)>);

impl Parameters for Tensors {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        let mut all = self.0.clone();
        all.retain(|(name, _)| name.ends_with("weight") || name.ends_with("bias"));
        all
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }
}

#[test]
fn averages_are_pytorchs() {
    let cases = cases("average");
    for case in cases.iter() {
        let use_buffers = case.config().get("use_buffers").is_some();
        let decay = case.config().get("decay").and_then(|value| value.as_f64());
        let mut ema = decay.map(|decay| Ema::new(&EmaConfig { decay, use_buffers }).unwrap());
        let mut swa = Swa::new(&SwaConfig { use_buffers });
        let before = case.tensors("before.").unwrap();
        let first =
            |(name, x): &(String, Tensor)| (name.clone(), Var::from_tensor(&x.get(0).unwrap()).unwrap());
        let model = Tensors(before.iter().map(first).collect());
        for n in 0..8 {
            for ((_, x), (_, var)) in before.iter().zip(&model.0) {
                var.set(&x.get(n).unwrap()).unwrap();
            }
            let ours = match &mut ema {
                Some(ema) => {
                    ema.update(&model).unwrap();
                    ema.tensors().unwrap()
                }
                None => {
                    swa.update(&model).unwrap();
                    swa.tensors().unwrap()
                }
            };
            for (name, ours) in ours {
                let expected = case.tensor(&format!("average.{name}")).unwrap().get(n).unwrap();
                let name = format!("case {} {}: {name}", case.index(), case.config());
                compare(&name, &ours, &expected, BOUND).unwrap();
            }
        }
    }
}
