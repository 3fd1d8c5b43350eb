//! Schedules: the rates of an optimiser over 100 steps.

// The crate's own test reads the same configurations.
#[path = "../../../crates/sconce-optim/tests/aids/make.rs"]
pub(super) mod make;

use sconce::core::candle_core::{DType, Device, Tensor};
use sconce::core::{Init, ParamStore, param};
use sconce::optim::schedule::{self, ReduceLrOnPlateau, Scheduler};
use sconce::optim::{Adagrad, AdagradConfig, Adam, AdamConfig, Optimize, Sgd, SgdConfig};

use super::{Results, Setting, Stop};

const STEPS: usize = 100;

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let config = setting.config();
    let mut rule = rule(setting)?;
    let mut rates = Rates::default();
    if setting.kind() == "ReduceLROnPlateau" {
        let cfg = make::plateau(config).map_err(Stop::Unsupported)?;
        let mut plateau = ReduceLrOnPlateau::new(&cfg, &rule)?;
        rates.note(&rule)?;
        let metric = setting
            .tensor("in.metric")?
            .to_dtype(DType::F64)?
            .to_vec1::<f64>()?;
        for &value in metric.iter().take(STEPS - 1) {
            plateau.step(value, &mut rule)?;
            rates.note(&rule)?;
        }
    } else {
        let schedule = make::schedule(config).map_err(Stop::Unsupported)?;
        let mut scheduler = Scheduler::new(schedule, &mut rule)?;
        rates.note(&rule)?;
        for _ in 1..STEPS {
            scheduler.step(&mut rule)?;
            rates.note(&rule)?;
        }
    }
    let mut results = Results::default();
    results.add("lr", &Tensor::stack(&rates.lr, 0)?);
    if setting.optional_tensor("momentum")?.is_some() {
        results.add("momentum", &Tensor::stack(&rates.momentum, 0)?);
    }
    Ok(results)
}

#[derive(Default)]
struct Rates {
    lr: Vec<Tensor>,
    momentum: Vec<Tensor>,
}

impl Rates {
    fn note(&mut self, rule: &dyn Optimize) -> Result<(), Stop> {
        self.lr.push(Tensor::new(rule.learning_rates(), &Device::Cpu)?);
        self.momentum.push(Tensor::new(rule.momenta(), &Device::Cpu)?);
        Ok(())
    }
}

/// An optimiser with a group for each rate.
fn rule(setting: &Setting<'_>) -> Result<Box<dyn Optimize>, Stop> {
    let rates = match setting.is_given("lr") {
        true => setting.numbers("lr")?,
        false => vec![0.1],
    };
    let store = setting.store();
    for group in 0..rates.len() {
        param(&store.builder(), 1, &name(group), &Init::Const(0.0))?;
    }
    let (first, others) = rates
        .split_first()
        .ok_or_else(|| Stop::Failed("`lr` is empty".into()))?;
    match setting.optional_text("optimizer")? {
        None | Some("SGD") => sgd(*first, others, &store),
        Some("Adam") => adam(*first, others, &store),
        Some("Adagrad") => adagrad(*first, others, &store),
        Some(other) => Err(Stop::Unsupported(format!("optimizer {other}"))),
    }
}

fn name(group: usize) -> String {
    format!("p{group}")
}

fn sgd(first: f64, others: &[f64], store: &ParamStore) -> Result<Box<dyn Optimize>, Stop> {
    let cfg = |lr| SgdConfig {
        lr,
        momentum: 0.5,
        ..SgdConfig::default()
    };
    let mut rule = Sgd::new(&cfg(first), store)?;
    for (i, &lr) in others.iter().enumerate() {
        rule.add_group(&name(i + 1), &cfg(lr))?;
    }
    Ok(Box::new(rule))
}

fn adam(first: f64, others: &[f64], store: &ParamStore) -> Result<Box<dyn Optimize>, Stop> {
    let cfg = |lr| AdamConfig {
        lr,
        ..AdamConfig::default()
    };
    let mut rule = Adam::new(&cfg(first), store)?;
    for (i, &lr) in others.iter().enumerate() {
        rule.add_group(&name(i + 1), &cfg(lr))?;
    }
    Ok(Box::new(rule))
}

fn adagrad(first: f64, others: &[f64], store: &ParamStore) -> Result<Box<dyn Optimize>, Stop> {
    let cfg = |lr| AdagradConfig {
        lr,
        ..AdagradConfig::default()
    };
    let mut rule = Adagrad::new(&cfg(first), store)?;
    for (i, &lr) in others.iter().enumerate() {
        rule.add_group(&name(i + 1), &cfg(lr))?;
    }
    Ok(Box::new(rule))
}
