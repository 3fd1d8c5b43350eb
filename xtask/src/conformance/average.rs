//! Averaged models: a batch norm before a linear layer, after each of eight updates, and the norm's statistics for the last.

use sconce::core::ParamStore;
use sconce::core::candle_core::{Module, ModuleT, Tensor};
use sconce::nn::{BatchNorm1d, BatchNormConfig, Linear, LinearConfig};
use sconce::optim::{Ema, EmaConfig, Swa, SwaConfig};

use super::{Results, Setting, Stop};

const UPDATES: usize = 8;
/// As PyTorch's `Sequential` calls them.
const NAMES: [&str; 7] = [
    "0.weight",
    "0.bias",
    "0.running_mean",
    "0.running_var",
    "0.num_batches_tracked",
    "1.weight",
    "1.bias",
];

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let norm = BatchNorm1d::new(&BatchNormConfig::new(3), store.builder().pp("0"))?;
    let linear = Linear::new(&LinearConfig::new(3, 2), store.builder().pp("1"))?;
    let use_buffers = setting.flag_or("use_buffers", false)?;
    let mut results = Results::default();
    match setting.kind() {
        "EMA" => {
            let decay = setting.number("decay")?;
            let mut ema = Ema::new(&EmaConfig { decay, use_buffers })?;
            updates(setting, &store, &mut results, || {
                ema.update(&store)?;
                Ok(ema.tensors()?)
            })?;
        }
        "SWA" => {
            let mut swa = Swa::new(&SwaConfig { use_buffers });
            updates(setting, &store, &mut results, || {
                swa.update(&store)?;
                Ok(swa.tensors()?)
            })?;
            if let Some(count) = setting.optional_size("update_bn")? {
                let batches: Vec<Result<Tensor, sconce::core::Error>> = (0..count)
                    .map(|i| setting.tensor(&format!("in.batch{i}")))
                    .collect::<Result<Vec<_>, Stop>>()?
                    .into_iter()
                    .map(Ok)
                    .collect();
                swa.update_bn(&store, batches, |x| linear.forward(&norm.forward_t(x, true)?))?;
                for (name, tensor) in swa.tensors()? {
                    if let Some(name) = name.strip_prefix("0.").filter(|name| name.contains('_')) {
                        results.add(format!("gathered.{name}"), &tensor);
                    }
                }
            }
        }
        _ => return Err(Stop::kind(setting)),
    }
    Ok(results)
}

/// Gives the model the values of each update, and notes the averages after it.
fn updates(
    setting: &Setting<'_>,
    store: &ParamStore,
    results: &mut Results,
    mut update: impl FnMut() -> Result<Vec<(String, Tensor)>, Stop>,
) -> Result<(), Stop> {
    let mut averages: Vec<Vec<Tensor>> = vec![Vec::new(); NAMES.len()];
    for n in 0..UPDATES {
        for name in NAMES {
            store.set(name, &setting.tensor(&format!("before.{name}"))?.get(n)?)?;
        }
        let mut tensors = update()?;
        for (name, all) in NAMES.iter().zip(&mut averages) {
            let found = tensors.iter().position(|(other, _)| other == name);
            let missing = || Stop::Failed(format!("no average of {name}"));
            all.push(tensors.swap_remove(found.ok_or_else(missing)?).1);
        }
    }
    for (name, all) in NAMES.iter().zip(&averages) {
        results.add(format!("average.{name}"), &Tensor::stack(all, 0)?);
    }
    Ok(())
}
