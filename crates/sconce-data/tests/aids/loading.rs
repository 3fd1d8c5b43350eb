//! What data loading gives for a configuration of the golden files.

use super::data::candle_core::{Device, Tensor};
use super::data::{Dataset, Distributed, Error, Padded, Sampler, Sequential, TensorDataset};
use serde_json::Value;

type Result<T> = std::result::Result<T, String>;

fn told(error: impl Into<Error>) -> String {
    error.into().to_string()
}

fn size(config: &Value, key: &str) -> Result<usize> {
    let size = config.get(key).and_then(Value::as_u64);
    size.map(|size| size as usize).ok_or_else(|| format!("no {key}"))
}

fn sizes(config: &Value, key: &str) -> Result<Vec<usize>> {
    let list = config.get(key).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("no {key}"))?.iter();
    let sizes: Option<Vec<u64>> = list.map(Value::as_u64).collect();
    let sizes = sizes.ok_or_else(|| format!("{key} isn't a list of sizes"))?;
    Ok(sizes.into_iter().map(|size| size as usize).collect())
}

fn number(config: &Value, key: &str) -> Result<f64> {
    config
        .get(key)
        .and_then(Value::as_f64)
        .ok_or_else(|| format!("no {key}"))
}

/// The result of a case, or what of it is none; `input` gives the case's inputs by number, `seed` decides draws, which the result
/// must not depend on.
pub(crate) fn result(config: &Value, input: impl Fn(usize) -> Result<Tensor>, seed: u64) -> Result<Tensor> {
    match config.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "DistributedSampler" => ranks(config),
        "StratifiedShuffleSplit" => stratified(config, seed),
        "pad_sequence" => {
            let count = sizes(config, "lengths")?.len();
            let sequences = (0..count).map(input).collect::<Result<Vec<_>>>()?;
            let padded = Padded::new(&sequences, number(config, "value")?).map_err(told)?;
            Ok(padded.values)
        }
        kind => Err(kind.to_string()),
    }
}

/// Each rank's indices.
fn ranks(config: &Value) -> Result<Tensor> {
    let (world, samples) = (size(config, "world")?, size(config, "samples")?);
    let mut orders = Vec::new();
    for rank in 0..world {
        let mut sampler = Distributed::new(Sequential, rank, world).map_err(told)?;
        if config.get("drop_last") == Some(&Value::Bool(true)) {
            sampler = sampler.with_drop_last();
        }
        let order = sampler.order(samples, 0);
        let count = sampler.count(samples).map_err(told)?;
        if count != order.len() {
            return Err(format!("{count} samples were promised, not {}", order.len()));
        }
        let order: Vec<i64> = order.into_iter().map(|index| index as i64).collect();
        orders.push(Tensor::new(order, &Device::Cpu).map_err(told)?);
    }
    Tensor::stack(&orders, 0).map_err(told)
}

/// How many samples of each class are in the two parts.
fn stratified(config: &Value, seed: u64) -> Result<Tensor> {
    let counts = sizes(config, "classes")?;
    let classes: Vec<u32> = (counts.iter().enumerate())
        .flat_map(|(class, &count)| vec![class as u32; count])
        .collect();
    let x = Tensor::new(classes.as_slice(), &Device::Cpu).map_err(told)?;
    let set = TensorDataset::new(&x, &x).map_err(told)?;
    let parts = set.split_stratified(&classes, number(config, "fraction")?, seed);
    let (rest, drawn) = parts.map_err(told)?;
    let count = |indices: &[usize]| {
        let own = |class: u32| {
            indices
                .iter()
                .filter(|&&index| classes.get(index) == Some(&class))
                .count()
        };
        let counts: Vec<i64> = (0..counts.len() as u32).map(|class| own(class) as i64).collect();
        Tensor::new(counts, &Device::Cpu).map_err(told)
    };
    Tensor::stack(&[count(rest.indices())?, count(drawn.indices())?], 0).map_err(told)
}
