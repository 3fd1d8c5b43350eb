//! Gradients that are too long, made shorter.

use crate::engine::finite;
use crate::kernels::clip::{Change, Order, changed, measure};
use crate::share::into_tasks;
use candle_core::{DType, Tensor};
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Error, Gradients, Result, cast, dispatch_real};
use sconce_kernels::parallel;
use std::sync::{Mutex, PoisonError};

/// Options of [`clip_grad_norm`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipGradNormConfig {
    /// The most that the norm may be.
    pub max_norm: f64,
    /// The p of the norm: any number above 0, or infinity for the largest value.
    pub norm_type: f64,
    /// Whether a norm that is NaN or infinite is an error; else it makes all gradients NaN or 0, as in PyTorch.
    pub error_if_nonfinite: bool,
}

impl ClipGradNormConfig {
    /// With the Euclidean norm.
    pub fn new(max_norm: f64) -> Self {
        Self {
            max_norm,
            norm_type: 2.,
            error_if_nonfinite: false,
        }
    }
}

/// Scales all gradients so that their norm, as if they were one vector, is at most `max_norm`; gives the norm before.
///
/// g ← g·min(1, max/(‖g‖ₚ + 10⁻⁶)), ‖g‖ₚ = (Σ|gᵢ|ᵖ)^(1/p)
///
/// On the CPU, in `f32` and `f64`, it is one parallel pass that reads, and one that writes if there is something to clip. The
/// gradients' memory may belong to others too, so they are replaced by new tensors, not changed in place.
///
/// # Shapes
/// any
/// # Errors
/// `max_norm` is negative or NaN; `norm_type` isn't above 0; with `error_if_nonfinite`, a gradient isn't finite: the error
/// names the parameter and the element. Then nothing was changed.
///
/// # Source
/// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013;
/// `torch.nn.utils.clip_grad_norm_`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{ClipGradNormConfig, clip_grad_norm};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let (a, b) = (param(&store.builder(), 1, "a", &Init::Const(1.5))?, param(&store.builder(), 1, "b", &Init::Const(2.))?);
/// let loss = (a.tensor().sqr()? + b.tensor().sqr()?)?.sum_all()?;
/// let mut gradients = backward(&loss, &store)?;
/// assert_eq!(clip_grad_norm(&mut gradients, &ClipGradNormConfig::new(1.))?, 5.);
/// assert!((gradients.get("a").unwrap().to_vec1::<f64>()?[0] - 0.6).abs() < 1e-6);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn clip_grad_norm(gradients: &mut Gradients, cfg: &ClipGradNormConfig) -> Result<f64> {
    const NAME: &str = "clip_grad_norm";
    if cfg.max_norm.is_nan() || cfg.max_norm < 0. {
        return Err(Error::config(NAME, "max_norm", cfg.max_norm, "at least 0"));
    }
    let norm = norm_of(NAME, gradients, cfg.norm_type)?;
    if cfg.error_if_nonfinite && !norm.is_finite() {
        for (name, gradient) in gradients.iter() {
            finite::check(&format!("{name} ({NAME})"), gradient)?;
        }
        return Err(Error::config(NAME, "total norm", norm, "a finite number"));
    }
    let factor = cfg.max_norm / (norm + 1e-6);
    // A NaN is passed on.
    if factor.is_nan() || factor < 1. {
        change(gradients, Change::Scale(factor))?;
    }
    Ok(norm)
}

/// The norm of all gradients as one vector, for p above 0 or infinite.
///
/// # Errors
/// `norm_type` isn't above 0.
///
/// # Source
/// `torch.nn.utils.get_total_norm`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_core::Gradients;
/// use sconce_optim::grad_norm;
/// let g = Tensor::new(&[3f32, -4.], &Device::Cpu)?;
/// let gradients = Gradients::from_tensors([("w".to_string(), g)], [])?;
/// assert_eq!((grad_norm(&gradients, 2.)?, grad_norm(&gradients, f64::INFINITY)?), (5., 4.));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn grad_norm(gradients: &Gradients, norm_type: f64) -> Result<f64> {
    norm_of("grad_norm", gradients, norm_type)
}

/// Brings every element of every gradient between −`clip_value` and `clip_value`. A NaN stays one.
///
/// # Errors
/// `clip_value` is negative or NaN.
///
/// # Source
/// `torch.nn.utils.clip_grad_value_`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_core::Gradients;
/// use sconce_optim::clip_grad_value;
/// let g = Tensor::new(&[3f32, -0.5, -4.], &Device::Cpu)?;
/// let mut gradients = Gradients::from_tensors([("w".to_string(), g)], [])?;
/// clip_grad_value(&mut gradients, 1.)?;
/// assert_eq!(gradients.get("w").unwrap().to_vec1::<f32>()?, [1., -0.5, -1.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn clip_grad_value(gradients: &mut Gradients, clip_value: f64) -> Result<()> {
    if clip_value.is_nan() || clip_value < 0. {
        return Err(Error::config(
            "clip_grad_value",
            "clip_value",
            clip_value,
            "at least 0",
        ));
    }
    change(gradients, Change::Clamp(clip_value))
}

fn norm_of(caller: &'static str, gradients: &Gradients, norm_type: f64) -> Result<f64> {
    let order = match norm_type {
        1. => Order::One,
        2. => Order::Two,
        f64::INFINITY => Order::Infinity,
        p if p > 0. => Order::Other(p),
        _ => {
            return Err(Error::config(
                caller,
                "norm_type",
                norm_type,
                "a number above 0, or infinity",
            ));
        }
    };
    let kernel = |dtype| {
        let own = gradients.iter().map(|(_, gradient)| gradient);
        own.filter(move |gradient| has_kernel(gradient) && gradient.dtype() == dtype)
    };
    let mut all = measures::<f32>(order, kernel(DType::F32))?;
    all = order.join(all, measures::<f64>(order, kernel(DType::F64))?);
    for (_, gradient) in gradients.iter().filter(|(_, gradient)| !has_kernel(gradient)) {
        all = order.join(all, composite(order, gradient)?);
    }
    Ok(order.finish(all))
}

/// Elements of a task: enough to be worth a thread's while.
const TASK: usize = parallel::THRESHOLD;

/// The measure of all tensors, in one parallel region: long ones are cut, short ones share a task. What is cut where, and
/// added up in which order, doesn't depend on the threads.
fn measures<'a, T: Real>(order: Order, tensors: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    let tensors: Vec<Tensor> = tensors
        .map(Tensor::contiguous)
        .collect::<candle_core::Result<_>>()?;
    let held: Vec<_> = tensors.iter().map(cpu::slice::<T>).collect::<Result<_>>()?;
    let parts = held.iter().flat_map(|slice| slice.chunks(TASK));
    let tasks = into_tasks(parts, |part| part.len());
    let found = Mutex::new(vec![0.; tasks.len()]);
    parallel::for_each(tasks.into_iter().enumerate().collect(), |(i, task)| {
        // A sum of `f32` is kept short.
        let parts = task.into_iter().flat_map(|part| part.chunks(parallel::CHUNK));
        let own = parts.fold(0., |all, part| order.join(all, measure(order, part)));
        if let Some(place) = found.lock().unwrap_or_else(PoisonError::into_inner).get_mut(i) {
            *place = own;
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(found.into_iter().fold(0., |a, b| order.join(a, b)))
}

/// The measure from candle operations: half precision would overflow, and is measured in a wider type.
fn composite(order: Order, gradient: &Tensor) -> Result<f64> {
    if gradient.elem_count() == 0 {
        return Ok(0.);
    }
    // Not every device has `f64`.
    let wide = match gradient.dtype() {
        DType::F64 => gradient.detach(),
        _ if gradient.device().is_cpu() => cast(&gradient.detach(), DType::F64)?,
        _ => gradient.detach().to_dtype(DType::F32)?,
    };
    let one = |x: Tensor| x.to_dtype(DType::F64)?.to_scalar::<f64>();
    let sizes = wide.abs()?;
    Ok(match order {
        Order::One => one(sizes.sum_all()?)?,
        Order::Two => {
            one(sizes.max_all()?).and_then(|largest| match largest > 0. && largest.is_finite() {
                // As a multiple of the largest, so that no square overflows.
                true => Ok(one((sizes / largest)?.sqr()?.sum_all()?)? * largest * largest),
                false => one(sizes.sqr()?.sum_all()?),
            })?
        }
        Order::Infinity => {
            // A maximum may miss a NaN, a sum can't.
            let all = one((&sizes * 0.)?.sum_all()?)?;
            let largest = one(sizes.max_all()?)?;
            if all.is_nan() && largest.is_finite() {
                f64::NAN
            } else {
                largest
            }
        }
        Order::Other(p) => one(sizes.powf(p)?.sum_all()?)?,
    })
}

/// Replaces every gradient by a changed one: long ones cut among the threads, one after the other so that each finds the
/// memory that the one before gave back; short ones together.
fn change(gradients: &mut Gradients, change: Change) -> Result<()> {
    if let Some((name, gradient)) = gradients
        .iter()
        .find(|(_, gradient)| !gradient.dtype().is_float())
    {
        return Err(Error::DType {
            layer: name.to_string(),
            argument: "gradient",
            expected: "floating-point numbers".into(),
            got: gradient.dtype(),
        });
    }
    let names: Vec<String> = gradients.iter().map(|(name, _)| name.to_string()).collect();
    let mut short = Vec::new();
    for name in names {
        let Some(gradient) = gradients.get(&name) else {
            continue;
        };
        if gradient.elem_count() >= TASK || !has_kernel(gradient) {
            let new = one_changed(gradient, change)?;
            gradients.set(&name, new)?;
            continue;
        }
        let gradient = gradient.clone();
        short.push((name, gradient));
    }
    let tasks = into_tasks(short, |(_, gradient)| gradient.elem_count());
    let done = Mutex::new(Vec::new());
    parallel::for_each(tasks, |task| {
        let own = task
            .into_iter()
            .map(|(name, old)| Ok((name, one_changed(&old, change)?)));
        let own: Vec<Result<_>> = own.collect();
        done.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    });
    for result in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (name, new) = result?;
        gradients.set(&name, new)?;
    }
    Ok(())
}

fn one_changed(gradient: &Tensor, change: Change) -> Result<Tensor> {
    if has_kernel(gradient) {
        let gradient = gradient.contiguous()?;
        return dispatch_real!(gradient, by_kernel(&gradient, change));
    }
    let gradient = gradient.detach();
    Ok(match change {
        Change::Scale(by) => (gradient * by)?,
        Change::Clamp(to) => gradient.clamp(-to, to)?,
    })
}

fn by_kernel<T: Real>(gradient: &Tensor, change: Change) -> Result<Tensor> {
    let values = changed(change, &cpu::slice::<T>(gradient)?);
    Ok(Tensor::from_vec(values, gradient.shape(), gradient.device())?)
}

#[cfg(test)]
mod tests;
