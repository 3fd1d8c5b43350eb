//! Samplers, splits and padding.

use sconce::core::candle_core::{DType, Device, Tensor};
use sconce::data::{Dataset, Distributed, Padded, Sampler, Sequential, TensorDataset};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let failed = |error: sconce::data::Error| Stop::Failed(error.to_string());
    let mut results = Results::default();
    let out = match setting.kind() {
        "DistributedSampler" => {
            let (world, samples) = (setting.size("world")?, setting.size("samples")?);
            let drop_last = setting.flag("drop_last")?;
            let mut orders = Vec::new();
            for rank in 0..world {
                let mut sampler = Distributed::new(Sequential, rank, world).map_err(failed)?;
                if drop_last {
                    sampler = sampler.with_drop_last();
                }
                let order = sampler.order(samples, 0).into_iter().map(|index| index as i64);
                orders.push(Tensor::new(order.collect::<Vec<i64>>(), &Device::Cpu)?);
            }
            Tensor::stack(&orders, 0)?
        }
        "StratifiedShuffleSplit" => {
            let sizes = setting.sizes("classes")?;
            let classes: Vec<u32> = (sizes.iter().enumerate())
                .flat_map(|(class, &count)| vec![class as u32; count])
                .collect();
            let x = Tensor::new(classes.as_slice(), &Device::Cpu)?;
            let set = TensorDataset::new(&x, &x).map_err(failed)?;
            let (rest, drawn) = set
                .split_stratified(&classes, setting.number("fraction")?, 0)
                .map_err(failed)?;
            let mut counts = Vec::new();
            for part in [rest.indices(), drawn.indices()] {
                let mut of = vec![0i64; sizes.len()];
                for class in part.iter().filter_map(|&index| classes.get(index)) {
                    if let Some(count) = of.get_mut(*class as usize) {
                        *count += 1;
                    }
                }
                counts.push(Tensor::new(of, &Device::Cpu)?);
            }
            Tensor::stack(&counts, 0)?
        }
        "pad_sequence" => {
            // The sequences themselves have both.
            setting.ignore(&["dtype", "rest"]);
            let count = setting.sizes("lengths")?.len();
            let sequences = (0..count).map(|k| setting.tensor(&format!("in.{k}")));
            let sequences = sequences.collect::<Result<Vec<_>, _>>()?;
            let padded = Padded::new(&sequences, setting.number("value")?).map_err(failed)?;
            padded.values.to_dtype(DType::F64)?
        }
        kind => return Err(Stop::Unsupported(kind.to_owned())),
    };
    results.add("out", &out);
    Ok(results)
}
