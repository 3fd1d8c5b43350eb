//! Options of a run: what each does, and that it goes on with them where it was stopped.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod epochs;
mod kept;
mod pieces;
mod steps;

use sconce_core::candle_core::{DType, Device, Result as CandleResult, Tensor};
use sconce_core::{Generator, Init, Param, ParamStore, param};
use sconce_data::{BatchSampler, Batches, Dataset, TensorDataset};
use sconce_optim::schedule::ReduceLrOnPlateauConfig;
use sconce_optim::{Adam, AdamConfig, EmaConfig, Optimize, Sgd, SgdConfig};
use sconce_train::*;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SAMPLES: usize = 22;

fn quiet(epochs: usize, batch_size: usize) -> FitConfig<'static> {
    FitConfig {
        progress: Progress::Quiet,
        ..FitConfig::new(epochs, batch_size)
    }
}

/// y = x·(1, −2, 3) + noise.
fn data() -> TensorDataset {
    let generator = Generator::new(3);
    let mut values = vec![0f64; SAMPLES * 4];
    generator.fill_normal(&mut values, 0., 1.);
    let all = Tensor::from_vec(values, (SAMPLES, 4), &Device::Cpu).unwrap();
    let x = all.narrow(1, 0, 3).unwrap().contiguous().unwrap();
    let slope = Tensor::new(&[[1f64], [-2.], [3.]], &Device::Cpu).unwrap();
    let y = (x.matmul(&slope).unwrap() + all.narrow(1, 3, 1).unwrap()).unwrap();
    TensorDataset::new(&x, &y).unwrap()
}

fn model() -> (ParamStore, Param) {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let w = param(
        &store.builder(),
        (3, 1),
        "w",
        &Init::Normal { mean: 0., std: 0.5 },
    )
    .unwrap();
    (store, w)
}

fn sgd(store: &ParamStore, lr: f64) -> Box<dyn Optimize> {
    let cfg = SgdConfig {
        lr,
        ..SgdConfig::default()
    };
    Box::new(Sgd::new(&cfg, store).unwrap())
}

fn squares(y: &Tensor, target: &Tensor) -> CandleResult<Tensor> {
    (y - target)?.sqr()?.mean_all()
}

/// A trainer of y = x·w by gradient descent.
fn plain<'a>(store: &'a ParamStore, w: &'a Param, lr: f64) -> Trainer<'a> {
    Trainer::new(
        move |x: &Tensor| x.matmul(&w.tensor()),
        store,
        sgd(store, lr),
        squares,
    )
}

fn values(param: &Param) -> Vec<f64> {
    param.value().flatten_all().unwrap().to_vec1().unwrap()
}

fn near(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
}

/// What a run ends with.
fn fit(cfg: &FitConfig<'_>) -> (History, Vec<f64>) {
    let (store, w) = model();
    let mut trainer = plain(&store, &w, 0.05);
    let history = trainer.fit(&data(), cfg).unwrap();
    (history, values(&w))
}

fn losses(history: &History) -> Vec<f64> {
    history.epochs.iter().map(|epoch| epoch.train_loss).collect()
}
