//! A look at gradients.

use crate::engine::finite;
use candle_core::{DType, Tensor};
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Gradients, Result, cast, dispatch_real};
use sconce_kernels::parallel;
use std::fmt;

/// Figures of one parameter's gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientStatistics {
    /// The parameter.
    pub name: String,
    /// The Euclidean norm.
    pub norm: f64,
    /// The smallest value; NaN if one is, or there is none.
    pub min: f64,
    /// The largest value; NaN if one is, or there is none.
    pub max: f64,
    /// The mean; NaN if there is no value.
    pub mean: f64,
    /// Which part of the values is exactly 0, from 0 to 1.
    pub zeros: f64,
}

/// Figures of each gradient, in the order of the store.
///
/// # Errors
/// Those of candle, for a gradient of another type than floating point.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_core::Gradients;
/// use sconce_optim::gradient_statistics;
/// let g = Tensor::new(&[0f32, 0., 3., -4.], &Device::Cpu)?;
/// let gradients = Gradients::from_tensors([("fc.weight".to_string(), g)], [])?;
/// let of = &gradient_statistics(&gradients)?[0];
/// assert_eq!((of.name.as_str(), of.norm, of.zeros), ("fc.weight", 5., 0.5));
/// assert_eq!((of.min, of.max, of.mean), (-4., 3., -0.25));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn gradient_statistics(gradients: &Gradients) -> Result<Vec<GradientStatistics>> {
    let of = |(name, gradient): (&str, &Tensor)| {
        let figures = figures(gradient)?;
        let count = gradient.elem_count() as f64;
        let none = figures.broken || gradient.elem_count() == 0;
        Ok(GradientStatistics {
            name: name.to_string(),
            norm: figures.squares.sqrt(),
            min: if none { f64::NAN } else { figures.min },
            max: if none { f64::NAN } else { figures.max },
            mean: figures.sum / count,
            zeros: if count > 0. {
                figures.zeros as f64 / count
            } else {
                0.
            },
        })
    };
    gradients.iter().map(of).collect()
}

/// Parameters whose gradient is nothing to step by.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GradientCheck {
    /// They have none: the loss doesn't depend on them, or it was lost on the way.
    pub missing: Vec<String>,
    /// All of it is exactly 0.
    pub zero: Vec<String>,
    /// It has NaN or infinite values; the first of them.
    pub not_finite: Vec<NotFinite>,
}

/// A value that is NaN or infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct NotFinite {
    /// The parameter.
    pub name: String,
    /// Where in its gradient.
    pub index: Vec<usize>,
    /// The value.
    pub value: f64,
}

impl GradientCheck {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.zero.is_empty() && self.not_finite.is_empty()
    }
}

/// A line for each kind of finding; nothing if there is none.
impl fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (kind, names) in [
            ("no gradient", &self.missing),
            ("a gradient of zeros", &self.zero),
        ] {
            if !names.is_empty() {
                lines.push(format!("{kind}: {}", names.join(", ")));
            }
        }
        for NotFinite { name, index, value } in &self.not_finite {
            lines.push(format!("not finite: {name}, {value} at {index:?}"));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// Lists the parameters whose gradient is missing, zero or not finite.
///
/// # Errors
/// Those of candle, for a gradient of another type than floating point.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::check_gradients;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let used = param(&store.builder(), 1, "used", &Init::Const(-1.))?;
/// let unused = param(&store.builder(), 1, "unused", &Init::Const(1.))?;
/// let found = check_gradients(&backward(&used.tensor().relu()?.sum_all()?, &store)?)?;
/// assert_eq!(found.to_string(), "no gradient: unused\na gradient of zeros: used");
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn check_gradients(gradients: &Gradients) -> Result<GradientCheck> {
    let mut found = GradientCheck {
        missing: gradients.missing().to_vec(),
        ..GradientCheck::default()
    };
    for (name, gradient) in gradients.iter() {
        let name = name.to_string();
        if let Some((index, value)) = finite::first(gradient)? {
            found.not_finite.push(NotFinite { name, index, value });
        } else if gradient.elem_count() > 0 && figures(gradient)?.zeros == gradient.elem_count() {
            found.zero.push(name);
        }
    }
    Ok(found)
}

/// What is gathered of a stretch of values.
#[derive(Debug, Clone, Copy)]
struct Figures {
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
    zeros: usize,
    /// Whether there is a NaN, which a minimum passes over.
    broken: bool,
}

impl Figures {
    const NONE: Self = Self {
        sum: 0.,
        squares: 0.,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        zeros: 0,
        broken: false,
    };

    fn with(self, x: f64) -> Self {
        Self {
            sum: self.sum + x,
            squares: self.squares + x * x,
            min: self.min.min(x),
            max: self.max.max(x),
            zeros: self.zeros + usize::from(x == 0.),
            broken: self.broken | x.is_nan(),
        }
    }

    fn join(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            zeros: self.zeros + other.zeros,
            broken: self.broken | other.broken,
        }
    }
}

fn figures(gradient: &Tensor) -> Result<Figures> {
    fn of<T: Real>(gradient: &Tensor) -> Result<Figures> {
        let values = cpu::slice::<T>(gradient)?;
        let chunk = |_, (values,): (&[T],)| {
            let each = values.iter().map(|x| x.wide());
            each.fold(Figures::NONE, Figures::with)
        };
        Ok(parallel::reduce((&*values,), chunk, Figures::join).unwrap_or(Figures::NONE))
    }
    let mut gradient = gradient.detach();
    if !has_kernel(&gradient) {
        gradient = cast(&gradient, DType::F64)?.to_device(&candle_core::Device::Cpu)?;
    }
    let gradient = gradient.contiguous()?;
    dispatch_real!(gradient, of(&gradient))
}

#[cfg(test)]
mod tests;
