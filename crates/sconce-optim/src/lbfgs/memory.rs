//! What L-BFGS remembers of the curvature, and the direction that follows from it.

use super::vector::{add, add_then_dot, dot, scale, sum};
use candle_core::{DType, Device, Tensor};
use sconce_core::cpu::Real;
use sconce_core::{Error, Result, cast};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A step that was taken and the change of the gradient along it.
struct Pair<T> {
    change: Vec<T>,
    step: Vec<T>,
    /// One over their product.
    rho: f64,
}

/// What is known after some iterations.
#[derive(Clone)]
pub(super) struct Memory<T> {
    pub(super) evaluations: u64,
    pub(super) iterations: u64,
    /// The last direction and the step length along it.
    pub(super) direction: Vec<T>,
    pub(super) t: f64,
    /// Shared with the copy that a step begins from.
    pairs: VecDeque<Arc<Pair<T>>>,
    /// The scale of the inverse Hessian that the pairs are put on top of.
    scale: f64,
    /// The gradient and loss before the last step.
    previous_gradient: Arc<Vec<T>>,
    pub(super) previous_loss: f64,
}

/// Of all state, what is a number.
const NUMBERS: [&str; 5] = ["func_evals", "n_iter", "t", "H_diag", "prev_loss"];

impl<T: Real> Memory<T> {
    pub(super) fn new() -> Self {
        Self {
            evaluations: 0,
            iterations: 0,
            direction: Vec::new(),
            t: 0.,
            pairs: VecDeque::new(),
            scale: 1.,
            previous_gradient: Arc::default(),
            previous_loss: 0.,
        }
    }

    /// Takes in the gradient after the last step and finds the next direction.
    pub(super) fn turn(&mut self, gradient: &Arc<Vec<T>>, loss: f64, history_size: usize) {
        self.iterations += 1;
        if self.iterations == 1 {
            self.direction = gradient.to_vec();
            scale(&mut self.direction, -1.);
            self.pairs.clear();
            self.scale = 1.;
        } else {
            self.learn(gradient, history_size);
            self.direction = self.newton(gradient);
        }
        self.previous_gradient = gradient.clone();
        self.previous_loss = loss;
    }

    fn learn(&mut self, gradient: &[T], history_size: usize) {
        let change = sum(gradient, -1., &self.previous_gradient);
        let mut step = std::mem::take(&mut self.direction);
        scale(&mut step, self.t);
        let curvature = dot(&change, &step);
        if curvature > 1e-10 {
            if self.pairs.len() >= history_size {
                self.pairs.pop_front();
            }
            self.scale = curvature / dot(&change, &change);
            let rho = 1. / curvature;
            self.pairs.push_back(Arc::new(Pair { change, step, rho }));
        }
    }

    /// Minus the inverse Hessian's product with the gradient, by the two-loop recursion.
    fn newton(&self, gradient: &[T]) -> Vec<T> {
        let mut direction = gradient.to_vec();
        scale(&mut direction, -1.);
        let Some(last) = self.pairs.back() else {
            return direction;
        };
        // Each pass changes the direction and forms the product that the next one is to take away.
        let mut parts = vec![0.; self.pairs.len()];
        let mut product = dot(&last.step, &direction);
        for (i, pair) in self.pairs.iter().enumerate().rev() {
            let part = product * pair.rho;
            let next = i.checked_sub(1).and_then(|next| self.pairs.get(next));
            product = match next {
                Some(next) => add_then_dot(&mut direction, -part, &pair.change, &next.step),
                None => {
                    add(&mut direction, -part, &pair.change);
                    0.
                }
            };
            if let Some(place) = parts.get_mut(i) {
                *place = part;
            }
        }
        scale(&mut direction, self.scale);
        let mut changes = self.pairs.iter().map(|pair| &pair.change);
        product = changes.next().map_or(0., |change| dot(change, &direction));
        for (pair, part) in self.pairs.iter().zip(parts) {
            let by = part - product * pair.rho;
            product = match changes.next() {
                Some(change) => add_then_dot(&mut direction, by, &pair.step, change),
                None => {
                    add(&mut direction, by, &pair.step);
                    0.
                }
            };
        }
        direction
    }

    /// The state under PyTorch's names.
    pub(super) fn save(&self) -> Result<Vec<(String, Tensor)>> {
        if self.iterations == 0 {
            return Ok(Vec::new());
        }
        let device = &Device::Cpu;
        let numbers = [
            self.evaluations as f64,
            self.iterations as f64,
            self.t,
            self.scale,
            self.previous_loss,
        ];
        let mut state = Vec::new();
        for (name, number) in NUMBERS.into_iter().zip(numbers) {
            state.push((name, Tensor::new(number, device)?));
        }
        let rows = |of: fn(&Pair<T>) -> &Vec<T>| {
            let flat: Vec<T> = self
                .pairs
                .iter()
                .flat_map(|pair| of(pair).iter().copied())
                .collect();
            Tensor::from_vec(flat, (self.pairs.len(), self.direction.len()), device)
        };
        let rho: Vec<f64> = self.pairs.iter().map(|pair| pair.rho).collect();
        let (vector, n) = (|v: &[T]| Tensor::from_slice(v, v.len(), device), rho.len());
        state.push(("d", vector(&self.direction)?));
        state.push(("prev_flat_grad", vector(&self.previous_gradient)?));
        state.push(("old_dirs", rows(|pair| &pair.change)?));
        state.push(("old_stps", rows(|pair| &pair.step)?));
        state.push(("ro", Tensor::from_vec(rho, n, device)?));
        Ok(state
            .into_iter()
            .map(|(name, tensor)| (name.to_string(), tensor))
            .collect())
    }

    /// The memory that [`save`](Self::save) wrote, for so many elements of parameters.
    pub(super) fn load(state: &[(String, Tensor)], size: usize) -> Result<Self> {
        if state.is_empty() {
            return Ok(Self::new());
        }
        let mut parts: HashMap<&str, &Tensor> = HashMap::new();
        for (name, tensor) in state {
            if parts.insert(name, tensor).is_some() {
                return Err(Error::config(super::NAME, "state", name, "each name once"));
            }
        }
        let mut take = |name: &'static str| {
            let missing = || {
                Error::config(
                    super::NAME,
                    "state",
                    "missing",
                    format!("{name} beside the others"),
                )
            };
            parts.remove(name).ok_or_else(missing)
        };
        let mut numbers = [0f64; NUMBERS.len()];
        for (name, number) in NUMBERS.into_iter().zip(&mut numbers) {
            let tensor = take(name)?;
            if tensor.elem_count() != 1 {
                return Err(misfit(name, "one element", tensor));
            }
            *number = cast(&tensor.flatten_all()?.get(0)?, DType::F64)?.to_scalar()?;
        }
        let [evaluations, iterations, t, scale, previous_loss] = numbers;
        for (name, count) in [("func_evals", evaluations), ("n_iter", iterations)] {
            if !(count >= 0. && count.fract() == 0f64 && count < 2f64.powi(53)) {
                return Err(Error::config(
                    super::NAME,
                    name,
                    count,
                    "a whole number, at least 0",
                ));
            }
        }
        let mut vector = |name| {
            let tensor = take(name)?;
            if tensor.dims() != [size] {
                return Err(misfit(
                    name,
                    &format!("[{size}], the parameters' elements"),
                    tensor,
                ));
            }
            Ok(cast(tensor, T::DTYPE)?.to_device(&Device::Cpu)?.to_vec1()?)
        };
        let (direction, previous_gradient) = (vector("d")?, Arc::new(vector("prev_flat_grad")?));
        let rho = take("ro")?;
        let rho: Vec<f64> = match rho.dims() {
            [_] => cast(rho, DType::F64)?.to_device(&Device::Cpu)?.to_vec1()?,
            _ => return Err(misfit("ro", "[pairs]", rho)),
        };
        let mut rows = |name| {
            let tensor = take(name)?;
            if tensor.dims() != [rho.len(), size] {
                return Err(misfit(
                    name,
                    &format!("[{}, {size}], pairs × elements", rho.len()),
                    tensor,
                ));
            }
            Ok(cast(tensor, T::DTYPE)?.to_device(&Device::Cpu)?.to_vec2::<T>()?)
        };
        let (changes, steps) = (rows("old_dirs")?, rows("old_stps")?);
        if let Some(name) = parts.keys().min() {
            return Err(Error::config(
                super::NAME,
                "state",
                name,
                "the name of a part of its state",
            ));
        }
        let pairs = changes.into_iter().zip(steps).zip(rho);
        Ok(Self {
            evaluations: evaluations as u64,
            iterations: iterations as u64,
            direction,
            t,
            pairs: pairs
                .map(|((change, step), rho)| Arc::new(Pair { change, step, rho }))
                .collect(),
            scale,
            previous_gradient,
            previous_loss,
        })
    }
}

fn misfit(name: &str, expected: &str, tensor: &Tensor) -> Error {
    Error::shape(
        format!("{name} ({})", super::NAME),
        "state",
        expected,
        tensor.dims(),
    )
}
