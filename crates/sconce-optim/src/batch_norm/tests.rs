//! Statistics gathered anew, or as before.

use super::*;
use candle_core::{DType, Device};
use sconce_core::{Buffer, Init, ParamStore, buffer, is_cumulative};

/// A norm reduced to its statistics.
struct Fake {
    mean: Buffer,
    var: Buffer,
    count: Buffer,
    counts: bool,
}

impl Fake {
    fn new(store: &ParamStore, path: &str, counts: bool) -> Self {
        let vb = store.builder().pp(path);
        let make = |name, value, dtype| buffer(&vb, (), name, &Init::Const(value), dtype).unwrap();
        Self {
            mean: make("running_mean", 0., DType::F64),
            var: make("running_var", 1., DType::F64),
            count: make("num_batches_tracked", 0., DType::I64),
            counts,
        }
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let count = self.count.tensor().to_scalar::<i64>()? + 1;
        let mut share = 0.1;
        if self.counts {
            self.count.set(&Tensor::new(count, &Device::Cpu)?)?;
            share = if is_cumulative() { 1. / count as f64 } else { share };
        }
        for (kept, new) in [(&self.mean, x.mean_all()?), (&self.var, x.var(0)?)] {
            kept.set(&((kept.tensor() * (1. - share))? + (new * share)?)?)?;
        }
        Ok(x.clone())
    }

    fn values(&self) -> (f64, f64, i64) {
        let number = |kept: &Buffer| kept.tensor().to_scalar::<f64>().unwrap();
        (
            number(&self.mean),
            number(&self.var),
            self.count.tensor().to_scalar().unwrap(),
        )
    }
}

fn batches() -> Vec<candle_core::Result<Tensor>> {
    let batch = |values: &[f64]| Tensor::new(values, &Device::Cpu);
    vec![batch(&[1., 3.]), batch(&[5., 9., 1.]), batch(&[0., 0.])]
}

#[test]
fn statistics_are_plain_averages_of_the_batches() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let (norm, instance) = (
        Fake::new(&store, "bn", true),
        Fake::new(&store, "instance", false),
    );
    let run = |x: &Tensor| instance.forward(&norm.forward(x)?);
    batches().into_iter().for_each(|x| _ = run(&x.unwrap()).unwrap());
    let before = instance.values();
    assert_eq!(update_bn(&store, batches(), |x| norm.forward(x)).unwrap(), 3);
    let (mean, var, count) = norm.values();
    assert!((mean - (2. + 5. + 0.) / 3.).abs() < 1e-15 && (var - (2. + 16. + 0.) / 3.).abs() < 1e-14);
    assert_eq!((count, instance.values()), (3, before));
    assert!(!is_cumulative());
}

#[test]
fn after_an_error_the_statistics_are_those_from_before() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let (norm, idle) = (Fake::new(&store, "bn", true), Fake::new(&store, "idle", true));
    norm.forward(&batches().swap_remove(0).unwrap()).unwrap();
    let before = norm.values();
    let broken = || Err(candle_core::Error::Msg("broken".into()));
    let error = |batches: Vec<candle_core::Result<Tensor>>| {
        update_bn(&store, batches, |x| norm.forward(x))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error(vec![]), "update_bn: batches is 0, expected at least 1");
    assert_eq!(error(batches().into_iter().chain([broken()]).collect()), "broken");
    assert_eq!(norm.values(), before);
    idle.forward(&batches().swap_remove(0).unwrap()).unwrap();
    assert_eq!(
        error(batches()),
        "update_bn: norm is idle, expected that forward runs it in training mode"
    );
    assert_eq!(norm.values(), before);
}

#[test]
fn norms_that_count_nothing_are_refused() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    buffer(
        &store.builder().pp("bn"),
        1,
        "running_mean",
        &Init::Const(0.),
        DType::F64,
    )
    .unwrap();
    buffer(
        &store.builder().pp("bn"),
        1,
        "running_var",
        &Init::Const(0.),
        DType::F64,
    )
    .unwrap();
    let error = update_bn(&store, batches(), |x| Ok(x.clone()))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("update_bn: buffer is bn.running_mean, expected num_batches_tracked"),
        "{error}"
    );
}
