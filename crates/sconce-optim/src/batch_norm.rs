//! A batch norm's statistics, for parameters that no training step had.

use candle_core::{Tensor, Var};
use sconce_core::{Error, Parameters, Result, cumulative_statistics, no_grad};
use std::collections::HashMap;

const NAME: &str = "update_bn";
const MEAN: &str = "running_mean";
const VAR: &str = "running_var";
const COUNT: &str = "num_batches_tracked";

/// Replaces the running statistics of a model's batch norms by their plain averages over these batches; gives the number of
/// batches. `forward` runs the model as in training; nothing is recorded for a backward pass.
///
/// The buffers are known by their names: `running_mean` and `running_var` beside a `num_batches_tracked` that has counted.
/// Instance norms, which count nothing, are left as they are.
///
/// # Errors
/// There is no batch; a `running_mean` has no `num_batches_tracked` beside it (candle's own batch norm can't average over all
/// batches); `forward` didn't come by one of the norms; those of the batches and of `forward`. Then the statistics are those
/// from before.
///
/// # Source
/// `torch.optim.swa_utils.update_bn`
///
/// # Example
/// A norm of one's own, reduced to the mean that it keeps: it asks whether the average is to be a plain one.
/// ```
/// use sconce_core::candle_core::{self, DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, buffer, is_cumulative};
/// use sconce_optim::update_bn;
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let vb = store.builder().pp("bn");
/// let mean = buffer(&vb, (), "running_mean", &Init::Const(0.), DType::F64)?;
/// buffer(&vb, (), "running_var", &Init::Const(1.), DType::F64)?;
/// let count = buffer(&vb, (), "num_batches_tracked", &Init::Const(0.), DType::I64)?;
/// let forward = |x: &Tensor| -> candle_core::Result<Tensor> {
///     let batches = count.tensor().to_scalar::<i64>()? + 1;
///     count.set(&Tensor::new(batches, &Device::Cpu)?)?;
///     let share = if is_cumulative() { 1. / batches as f64 } else { 0.1 };
///     mean.set(&((mean.tensor() * (1. - share))? + (x.mean_all()? * share)?)?)?;
///     x.broadcast_sub(&x.mean_all()?)
/// };
/// let batch = |a: f64, b: f64| Tensor::new(&[a, b], &Device::Cpu);
/// forward(&batch(100., 200.)?)?;
/// assert_eq!(update_bn(&store, [batch(0., 2.), batch(4., 8.)], forward)?, 2);
/// assert_eq!(mean.tensor().to_scalar::<f64>()?, 3.5);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn update_bn<P: Parameters + ?Sized, E>(
    parameters: &P,
    batches: impl IntoIterator<Item = std::result::Result<Tensor, E>>,
    mut forward: impl FnMut(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<usize>
where
    Error: From<E>,
{
    let norms = norms(parameters)?;
    let mut before = Vec::new();
    for norm in &norms {
        for var in [&norm.mean, &norm.var, &norm.count] {
            before.push((var.clone(), var.as_detached_tensor().copy()?));
        }
    }
    let gather = || {
        for norm in &norms {
            norm.mean.set(&norm.mean.zeros_like()?)?;
            norm.var.set(&norm.var.ones_like()?)?;
            norm.count.set(&norm.count.zeros_like()?)?;
        }
        let mut number = 0;
        for batch in batches {
            let batch = batch?;
            no_grad(|| cumulative_statistics(|| forward(&batch)))?;
            number += 1;
        }
        if number == 0 {
            return Err(Error::config(NAME, "batches", 0, "at least 1"));
        }
        for norm in &norms {
            if counted(&norm.count)? == 0 {
                let expected = "that forward runs it in training mode";
                return Err(Error::config(NAME, "norm", &norm.path, expected));
            }
        }
        Ok(number)
    };
    gather().or_else(|error| {
        for (var, value) in before {
            var.set(&value)?;
        }
        Err(error)
    })
}

struct Norm {
    path: String,
    mean: Var,
    var: Var,
    count: Var,
}

/// The batch norms that have counted a batch; the others' statistics are still what they begin with.
fn norms<P: Parameters + ?Sized>(parameters: &P) -> Result<Vec<Norm>> {
    let all = parameters.named_tensors();
    let known: HashMap<&str, &Var> = all.iter().map(|(name, var)| (name.as_str(), var)).collect();
    let mut norms = Vec::new();
    for (name, mean) in &all {
        let Some(path) = name.strip_suffix(MEAN) else {
            continue;
        };
        if !(path.is_empty() || path.ends_with('.')) {
            continue;
        }
        let beside = |what: &str| {
            let found = known.get(format!("{path}{what}").as_str()).copied();
            let missing = || {
                Error::config(
                    NAME,
                    "buffer",
                    name,
                    format!("{what} beside it, as of sconce's batch norms"),
                )
            };
            found.ok_or_else(missing)
        };
        let (var, count) = (beside(VAR)?, beside(COUNT)?);
        if counted(count)? > 0 {
            norms.push(Norm {
                path: path.trim_end_matches('.').to_string(),
                mean: mean.clone(),
                var: var.clone(),
                count: count.clone(),
            });
        }
    }
    Ok(norms)
}

fn counted(count: &Var) -> Result<i64> {
    Ok(count
        .as_detached_tensor()
        .to_dtype(candle_core::DType::I64)?
        .sum_all()?
        .to_scalar()?)
}

#[cfg(test)]
mod tests;
