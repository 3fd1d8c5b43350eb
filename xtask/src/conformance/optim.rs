//! Update rules: the parameters after each of some steps down an objective.

use sconce::core::candle_core::{DType, Tensor};
use sconce::core::{Error, Init, Param, ParamStore, backward, param};
use sconce::optim::{
    Adadelta, AdadeltaConfig, Adafactor, AdafactorConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax,
    AdamaxConfig, Asgd, AsgdConfig, Lbfgs, LbfgsConfig, LineSearch, Lion, LionConfig, Minimize, Muon,
    MuonAdjust, MuonConfig, NAdam, NAdamConfig, Optimize, RAdam, RAdamConfig, RmsProp, RmsPropConfig, Rprop,
    RpropConfig, Sgd, SgdConfig,
};

use super::{Results, Setting, Stop};

/// What is minimised by which parameters.
enum Objective {
    /// ((A·w + c − b)²).mean() + (w⁴).mean()
    Quadratic { a: Tensor, b: Tensor },
    /// Rosenbrock's valley over 200, for each row of w.
    Rosenbrock,
    /// ((tanh(A·w + c)·v − b)²).mean()
    Network { a: Tensor, b: Tensor },
}

impl Objective {
    fn new(setting: &Setting<'_>) -> Result<Self, Stop> {
        let data = || Ok::<_, Stop>((setting.tensor("A")?, setting.tensor("b")?));
        match setting.optional_text("objective")?.unwrap_or("quadratic") {
            "quadratic" => data().map(|(a, b)| Self::Quadratic { a, b }),
            "rosenbrock" => Ok(Self::Rosenbrock),
            "network" => data().map(|(a, b)| Self::Network { a, b }),
            other => Err(Stop::Unsupported(format!("the objective {other}"))),
        }
    }

    fn loss(&self, parameters: &[Param]) -> Result<Tensor, Stop> {
        let named = |name| parameters.iter().find(|p| p.name() == name).map(Param::tensor);
        let w = named("w").ok_or_else(|| Stop::Failed("there is no w".to_owned()))?;
        let affine = |a: &Tensor| {
            let product = a.matmul(&w)?;
            match named("c") {
                Some(c) => product.broadcast_add(&c),
                None => Ok(product),
            }
        };
        Ok(match self {
            Self::Quadratic { a, b } => {
                ((affine(a)? - b)?.sqr()?.mean_all()? + w.sqr()?.sqr()?.mean_all()?)?
            }
            Self::Rosenbrock => {
                let (x, y) = (w.narrow(1, 0, 1)?, w.narrow(1, 1, 1)?);
                let valley = ((y - x.sqr()?)?.sqr()? * 100.)?;
                (((1. - x)?.sqr()? + valley)? / 200.)?.sum_all()?
            }
            Self::Network { a, b } => {
                let v = named("v").ok_or_else(|| Stop::Failed("there is no v".to_owned()))?;
                (affine(a)?.tanh()?.matmul(&v)? - b)?.sqr()?.mean_all()?
            }
        })
    }
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let objective = Objective::new(setting)?;
    let mut parameters = Vec::new();
    for name in ["w", "c", "v"] {
        if let Some(value) = setting.optional_tensor(&format!("{name}0"))? {
            parameters.push(start(&store, name, &value)?);
        }
    }
    let steps = setting.tensor("trajectory")?.dim(0)?;
    let mut rule = rule(setting, &store)?;
    let mut trajectory = Vec::with_capacity(steps);
    for _ in 0..steps {
        let loss = || objective.loss(&parameters);
        match &mut rule {
            Either::Optimize(rule) => rule.step(&backward(&loss()?, &store)?)?,
            Either::Minimize(rule) => {
                rule.step(&mut || {
                    let loss = loss().map_err(|stop| match stop {
                        Stop::Unsupported(message) | Stop::Failed(message) => Error::Backward(message),
                    })?;
                    Ok((loss.to_dtype(DType::F64)?.to_scalar()?, backward(&loss, &store)?))
                })?;
            }
        }
        // Copies, since steps are taken in place.
        let values = parameters.iter().map(|p| p.value().flatten_all()?.copy());
        let values = values.collect::<Result<Vec<_>, _>>()?;
        trajectory.push(Tensor::cat(&values, 0)?);
    }
    let mut results = Results::default();
    results.add("trajectory", &Tensor::stack(&trajectory, 0)?);
    Ok(results)
}

/// The two kinds of optimiser.
enum Either {
    Optimize(Box<dyn Optimize>),
    Minimize(Box<dyn Minimize>),
}

fn start(store: &ParamStore, name: &str, value: &Tensor) -> Result<Param, Stop> {
    let parameter = param(&store.builder(), value.shape(), name, &Init::Const(0.0))?;
    store.set(name, value)?;
    Ok(parameter)
}

/// The rule that a configuration names; an option that it leaves out has PyTorch's default.
fn rule(setting: &Setting<'_>, store: &ParamStore) -> Result<Either, Stop> {
    let number = |key, default| Ok::<f64, Stop>(setting.optional_number(key)?.unwrap_or(default));
    let pair = |key, default| Ok::<_, Stop>(setting.optional_numbers(key)?.unwrap_or(default));
    let flag = |key| setting.flag_or(key, false);
    fn boxed(rule: impl Optimize + 'static) -> Result<Either, Stop> {
        Ok(Either::Optimize(Box::new(rule)))
    }
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
            boxed(Sgd::new(&cfg, store)?)
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
            boxed(Adam::new(&cfg, store)?)
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
            boxed(Adagrad::new(&cfg, store)?)
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
            boxed(RmsProp::new(&cfg, store)?)
        }
        "Adadelta" => {
            let cfg = AdadeltaConfig {
                lr: number("lr", 1.0)?,
                rho: number("rho", 0.9)?,
                eps: number("eps", 1e-6)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            boxed(Adadelta::new(&cfg, store)?)
        }
        "Adamax" => {
            let cfg = AdamaxConfig {
                lr: number("lr", 2e-3)?,
                betas: pair("betas", (0.9, 0.999))?,
                eps: number("eps", 1e-8)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            boxed(Adamax::new(&cfg, store)?)
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
            boxed(NAdam::new(&cfg, store)?)
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
            boxed(RAdam::new(&cfg, store)?)
        }
        "Rprop" => {
            let cfg = RpropConfig {
                lr: number("lr", 1e-2)?,
                etas: pair("etas", (0.5, 1.2))?,
                step_sizes: pair("step_sizes", (1e-6, 50.0))?,
                maximize: flag("maximize")?,
            };
            boxed(Rprop::new(&cfg, store)?)
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
            boxed(Asgd::new(&cfg, store)?)
        }
        "Lion" => {
            let cfg = LionConfig {
                lr: number("lr", 1e-4)?,
                betas: pair("betas", (0.9, 0.99))?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            boxed(Lion::new(&cfg, store)?)
        }
        "Adafactor" => {
            let eps: Option<(f64, f64)> = setting.optional_numbers("eps")?;
            let cfg = AdafactorConfig {
                lr: number("lr", 1e-2)?,
                beta2_decay: number("beta2_decay", -0.8)?,
                eps: eps.map_or((None, 1e-3), |(eps1, eps2)| (Some(eps1), eps2)),
                d: number("d", 1.0)?,
                weight_decay: number("weight_decay", 0.0)?,
                maximize: flag("maximize")?,
            };
            boxed(Adafactor::new(&cfg, store)?)
        }
        "Muon" => {
            let default = MuonConfig::default();
            let adjust_lr = match setting.optional_text("adjust_lr_fn")?.unwrap_or("original") {
                "original" => MuonAdjust::Original,
                "match_rms_adamw" => MuonAdjust::MatchRmsAdamw,
                "spectral_unclamped" => MuonAdjust::SpectralUnclamped,
                other => return Err(Stop::Unsupported(format!("adjust_lr_fn {other}"))),
            };
            let cfg = MuonConfig {
                lr: number("lr", default.lr)?,
                weight_decay: number("weight_decay", default.weight_decay)?,
                momentum: number("momentum", default.momentum)?,
                nesterov: setting.flag_or("nesterov", true)?,
                ns_coefficients: match setting.is_given("ns_coefficients") {
                    true => match setting.numbers("ns_coefficients")?[..] {
                        [a, b, c] => (a, b, c),
                        _ => return Err(Stop::Unsupported("ns_coefficients that aren't three".to_owned())),
                    },
                    false => default.ns_coefficients,
                },
                eps: number("eps", default.eps)?,
                ns_steps: setting.optional_size("ns_steps")?.unwrap_or(default.ns_steps),
                adjust_lr,
                maximize: false,
            };
            boxed(Muon::new(&cfg, store)?)
        }
        "LBFGS" => {
            let default = LbfgsConfig::default();
            let line_search = match setting.optional_text("line_search_fn")?.unwrap_or_default() {
                "" => LineSearch::Fixed,
                "strong_wolfe" => LineSearch::StrongWolfe,
                other => return Err(Stop::Unsupported(format!("line_search_fn {other}"))),
            };
            let cfg = LbfgsConfig {
                lr: number("lr", default.lr)?,
                max_iter: setting.optional_size("max_iter")?.unwrap_or(default.max_iter),
                max_eval: setting.optional_size("max_eval")?,
                tolerance_grad: number("tolerance_grad", default.tolerance_grad)?,
                tolerance_change: number("tolerance_change", default.tolerance_change)?,
                history_size: setting
                    .optional_size("history_size")?
                    .unwrap_or(default.history_size),
                line_search,
                maximize: flag("maximize")?,
            };
            Ok(Either::Minimize(Box::new(Lbfgs::new(&cfg, store)?)))
        }
        _ => Err(Stop::kind(setting)),
    }
}
