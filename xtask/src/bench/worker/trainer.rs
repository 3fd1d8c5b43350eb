//! `cargo xtask bench trainer`: what the training loop costs by itself, beside one written by hand.
//!
//! LeNet-5 on 6 400 pictures in batches of 64. Both loops take turns, an epoch each, and the ratio is the median over the
//! rounds; so do the epochs whose pictures two workers augment. Then fifty epochs with checkpoints tell whether memory grows.

use sconce::candle_core::{DType, Device, Module, Tensor};
use sconce::cnn::{LeNet, LeNetConfig};
use sconce::core::{Generator, ParamStore, backward};
use sconce::data::transforms::{RandomCrop, RandomCropConfig};
use sconce::data::{Dataset, Loader, LoaderConfig, TensorDataset, Workers};
use sconce::losses::{Reduction, cross_entropy};
use sconce::optim::{Optimize, Sgd, SgdConfig};
use sconce::train::{Accuracy, CheckpointConfig, FitConfig, Trainer};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PICTURES: usize = 6400;
const BATCH: usize = 64;
const SIDE: usize = 28;
const CLASSES: usize = 10;
const ROUNDS: usize = 15;
const EPOCHS: usize = 50;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let data = pictures()?;
    let (mut ratios, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let by_hand = by_hand(&data)?;
        let ours = ours(
            &data,
            &FitConfig {
                train_metrics: true,
                ..FitConfig::new(1, BATCH)
            },
        )?;
        ratios.push(ours.as_secs_f64() / by_hand.as_secs_f64());
        steps.push(1e3 * by_hand.as_secs_f64() / (PICTURES / BATCH) as f64);
    }
    let waited = (0..ROUNDS).map(|_| waited(&data)).collect::<Result<Vec<_>>>()?;
    let (early, late) = memory(&data)?;
    println!("step by hand ms: {:.4}", median(steps));
    println!("loop ratio: {:.4}", median(ratios));
    println!("waited for the loader: {:.4}", median(waited));
    println!("resident after 5 epochs mb: {early:.1}");
    println!("resident after {EPOCHS} epochs mb: {late:.1}");
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn pictures() -> Result<TensorDataset> {
    let mut pixels = vec![0f64; PICTURES * SIDE * SIDE];
    Generator::new(0).fill_uniform(&mut pixels, 0., 1.);
    let pixels = Tensor::from_vec(pixels, (PICTURES, 1, SIDE, SIDE), &Device::Cpu)?.to_dtype(DType::F32)?;
    let labels = Tensor::from_iter((0..PICTURES).map(|i| (i % CLASSES) as u32), &Device::Cpu)?;
    Ok(TensorDataset::new(&pixels, &labels)?)
}

fn lenet() -> Result<(ParamStore, LeNet, Sgd)> {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
    let net = LeNet::new(&LeNetConfig::new(CLASSES), store.builder())?;
    let cfg = SgdConfig {
        lr: 0.1,
        ..SgdConfig::default()
    };
    let sgd = Sgd::new(&cfg, &store)?;
    Ok((store, net, sgd))
}

/// An epoch of the loop that everybody writes.
fn by_hand(data: &TensorDataset) -> Result<Duration> {
    let (store, net, mut sgd) = lenet()?;
    let cfg = LoaderConfig {
        shuffle: Some(0),
        ..LoaderConfig::new(BATCH)
    };
    let loader = Loader::new(data, &cfg)?;
    let start = Instant::now();
    let mut sum = 0.;
    for batch in loader.epoch(0) {
        let (x, labels) = batch?;
        let loss = cross_entropy(&net.forward(&x)?, &labels, Reduction::Mean)?;
        sgd.step(&backward(&loss, &store)?)?;
        sum += loss.to_scalar::<f32>()?;
    }
    let took = start.elapsed();
    assert!(sum.is_finite());
    Ok(took)
}

/// A run of the trainer, with what it prints.
fn ours(data: &TensorDataset, cfg: &FitConfig<'_>) -> Result<Duration> {
    let (store, net, sgd) = lenet()?;
    let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);
    let mut trainer = Trainer::new(net, &store, Box::new(sgd), loss).with_metric(Accuracy::default());
    let start = Instant::now();
    trainer.fit(data, cfg)?;
    Ok(start.elapsed())
}

/// The part of an epoch in which the training thread waits for two workers that shift each picture at random.
fn waited(data: &TensorDataset) -> Result<f64> {
    let crop = RandomCrop::new(&RandomCropConfig {
        padding: [2; 4],
        ..RandomCropConfig::new(SIDE, SIDE)
    })?;
    let augmented = Dataset::augment(data, 0, |x, label, random| Ok((crop.apply(&x, random)?, label)));
    let (store, net, mut sgd) = lenet()?;
    let loader = Loader::new(
        augmented,
        &LoaderConfig {
            shuffle: Some(0),
            ..LoaderConfig::new(BATCH)
        },
    )?;
    std::thread::scope(|scope| {
        let start = Instant::now();
        let mut batches = loader.epoch_on(scope, &Workers::new(2), 0, 0);
        // The first batch is waited for by everybody.
        let mut next = batches.next();
        let first = batches.waited();
        while let Some(batch) = next {
            let (x, labels) = batch?;
            let loss = cross_entropy(&net.forward(&x)?, &labels, Reduction::Mean)?;
            sgd.step(&backward(&loss, &store)?)?;
            next = batches.next();
        }
        Ok((batches.waited() - first).as_secs_f64() / start.elapsed().as_secs_f64())
    })
}

/// The process's memory after five and after all epochs of a run with checkpoints, in MB.
fn memory(data: &TensorDataset) -> Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let run = |epochs| {
        let checkpoints = CheckpointConfig {
            resume: true,
            every: Some(20),
            ..CheckpointConfig::new(folder.path())
        };
        let cfg = FitConfig {
            checkpoints: Some(checkpoints),
            ..FitConfig::new(epochs, BATCH)
        };
        ours(data, &cfg)?;
        resident()
    };
    Ok((run(5)?, run(EPOCHS)?))
}

fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kb.map(|kb| kb / 1e3)
        .ok_or_else(|| "this system doesn't tell a process's memory".into())
}
