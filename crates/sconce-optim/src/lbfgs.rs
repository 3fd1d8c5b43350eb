//! L-BFGS.

mod line_search;
mod memory;
#[cfg(test)]
mod tests;
mod vector;

use crate::Minimize;
use crate::engine::{check_not_negative, finite};
use candle_core::{DType, Device, Tensor, Var};
use line_search::{Point, Search, strong_wolfe};
use memory::Memory;
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Error, Gradients, Parameters, Result, cast};
use std::collections::HashSet;
use std::sync::Arc;
use vector::{add, dot, largest, scale, sum, sum_of_sizes};

const NAME: &str = "Lbfgs";

/// Options of [`Lbfgs`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LbfgsConfig {
    /// Learning rate η: the step length that the line search tries first, or all there is without one.
    pub lr: f64,
    /// The most iterations of one step.
    pub max_iter: usize,
    /// The most evaluations of one step; none is a quarter more than `max_iter`.
    pub max_eval: Option<usize>,
    /// A gradient with no element above this is that of a minimum.
    pub tolerance_grad: f64,
    /// A step ends where neither the loss nor any parameter changes by more.
    pub tolerance_change: f64,
    /// How many changes of the gradient are remembered; each costs twice the parameters' memory.
    pub history_size: usize,
    /// How the length along a direction is found.
    pub line_search: LineSearch,
    /// Climb instead of descending.
    pub maximize: bool,
}

/// How [`Lbfgs`] finds the length of its steps; PyTorch's `line_search_fn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineSearch {
    /// It is the learning rate.
    #[default]
    Fixed,
    /// A cubic search until the loss has fallen enough and the slope along the direction is flat enough.
    StrongWolfe,
}

impl Default for LbfgsConfig {
    fn default() -> Self {
        Self {
            lr: 1.,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search: LineSearch::Fixed,
            maximize: false,
        }
    }
}

/// L-BFGS: Newton's method with an inverse Hessian made of the last steps and what they did to the gradient.
///
/// d = −H·g by the two-loop recursion, θ ← θ + t·d. The first step of all is one of length η·min(1, 1/‖g‖₁) down the slope.
/// It is for losses that are the same whenever they are evaluated: the whole data, no dropout. The parameters are those that
/// were trained when it was made, all in one group; one that has no gradient counts as having zeros.
///
/// The algorithm runs on the CPU in the parameters' type, `f32` for half precision, whichever device they are on.
///
/// # Parameters
/// State, with n elements of parameters and k pairs: `d` \[n\], `t`, `old_dirs` and `old_stps` \[k, n\], `ro` \[k\], `H_diag`,
/// `prev_flat_grad` \[n\], `prev_loss`, `func_evals`, `n_iter`.
///
/// # Errors
/// `new`: an option is negative, not finite or 0 where there must be some; parameters of several types, or of integers.
///
/// # Source
/// Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4, 3.5 and 3.6; `torch.optim.LBFGS`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Lbfgs, LbfgsConfig, LineSearch, Minimize};
/// // Rosenbrock's valley, whose lowest point is (1, 1).
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let x = param(&store.builder(), 1, "x", &Init::Const(-1.))?;
/// let y = param(&store.builder(), 1, "y", &Init::Const(2.))?;
/// let cfg = LbfgsConfig { line_search: LineSearch::StrongWolfe, max_iter: 100, ..LbfgsConfig::default() };
/// let mut rule = Lbfgs::new(&cfg, &store)?;
/// rule.step(&mut || {
///     let (x, y) = (x.tensor(), y.tensor());
///     let loss = ((1. - &x)?.sqr()? + ((y - x.sqr()?)?.sqr()? * 100.)?)?.sum_all()?;
///     Ok((loss.to_scalar()?, backward(&loss, &store)?))
/// })?;
/// assert!((x.value().to_vec1::<f64>()?[0] - 1.).abs() < 1e-6);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Lbfgs {
    cfg: LbfgsConfig,
    parameters: Vec<(String, Var)>,
    names: HashSet<String>,
    refuses_non_finite: bool,
    memory: AnyMemory,
}

enum AnyMemory {
    F32(Memory<f32>),
    F64(Memory<f64>),
}

impl Lbfgs {
    /// A rule for the parameters of a store that are trained now.
    ///
    /// # Errors
    /// See [`Lbfgs`].
    pub fn new<P: Parameters + ?Sized>(cfg: &LbfgsConfig, parameters: &P) -> Result<Self> {
        check(cfg)?;
        let parameters = parameters.named_parameters();
        let dtype = parameters.first().map_or(DType::F32, |(_, var)| var.dtype());
        for (name, var) in &parameters {
            if var.dtype() != dtype || !dtype.is_float() {
                return Err(Error::DType {
                    layer: format!("{name} ({NAME})"),
                    argument: "parameter",
                    expected: "one floating-point type for all".into(),
                    got: var.dtype(),
                });
            }
        }
        let names = parameters.iter().map(|(name, _)| name.clone()).collect();
        let memory = match dtype {
            DType::F64 => AnyMemory::F64(Memory::new()),
            _ => AnyMemory::F32(Memory::new()),
        };
        Ok(Self {
            cfg: *cfg,
            parameters,
            names,
            refuses_non_finite: false,
            memory,
        })
    }

    /// From now on a loss or gradient that isn't finite is an error.
    pub fn refusing_non_finite(mut self) -> Self {
        self.refuses_non_finite = true;
        self
    }
}

impl Minimize for Lbfgs {
    fn step(&mut self, closure: &mut dyn FnMut() -> Result<(f64, Gradients)>) -> Result<f64> {
        let problem = Problem {
            cfg: &self.cfg,
            parameters: &self.parameters,
            names: &self.names,
            refuses_non_finite: self.refuses_non_finite,
        };
        match &mut self.memory {
            AnyMemory::F32(memory) => problem.step(memory, closure),
            AnyMemory::F64(memory) => problem.step(memory, closure),
        }
    }

    fn name(&self) -> &str {
        NAME
    }

    fn learning_rate(&self) -> f64 {
        self.cfg.lr
    }

    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        let cfg = LbfgsConfig {
            lr: learning_rate,
            ..self.cfg
        };
        check(&cfg)?;
        self.cfg = cfg;
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        match &self.memory {
            AnyMemory::F32(memory) => memory.save(),
            AnyMemory::F64(memory) => memory.save(),
        }
    }

    /// Of PyTorch's state, `old_dirs`, `old_stps` and `ro` are lists and become one tensor each, `al` is left out; its vectors
    /// follow the order in which it was given the parameters, which has to be this rule's.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let size = self.parameters.iter().map(|(_, var)| var.elem_count()).sum();
        match &mut self.memory {
            AnyMemory::F32(memory) => *memory = Memory::load(state, size)?,
            AnyMemory::F64(memory) => *memory = Memory::load(state, size)?,
        }
        Ok(())
    }
}

fn check(cfg: &LbfgsConfig) -> Result<()> {
    check_not_negative(
        NAME,
        &[
            ("lr", cfg.lr),
            ("tolerance_grad", cfg.tolerance_grad),
            ("tolerance_change", cfg.tolerance_change),
        ],
    )?;
    for (field, value) in [
        ("max_iter", cfg.max_iter),
        ("max_eval", cfg.max_eval.unwrap_or(1)),
        ("history_size", cfg.history_size),
    ] {
        if value == 0 {
            return Err(Error::config(NAME, field, value, "at least 1"));
        }
    }
    Ok(())
}

/// What is minimised.
struct Problem<'a> {
    cfg: &'a LbfgsConfig,
    parameters: &'a [(String, Var)],
    names: &'a HashSet<String>,
    refuses_non_finite: bool,
}

type Closure<'a> = dyn FnMut() -> Result<(f64, Gradients)> + 'a;

impl Problem<'_> {
    /// One step, or none: an error leaves parameters and memory as they were.
    fn step<T: Real>(&self, memory: &mut Memory<T>, closure: &mut Closure<'_>) -> Result<f64> {
        let start = self.position::<T>()?;
        let mut next = memory.clone();
        match self.iterate(&mut next, start.clone(), closure) {
            Ok(loss) => {
                *memory = next;
                Ok(loss)
            }
            Err(error) => {
                self.move_to(&start)?;
                Err(error)
            }
        }
    }

    fn iterate<T: Real>(
        &self,
        memory: &mut Memory<T>,
        mut x: Vec<T>,
        closure: &mut Closure<'_>,
    ) -> Result<f64> {
        let cfg = self.cfg;
        let most = cfg
            .max_eval
            .unwrap_or(cfg.max_iter.saturating_add(cfg.max_iter / 4));
        let sign = if cfg.maximize { -1. } else { 1. };
        let (first, mut gradient) = self.evaluate::<T>(closure)?;
        let mut loss = first;
        let mut evaluations = 1;
        memory.evaluations += 1;
        let is_minimum = |gradient: &[T]| largest(gradient) <= cfg.tolerance_grad;
        if is_minimum(&gradient) {
            return Ok(sign * first);
        }
        for iteration in 1..=cfg.max_iter {
            memory.turn(&gradient, loss, cfg.history_size);
            memory.t = match memory.iterations {
                1 => (1. / sum_of_sizes(&gradient)).min(1.) * cfg.lr,
                _ => cfg.lr,
            };
            let slope = dot(&gradient, &memory.direction);
            if slope > -cfg.tolerance_change {
                break;
            }
            let before = evaluations;
            match cfg.line_search {
                LineSearch::Fixed => {
                    add(&mut x, memory.t, &memory.direction);
                    self.move_to(&x)?;
                    // The loss at the end is for the next step to see, which may be on other data.
                    if iteration < cfg.max_iter {
                        (loss, gradient) = self.evaluate(closure)?;
                        evaluations += 1;
                    }
                }
                LineSearch::StrongWolfe => {
                    let search = Search {
                        t: memory.t,
                        size: largest(&memory.direction),
                        tolerance: cfg.tolerance_change,
                        most: most - evaluations,
                    };
                    let start = Point {
                        t: 0.,
                        loss,
                        gradient,
                        slope,
                    };
                    let (found, tries) = strong_wolfe(&start, &search, |t| {
                        self.move_to(&sum(&x, t, &memory.direction))?;
                        let (loss, gradient) = self.evaluate::<T>(closure)?;
                        let slope = dot(&gradient, &memory.direction);
                        Ok(Point {
                            t,
                            loss,
                            gradient,
                            slope,
                        })
                    })?;
                    (memory.t, loss, gradient) = (found.t, found.loss, found.gradient);
                    add(&mut x, memory.t, &memory.direction);
                    self.move_to(&x)?;
                    evaluations += tries;
                }
            }
            memory.evaluations += (evaluations - before) as u64;
            if evaluations >= most
                || is_minimum(&gradient)
                || memory.t.abs() * largest(&memory.direction) <= cfg.tolerance_change
                || (loss - memory.previous_loss).abs() < cfg.tolerance_change
            {
                break;
            }
        }
        Ok(sign * first)
    }

    /// Loss and gradient where the parameters are, both negated where the loss is to grow.
    fn evaluate<T: Real>(&self, closure: &mut Closure<'_>) -> Result<(f64, Arc<Vec<T>>)> {
        let (loss, gradients) = closure()?;
        if let Some((name, _)) = gradients.iter().find(|(name, _)| !self.names.contains(*name)) {
            let expected = "the name of a parameter that Lbfgs::new was given";
            return Err(Error::config(NAME, "gradient", name, expected));
        }
        if self.refuses_non_finite && !loss.is_finite() {
            return Err(Error::config(NAME, "loss", loss, "a finite number"));
        }
        let mut flat = Vec::with_capacity(self.size());
        for (name, var) in self.parameters {
            let Some(gradient) = gradients.get(name) else {
                flat.resize(flat.len() + var.elem_count(), T::ZERO);
                continue;
            };
            let layer = || format!("{name} ({NAME})");
            if gradient.dims() != var.dims() {
                let expected = format!("{:?}, the parameter's", var.dims());
                return Err(Error::shape(layer(), "gradient", expected, gradient.dims()));
            }
            if self.refuses_non_finite {
                finite::check(&layer(), gradient)?;
            }
            extend(&mut flat, gradient)?;
        }
        if self.cfg.maximize {
            scale(&mut flat, -1.);
            return Ok((-loss, Arc::new(flat)));
        }
        Ok((loss, Arc::new(flat)))
    }

    /// How many elements the parameters have.
    fn size(&self) -> usize {
        self.parameters.iter().map(|(_, var)| var.elem_count()).sum()
    }

    fn position<T: Real>(&self) -> Result<Vec<T>> {
        let mut flat = Vec::with_capacity(self.size());
        for (_, var) in self.parameters {
            extend(&mut flat, var)?;
        }
        Ok(flat)
    }

    fn move_to<T: Real>(&self, position: &[T]) -> Result<()> {
        let mut rest = position;
        for (_, var) in self.parameters {
            let (own, others) = rest.split_at(var.elem_count());
            rest = others;
            if has_kernel(var) && var.dtype() == T::DTYPE && var.is_contiguous() {
                cpu::write(var, own)?;
                continue;
            }
            let value = Tensor::from_slice(own, var.shape(), &Device::Cpu)?;
            var.set(&value.to_dtype(var.dtype())?.to_device(var.device())?)?;
        }
        Ok(())
    }
}

fn extend<T: Real>(flat: &mut Vec<T>, tensor: &Tensor) -> Result<()> {
    let tensor = cast(&tensor.detach().to_device(&Device::Cpu)?, T::DTYPE)?.contiguous()?;
    flat.extend_from_slice(&cpu::slice(&tensor)?);
    Ok(())
}
