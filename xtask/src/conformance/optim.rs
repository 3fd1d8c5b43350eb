//! Update rules: the parameters after each of some steps down an objective.

// The crate's own test reads the same configurations.
#[path = "../../../crates/sconce-optim/tests/aids/rules.rs"]
mod rules;

use rules::Rule;
use sconce::core::candle_core::{DType, Tensor};
use sconce::core::{Error, Init, Param, ParamStore, backward, param};
use sconce::optim::{self, Minimize, Optimize};

use super::schedule::make;
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
    let mut rule = rules::rule(setting.config(), &store).map_err(Stop::Unsupported)?;
    let mut trajectory = Vec::with_capacity(steps);
    for _ in 0..steps {
        let loss = || objective.loss(&parameters);
        match &mut rule {
            Rule::Optimize(rule) => rule.step(&backward(&loss()?, &store)?)?,
            Rule::Minimize(rule) => {
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

fn start(store: &ParamStore, name: &str, value: &Tensor) -> Result<Param, Stop> {
    let parameter = param(&store.builder(), value.shape(), name, &Init::Const(0.0))?;
    store.set(name, value)?;
    Ok(parameter)
}
