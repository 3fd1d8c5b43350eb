//! A schedule from its configuration, and how options are read from one.

use super::schedule::{
    Anneal, ChainedScheduler, ConstantLr, CosineAnnealingLr, CosineAnnealingWarmRestarts, CyclicLr,
    CyclicMode, ExponentialLr, LambdaLr, LinearLr, Mode, MultiStepLr, MultiplicativeLr, NoamLr, OneCycleLr,
    PerGroup, PolynomialLr, ReduceLrOnPlateauConfig, Schedule, SequentialLr, StepLr, SwaLr, ThresholdMode,
};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Options as they are asked for; what is wrong or left unread is told by name.
pub(crate) struct Options<'a> {
    config: &'a Value,
    read: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Options<'a> {
    pub(crate) fn new(config: &'a Value) -> Self {
        // These say what the schedule drives.
        let read = RefCell::new(BTreeSet::from(["kind", "lr", "optimizer"]));
        Self { config, read }
    }

    pub(crate) fn get<T>(
        &self,
        key: &'static str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.read.borrow_mut().insert(key);
        let Some(value) = self.config.get(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        match convert(value) {
            Some(typed) => Ok(Some(typed)),
            None => Err(format!("{key} {value}")),
        }
    }

    fn need<T>(&self, key: &'static str, found: Option<T>) -> Result<T, String> {
        found.ok_or_else(|| format!("no {key}"))
    }

    pub(crate) fn number(&self, key: &'static str, default: f64) -> Result<f64, String> {
        Ok(self.get(key, Value::as_f64)?.unwrap_or(default))
    }

    pub(crate) fn count(&self, key: &'static str, default: u64) -> Result<u64, String> {
        Ok(self.get(key, Value::as_u64)?.unwrap_or(default))
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> Result<bool, String> {
        Ok(self.get(key, Value::as_bool)?.unwrap_or(default))
    }

    fn counts(&self, key: &'static str) -> Result<Vec<u64>, String> {
        let list = |value: &Value| value.as_array()?.iter().map(Value::as_u64).collect();
        let found = self.get(key, list)?;
        self.need(key, found)
    }

    /// A number, or a list of them.
    fn per_group(&self, key: &'static str, default: Option<PerGroup>) -> Result<PerGroup, String> {
        let convert = |value: &Value| match value.as_array() {
            None => Some(PerGroup::from(value.as_f64()?)),
            Some(list) => Some(
                list.iter()
                    .map(Value::as_f64)
                    .collect::<Option<Vec<f64>>>()?
                    .into(),
            ),
        };
        let found = self.get(key, convert)?.or(default);
        self.need(key, found)
    }

    fn anneal(&self) -> Result<Anneal, String> {
        let convert = |value: &Value| match value.as_str()? {
            "cos" => Some(Anneal::Cos),
            "linear" => Some(Anneal::Linear),
            _ => None,
        };
        Ok(self.get("anneal_strategy", convert)?.unwrap_or(Anneal::Cos))
    }

    /// The functions of the generator, by name: one, or one for each group.
    fn function(&self) -> Result<impl Fn(usize, u64) -> f64 + use<>, String> {
        let convert = |value: &Value| match value.as_array() {
            None => Some(vec![named(value)?]),
            Some(list) => list.iter().map(named).collect(),
        };
        let found = self.get("lr_lambda", convert)?;
        let functions = self.need("lr_lambda", found)?;
        Ok(move |group: usize, step| {
            let own = functions.get(group).or(functions.first());
            own.map_or(f64::NAN, |function| function(step))
        })
    }

    fn schedulers(&self) -> Result<Vec<Box<dyn Schedule>>, String> {
        let found = self.get("schedulers", Value::as_array)?;
        let list = self.need("schedulers", found)?;
        list.iter().map(schedule).collect()
    }

    pub(crate) fn done(&self) -> Result<(), String> {
        let read = self.read.borrow();
        let keys = self.config.as_object().into_iter().flatten();
        match keys.map(|(key, _)| key).find(|key| !read.contains(key.as_str())) {
            Some(key) => Err(format!("{key} is unknown")),
            None => Ok(()),
        }
    }
}

/// A function of the generator.
fn named(name: &Value) -> Option<fn(u64) -> f64> {
    Some(match name.as_str()? {
        "reciprocal" => |step| 1. / (step as f64 + 1.),
        "power" => |step| 0.95f64.powf(step as f64),
        "halves" => |step| if step % 10 == 9 { 0.5 } else { 1. },
        "wave" => |step| 1. + 0.05 * (step as f64).sin(),
        _ => return None,
    })
}

/// The schedule that a configuration names, or what of it is none.
pub(crate) fn schedule(config: &Value) -> Result<Box<dyn Schedule>, String> {
    let options = Options::new(config);
    let made: Box<dyn Schedule> = match config.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "ConstantLR" => Box::new(ConstantLr {
            factor: options.number("factor", 1. / 3.)?,
            total_iters: options.count("total_iters", 5)?,
        }),
        "LinearLR" => Box::new(LinearLr {
            start_factor: options.number("start_factor", 1. / 3.)?,
            end_factor: options.number("end_factor", 1.)?,
            total_iters: options.count("total_iters", 5)?,
        }),
        "ExponentialLR" => Box::new(ExponentialLr::new(options.number("gamma", f64::NAN)?)),
        "StepLR" => Box::new(StepLr {
            step_size: options.count("step_size", 0)?,
            gamma: options.number("gamma", 0.1)?,
        }),
        "MultiStepLR" => Box::new(MultiStepLr {
            milestones: options.counts("milestones")?,
            gamma: options.number("gamma", 0.1)?,
        }),
        "LambdaLR" => Box::new(LambdaLr::by_group(options.function()?)),
        "MultiplicativeLR" => Box::new(MultiplicativeLr::by_group(options.function()?)),
        "PolynomialLR" => Box::new(PolynomialLr {
            total_iters: options.count("total_iters", 5)?,
            power: options.number("power", 1.)?,
        }),
        "CosineAnnealingLR" => Box::new(CosineAnnealingLr {
            t_max: options.count("T_max", 0)?,
            eta_min: options.number("eta_min", 0.)?,
        }),
        "CosineAnnealingWarmRestarts" => Box::new(CosineAnnealingWarmRestarts {
            t_0: options.count("T_0", 0)?,
            t_mult: options.count("T_mult", 1)?,
            eta_min: options.number("eta_min", 0.)?,
        }),
        "CyclicLR" => Box::new(cyclic(&options)?),
        "OneCycleLR" => Box::new(one_cycle(&options)?),
        "SWALR" => Box::new(SwaLr {
            swa_lr: options.per_group("swa_lr", None)?,
            anneal_epochs: options.count("anneal_epochs", 10)?,
            anneal_strategy: options.anneal()?,
        }),
        "NoamLR" => Box::new(NoamLr {
            d_model: options.count("d_model", 0)?,
            warmup_steps: options.count("warmup_steps", 0)?,
        }),
        "SequentialLR" => Box::new(SequentialLr::from_lists(
            options.schedulers()?,
            options.counts("milestones")?,
        )),
        "ChainedScheduler" => Box::new(ChainedScheduler::from(options.schedulers()?)),
        kind => return Err(kind.to_string()),
    };
    options.done()?;
    Ok(made)
}

fn cyclic(options: &Options<'_>) -> Result<CyclicLr, String> {
    let mode = |value: &Value| match value.as_str()? {
        "triangular" => Some(CyclicMode::Triangular),
        "triangular2" => Some(CyclicMode::Triangular2),
        "exp_range" => Some(CyclicMode::ExpRange),
        _ => None,
    };
    let by_step = |value: &Value| match value.as_str()? {
        "cycle" => Some(false),
        "iterations" => Some(true),
        _ => None,
    };
    let by_step = options.get("scale_mode", by_step)?.unwrap_or(false);
    let scaled = options.get("scale_fn", named)?.map(|scale| match by_step {
        true => CyclicMode::by_step(scale),
        false => CyclicMode::by_cycle(scale),
    });
    let mode = options.get("mode", mode)?;
    Ok(CyclicLr {
        base_lr: options.per_group("base_lr", None)?,
        max_lr: options.per_group("max_lr", None)?,
        step_size_up: options.count("step_size_up", 2000)?,
        step_size_down: options.get("step_size_down", Value::as_u64)?,
        mode: scaled.or(mode).unwrap_or(CyclicMode::Triangular),
        gamma: options.number("gamma", 1.)?,
        cycle_momentum: options.flag("cycle_momentum", true)?,
        base_momentum: options.per_group("base_momentum", Some(0.8.into()))?,
        max_momentum: options.per_group("max_momentum", Some(0.9.into()))?,
    })
}

fn one_cycle(options: &Options<'_>) -> Result<OneCycleLr, String> {
    Ok(OneCycleLr {
        max_lr: options.per_group("max_lr", None)?,
        total_steps: options.count("total_steps", 0)?,
        pct_start: options.number("pct_start", 0.3)?,
        anneal_strategy: options.anneal()?,
        cycle_momentum: options.flag("cycle_momentum", true)?,
        base_momentum: options.per_group("base_momentum", Some(0.85.into()))?,
        max_momentum: options.per_group("max_momentum", Some(0.95.into()))?,
        div_factor: options.number("div_factor", 25.)?,
        final_div_factor: options.number("final_div_factor", 1e4)?,
        three_phase: options.flag("three_phase", false)?,
    })
}

/// The options of a `ReduceLROnPlateau`.
pub(crate) fn plateau(config: &Value) -> Result<ReduceLrOnPlateauConfig, String> {
    let options = Options::new(config);
    let mode = |value: &Value| match value.as_str()? {
        "min" => Some(Mode::Min),
        "max" => Some(Mode::Max),
        _ => None,
    };
    let threshold_mode = |value: &Value| match value.as_str()? {
        "rel" => Some(ThresholdMode::Rel),
        "abs" => Some(ThresholdMode::Abs),
        _ => None,
    };
    let cfg = ReduceLrOnPlateauConfig {
        mode: options.get("mode", mode)?.unwrap_or(Mode::Min),
        factor: options.number("factor", 0.1)?,
        patience: options.count("patience", 10)?,
        threshold: options.number("threshold", 1e-4)?,
        threshold_mode: options
            .get("threshold_mode", threshold_mode)?
            .unwrap_or(ThresholdMode::Rel),
        cooldown: options.count("cooldown", 0)?,
        min_lr: options.per_group("min_lr", Some(0.0.into()))?,
        eps: options.number("eps", 1e-8)?,
    };
    options.done()?;
    Ok(cfg)
}
