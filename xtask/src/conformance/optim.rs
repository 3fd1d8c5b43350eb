//! Update rules: 40 steps on ((A·w + c − b)²).mean() + (w⁴).mean().

use sconce::core::candle_core::Tensor;
use sconce::core::{Init, Param, ParamStore, backward, param};
use sconce::optim::{
    Adadelta, AdadeltaConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax, AdamaxConfig, Asgd,
    AsgdConfig, NAdam, NAdamConfig, Optimize, RAdam, RAdamConfig, RmsProp, RmsPropConfig, Rprop, RpropConfig,
    Sgd, SgdConfig,
};

use super::{Results, Setting, Stop};

const STEPS: usize = 40;

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let (a, b) = (setting.tensor("A")?, setting.tensor("b")?);
    let w = start(&store, "w", &setting.tensor("w0")?)?;
    let c = start(&store, "c", &setting.tensor("c0")?)?;
    let mut rule = rule(setting, &store)?;
    let mut trajectory = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        let residual = (a.matmul(&w.tensor())?.broadcast_add(&c.tensor())? - &b)?;
        let loss = (residual.sqr()?.mean_all()? + w.tensor().sqr()?.sqr()?.mean_all()?)?;
        rule.step(&backward(&loss, &store)?)?;
        trajectory.push(Tensor::cat(
            &[w.value().flatten_all()?, c.value().flatten_all()?],
            0,
        )?);
    }
    let mut results = Results::default();
    results.add("trajectory", &Tensor::stack(&trajectory, 0)?);
    Ok(results)
}

fn start(store: &ParamStore, name: &str, value: &Tensor) -> Result<Param, Stop> {
    let parameter = param(&store.builder(), value.shape(), name, &Init::Const(0.0))?;
    store.set(name, value)?;
    Ok(parameter)
}

/// The rule that a configuration names; an option that it leaves out has PyTorch's default.
fn rule(setting: &Setting<'_>, store: &ParamStore) -> Result<Box<dyn Optimize>, Stop> {
    let number = |key, default| Ok::<f64, Stop>(setting.optional_number(key)?.unwrap_or(default));
    let pair = |key, default| Ok::<_, Stop>(setting.optional_numbers(key)?.unwrap_or(default));
    let flag = |key| setting.flag_or(key, false);
    let kind = setting.kind();
    match kind {
        "SGD" => {
            let cfg = SgdConfig {
                lr: setting.number("lr")?,
                momentum: number("momentum", 0.0)?,
                dampening: number("dampening", 0.0)?,
                weight_decay: number("weight_decay", 0.0)?,
                nesterov: flag("nesterov")?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Sgd::new(&cfg, store)?))
        }
        "Adam" | "AdamW" => {
            let decoupled = kind == "AdamW" || flag("decoupled_weight_decay")?;
            let cfg = AdamConfig {
                lr: setting.number("lr")?,
                betas: pair("betas", (0.9, 0.999))?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", if kind == "AdamW" { 0.01 } else { 0.0 })?,
                decoupled_weight_decay: decoupled,
                amsgrad: flag("amsgrad")?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Adam::new(&cfg, store)?))
        }
        "Adagrad" => {
            let cfg = AdagradConfig {
                lr: number("lr", 1e-2)?,
                lr_decay: number("lr_decay", 0.0)?,
                weight_decay: number("weight_decay", 0.0)?,
                initial_accumulator_value: number("initial_accumulator_value", 0.0)?,
                eps: number("eps", 1e-10)?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Adagrad::new(&cfg, store)?))
        }
        "RMSprop" => {
            let cfg = RmsPropConfig {
                lr: number("lr", 1e-2)?,
                alpha: number("alpha", 0.99)?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", 0.0)?,
                momentum: number("momentum", 0.0)?,
                centered: flag("centered")?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(RmsProp::new(&cfg, store)?))
        }
        "Adadelta" => {
            let cfg = AdadeltaConfig {
                lr: number("lr", 1.0)?,
                rho: number("rho", 0.9)?,
                eps: number("eps", 1e-6)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Adadelta::new(&cfg, store)?))
        }
        "Adamax" => {
            let cfg = AdamaxConfig {
                lr: number("lr", 2e-3)?,
                betas: pair("betas", (0.9, 0.999))?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Adamax::new(&cfg, store)?))
        }
        "NAdam" => {
            let cfg = NAdamConfig {
                lr: number("lr", 2e-3)?,
                betas: pair("betas", (0.9, 0.999))?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", 0.0)?,
                momentum_decay: number("momentum_decay", 4e-3)?,
                decoupled_weight_decay: flag("decoupled_weight_decay")?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(NAdam::new(&cfg, store)?))
        }
        "RAdam" => {
            let cfg = RAdamConfig {
                lr: number("lr", 1e-3)?,
                betas: pair("betas", (0.9, 0.999))?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", 0.0)?,
                decoupled_weight_decay: flag("decoupled_weight_decay")?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(RAdam::new(&cfg, store)?))
        }
        "Rprop" => {
            let cfg = RpropConfig {
                lr: number("lr", 1e-2)?,
                etas: pair("etas", (0.5, 1.2))?,
                step_sizes: pair("step_sizes", (1e-6, 50.0))?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Rprop::new(&cfg, store)?))
        }
        "ASGD" => {
            let cfg = AsgdConfig {
                lr: number("lr", 1e-2)?,
                lambd: number("lambd", 1e-4)?,
                alpha: number("alpha", 0.75)?,
                t0: number("t0", 1e6)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            Ok(Box::new(Asgd::new(&cfg, store)?))
        }
        _ => Err(Stop::kind(setting)),
    }
}
