//! A rule from its configuration. What this leaves out has our default, which is to be PyTorch's.

use super::ParamStore;
use super::make::Options;
use super::optim::{
    Adadelta, AdadeltaConfig, Adafactor, AdafactorConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax,
    AdamaxConfig, Asgd, AsgdConfig, Lbfgs, LbfgsConfig, LineSearch, Lion, LionConfig, Muon, MuonAdjust,
    MuonConfig, NAdam, NAdamConfig, Optimize, RAdam, RAdamConfig, RmsProp, RmsPropConfig, Rprop, RpropConfig,
    Sgd, SgdConfig,
};
use serde_json::Value;

/// The two kinds of optimiser.
pub(crate) enum Rule {
    Optimize(Box<dyn Optimize>),
    Minimize(Box<Lbfgs>),
}

/// Beside those that schedules have.
trait Pairs {
    /// Two numbers.
    fn pair(&self, key: &'static str, default: (f64, f64)) -> Result<(f64, f64), String>;
}

impl Pairs for Options<'_> {
    fn pair(&self, key: &'static str, default: (f64, f64)) -> Result<(f64, f64), String> {
        let convert = |value: &Value| match value.as_array()?.as_slice() {
            [a, b] => Some((a.as_f64()?, b.as_f64()?)),
            _ => None,
        };
        Ok(self.get(key, convert)?.unwrap_or(default))
    }
}

/// A set of options with those that the configuration has.
macro_rules! read {
    ($options:ident, $start:expr, $($field:ident: $read:ident),*) => {{
        let start = $start;
        let mut cfg = start;
        $(cfg.$field = $options.$read(stringify!($field), start.$field)?;)*
        cfg
    }};
}

/// The rule that a configuration names, or what of it is none.
pub(crate) fn rule(config: &Value, store: &ParamStore) -> Result<Rule, String> {
    fn made<R: Optimize + 'static>(rule: Result<R, impl ToString>) -> Result<Rule, String> {
        Ok(Rule::Optimize(Box::new(rule.map_err(|e| e.to_string())?)))
    }
    let options = &Options::new(config);
    options.get("objective", Value::as_str)?;
    let rule = match config.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "SGD" => {
            let cfg = read!(options, SgdConfig::default(), lr: number, momentum: number, dampening: number,
                weight_decay: number, nesterov: flag, maximize: flag);
            made(Sgd::new(&cfg, store))
        }
        "Adam" => made(Adam::new(&adam(options, AdamConfig::default())?, store)),
        "AdamW" => made(Adam::new(&adam(options, AdamConfig::adamw())?, store)),
        "Adagrad" => {
            let cfg = read!(options, AdagradConfig::default(), lr: number, lr_decay: number, weight_decay: number,
                initial_accumulator_value: number, eps: number, maximize: flag);
            made(Adagrad::new(&cfg, store))
        }
        "RMSprop" => {
            let cfg = read!(options, RmsPropConfig::default(), lr: number, alpha: number, eps: number,
                weight_decay: number, momentum: number, centered: flag, maximize: flag);
            made(RmsProp::new(&cfg, store))
        }
        "Adadelta" => {
            let cfg = read!(options, AdadeltaConfig::default(), lr: number, rho: number, eps: number,
                weight_decay: number, maximize: flag);
            made(Adadelta::new(&cfg, store))
        }
        "Adamax" => {
            let cfg = read!(options, AdamaxConfig::default(), lr: number, betas: pair, eps: number,
                weight_decay: number, maximize: flag);
            made(Adamax::new(&cfg, store))
        }
        "NAdam" => {
            let cfg = read!(options, NAdamConfig::default(), lr: number, betas: pair, eps: number,
                weight_decay: number, momentum_decay: number, decoupled_weight_decay: flag, maximize: flag);
            made(NAdam::new(&cfg, store))
        }
        "RAdam" => {
            let cfg = read!(options, RAdamConfig::default(), lr: number, betas: pair, eps: number,
                weight_decay: number, decoupled_weight_decay: flag, maximize: flag);
            made(RAdam::new(&cfg, store))
        }
        "Rprop" => {
            let cfg = read!(options, RpropConfig::default(), lr: number, etas: pair, step_sizes: pair, maximize: flag);
            made(Rprop::new(&cfg, store))
        }
        "ASGD" => {
            let cfg = read!(options, AsgdConfig::default(), lr: number, lambd: number, alpha: number, t0: number,
                weight_decay: number, maximize: flag);
            made(Asgd::new(&cfg, store))
        }
        "Lion" => {
            let cfg = read!(options, LionConfig::default(), lr: number, betas: pair, weight_decay: number,
                maximize: flag);
            made(Lion::new(&cfg, store))
        }
        "Adafactor" => made(Adafactor::new(&adafactor(options)?, store)),
        "Muon" => made(Muon::new(&muon(options)?, store)),
        "LBFGS" => {
            let rule = Lbfgs::new(&lbfgs(options)?, store).map_err(|e| e.to_string())?;
            Ok(Rule::Minimize(Box::new(rule)))
        }
        kind => Err(kind.to_string()),
    };
    options.done()?;
    rule
}

fn adam(options: &Options<'_>, start: AdamConfig) -> Result<AdamConfig, String> {
    Ok(
        read!(options, start, lr: number, betas: pair, eps: number, weight_decay: number, amsgrad: flag,
        maximize: flag),
    )
}

fn adafactor(options: &Options<'_>) -> Result<AdafactorConfig, String> {
    let mut cfg = read!(options, AdafactorConfig::default(), lr: number, beta2_decay: number, d: number,
        weight_decay: number, maximize: flag);
    let (least, scale) = options.pair("eps", (f64::NAN, cfg.eps.1))?;
    cfg.eps = (Some(least).filter(|eps| !eps.is_nan()), scale);
    Ok(cfg)
}

fn muon(options: &Options<'_>) -> Result<MuonConfig, String> {
    let adjust = |value: &Value| match value.as_str()? {
        "original" => Some(MuonAdjust::Original),
        "match_rms_adamw" => Some(MuonAdjust::MatchRmsAdamw),
        "spectral_unclamped" => Some(MuonAdjust::SpectralUnclamped),
        _ => None,
    };
    let three = |value: &Value| match value.as_array()?.as_slice() {
        [a, b, c] => Some((a.as_f64()?, b.as_f64()?, c.as_f64()?)),
        _ => None,
    };
    let start = MuonConfig::default();
    let mut cfg = read!(options, start, lr: number, weight_decay: number, momentum: number, nesterov: flag, eps: number);
    cfg.ns_steps = options.count("ns_steps", start.ns_steps as u64)? as usize;
    cfg.adjust_lr = options.get("adjust_lr_fn", adjust)?.unwrap_or(start.adjust_lr);
    cfg.ns_coefficients = options
        .get("ns_coefficients", three)?
        .unwrap_or(start.ns_coefficients);
    Ok(cfg)
}

fn lbfgs(options: &Options<'_>) -> Result<LbfgsConfig, String> {
    let search = |value: &Value| (value.as_str()? == "strong_wolfe").then_some(LineSearch::StrongWolfe);
    let start = LbfgsConfig::default();
    let mut cfg =
        read!(options, start, lr: number, tolerance_grad: number, tolerance_change: number, maximize: flag);
    cfg.max_iter = options.count("max_iter", start.max_iter as u64)? as usize;
    cfg.max_eval = options.get("max_eval", Value::as_u64)?.map(|most| most as usize);
    cfg.history_size = options.count("history_size", start.history_size as u64)? as usize;
    cfg.line_search = options
        .get("line_search_fn", search)?
        .unwrap_or(start.line_search);
    Ok(cfg)
}
