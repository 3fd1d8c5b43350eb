//! A run that was stopped and resumed ends with the bits of one that never was.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod full_disk;
mod killed;
mod odd_moments;
mod options;
#[cfg(unix)]
mod signals;
mod unreadable;

use sconce_core::candle_core::{DType, Device, Result as CandleResult, Tensor};
use sconce_core::io::{Stage, watch_stages};
use sconce_core::{Buffer, Generator, Init, Param, ParamStore, Parameters, buffer, no_grad, param};
use sconce_data::TensorDataset;
use sconce_optim::schedule::{CosineAnnealingLr, LinearLr, ReduceLrOnPlateauConfig};
use sconce_optim::*;
use sconce_train::*;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const EPOCHS: usize = 3;
const SAMPLES: usize = 22;
const BATCH: usize = 4;
/// The last batch of an epoch is smaller.
const STEPS: u64 = 6;

type Make = fn(&ParamStore) -> Box<dyn Optimize>;

/// Every rule, under a name that a child process is told.
const RULES: [(&str, Make); 14] = [
    ("sgd", |s| {
        let cfg = SgdConfig {
            lr: 0.05,
            momentum: 0.9,
            ..SgdConfig::default()
        };
        Box::new(Sgd::new(&cfg, s).unwrap())
    }),
    ("adam", |s| {
        let cfg = AdamConfig {
            amsgrad: true,
            ..AdamConfig::default()
        };
        Box::new(Adam::new(&cfg, s).unwrap())
    }),
    ("adamw", |s| Box::new(Adam::new(&AdamConfig::adamw(), s).unwrap())),
    ("adagrad", |s| {
        Box::new(Adagrad::new(&AdagradConfig::default(), s).unwrap())
    }),
    ("rmsprop", |s| {
        let cfg = RmsPropConfig {
            momentum: 0.5,
            centered: true,
            ..RmsPropConfig::default()
        };
        Box::new(RmsProp::new(&cfg, s).unwrap())
    }),
    ("adadelta", |s| {
        Box::new(Adadelta::new(&AdadeltaConfig::default(), s).unwrap())
    }),
    ("adamax", |s| {
        Box::new(Adamax::new(&AdamaxConfig::default(), s).unwrap())
    }),
    ("nadam", |s| {
        Box::new(NAdam::new(&NAdamConfig::default(), s).unwrap())
    }),
    ("radam", |s| {
        Box::new(RAdam::new(&RAdamConfig::default(), s).unwrap())
    }),
    ("rprop", |s| {
        Box::new(Rprop::new(&RpropConfig::default(), s).unwrap())
    }),
    ("asgd", |s| {
        Box::new(Asgd::new(&AsgdConfig::default(), s).unwrap())
    }),
    ("lion", |s| {
        Box::new(Lion::new(&LionConfig::default(), s).unwrap())
    }),
    ("adafactor", |s| {
        Box::new(Adafactor::new(&AdafactorConfig::default(), s).unwrap())
    }),
    ("muon", |s| {
        Box::new(Muon::new(&MuonConfig::default(), s).unwrap())
    }),
];

fn rules() -> impl Iterator<Item = &'static str> + Clone {
    RULES.iter().map(|(name, _)| *name).chain(["lbfgs"])
}

/// The rule that evaluates the loss itself.
const LBFGS: LbfgsConfig = LbfgsConfig {
    lr: 0.1,
    max_iter: 3,
    max_eval: None,
    tolerance_grad: 1e-12,
    tolerance_change: 1e-12,
    history_size: 4,
    line_search: LineSearch::StrongWolfe,
    maximize: false,
};

/// Noise, a matrix, tanh, another matrix, and a buffer that counts the training steps.
struct Net {
    first: Param,
    second: Param,
    steps: Buffer,
    noise: Generator,
}

impl sconce_core::candle_core::ModuleT for Net {
    fn forward_t(&self, x: &Tensor, train: bool) -> CandleResult<Tensor> {
        let mut x = x.clone();
        if train {
            let mut noise = vec![0f64; x.elem_count()];
            self.noise.fill_normal(&mut noise, 0., 0.1);
            x = (&x + Tensor::from_vec(noise, x.dims(), &Device::Cpu)?.to_dtype(x.dtype())?)?;
            self.steps.set(&(self.steps.tensor() + 1.)?)?;
        }
        x.matmul(&self.first.tensor())?
            .tanh()?
            .matmul(&self.second.tensor())
    }
}

/// What is left of a run: tensors by name, and its history without times.
type Left = (Vec<(String, Vec<u64>)>, Vec<EpochRecord>, End);

fn run(rule: &str, folder: Option<CheckpointConfig>, stop: Option<u64>, wait: Duration) -> Result<Left> {
    let generator = Generator::new(3);
    let mut values = vec![0f64; SAMPLES * 4];
    generator.fill_normal(&mut values, 0., 1.);
    let x = Tensor::from_vec(values, (SAMPLES, 4), &Device::Cpu)?;
    let data = TensorDataset::new(
        &x.narrow(1, 0, 3)?.contiguous()?,
        &x.narrow(1, 3, 1)?.contiguous()?,
    )?;

    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let (vb, init) = (store.builder(), Init::Normal { mean: 0., std: 0.5 });
    let noise = Generator::new(9);
    let net = Net {
        first: param(&vb, (3, 5), "first", &init)?,
        second: param(&vb, (5, 1), "second", &init)?,
        steps: buffer(&vb, (), "steps", &Init::Const(0.), DType::F64)?,
        noise: noise.clone(),
    };
    let early = EarlyStopping::new(&EarlyStoppingConfig::new(2), &store);
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let steps = AtomicU64::new(0);
    let training_loss = |x: &Tensor, target: &Tensor| {
        if Some(steps.fetch_add(1, Ordering::SeqCst)) == stop {
            return Err(sconce_core::candle_core::Error::Msg("stopped".into()));
        }
        std::thread::sleep(wait);
        loss(
            &sconce_core::candle_core::ModuleT::forward_t(&net, x, true)?,
            target,
        )
    };
    let model = |x: &Tensor| no_grad(|| sconce_core::candle_core::ModuleT::forward_t(&net, x, false));
    let trainer = match RULES.iter().find(|(name, _)| *name == rule) {
        Some((_, make)) => Trainer::new(model, &store, make(&store), loss),
        None => Trainer::minimizing(model, &store, Box::new(Lbfgs::new(&LBFGS, &store)?), loss),
    };
    let mut trainer = trainer
        .with_training_loss(training_loss)
        .with_generator("noise", &noise)
        .with_scheduler(
            LinearLr {
                total_iters: 8,
                ..LinearLr::default()
            },
            Every::Batch,
        )?
        .with_scheduler(CosineAnnealingLr::new(4), Every::Epoch)?
        .with_plateau(&ReduceLrOnPlateauConfig {
            patience: 0,
            ..ReduceLrOnPlateauConfig::default()
        })?
        .with_callback(early);
    let cfg = FitConfig {
        shuffle: Some(5),
        validation: Validation::Set(&data),
        progress: Progress::Quiet,
        checkpoints: folder,
        ..FitConfig::new(EPOCHS, BATCH)
    };
    let history = trainer.fit(&data, &cfg)?;
    drop(trainer);
    let bits = |var: &Tensor| -> Result<Vec<u64>> {
        let values = var.flatten_all()?.to_vec1::<f64>()?;
        Ok(values.into_iter().map(f64::to_bits).collect())
    };
    let all = store.named_tensors().into_iter();
    let all = all
        .map(|(name, var)| Ok((name, bits(&var)?)))
        .collect::<Result<_>>()?;
    let mut epochs = history.epochs;
    for epoch in &mut epochs {
        epoch.seconds = 0.;
    }
    Ok((all, epochs, history.end))
}

fn resuming(folder: &Path) -> CheckpointConfig {
    CheckpointConfig {
        every: Some(1),
        resume: true,
        signals: false,
        ..CheckpointConfig::new(folder)
    }
}

#[test]
fn a_resumed_run_ends_with_the_same_bits_for_every_rule() {
    for rule in rules() {
        let whole = run(rule, None, None, Duration::ZERO).unwrap();
        // In mid-epoch, at an epoch's end, and in its first step.
        for stop in [1, 4, STEPS, STEPS + 2, 2 * STEPS + 5] {
            let place = tempfile::tempdir().unwrap();
            let stop = stop * if rule == "lbfgs" { 4 } else { 1 };
            let error = run(rule, Some(resuming(place.path())), Some(stop), Duration::ZERO);
            assert!(error.unwrap_err().to_string().contains("stopped"));
            let resumed = run(rule, Some(resuming(place.path())), None, Duration::ZERO).unwrap();
            assert_eq!(resumed, whole, "{rule}, stopped at step {stop}");
        }
    }
}

#[test]
fn checkpoints_change_nothing_and_a_finished_run_stays() {
    let place = tempfile::tempdir().unwrap();
    let whole = run("adam", None, None, Duration::ZERO).unwrap();
    assert_eq!(
        run("adam", Some(resuming(place.path())), None, Duration::ZERO).unwrap(),
        whole
    );
    // There is nothing left to do.
    assert_eq!(
        run("adam", Some(resuming(place.path())), Some(0), Duration::ZERO).unwrap(),
        whole
    );
    let error = run(
        "adam",
        Some(CheckpointConfig {
            resume: false,
            ..resuming(place.path())
        }),
        None,
        Duration::ZERO,
    );
    assert!(error.unwrap_err().to_string().contains("there from another run"));
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let place = tempfile::tempdir().unwrap();
    run("adam", Some(resuming(place.path())), None, Duration::ZERO).unwrap();
    let before = std::fs::read_dir(place.path()).unwrap().count();
    let error = run("sgd", Some(resuming(place.path())), None, Duration::ZERO)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("0000000018.safetensors: is of a run with optimizer Adam, and this one has Sgd"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), before);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_with_a_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let whole = run("adamw", None, None, Duration::ZERO).unwrap();
    let cfg = CheckpointConfig {
        every: None,
        signals: true,
        ..resuming(place.path())
    };
    let asks = std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(60));
        let id = std::process::id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    });
    let (_, epochs, end) = run("adamw", Some(cfg.clone()), None, Duration::from_millis(20)).unwrap();
    asks.join().unwrap();
    assert_eq!(end, End::Interrupted);
    assert!(epochs.len() < EPOCHS);
    assert_eq!(run("adamw", Some(cfg), None, Duration::ZERO).unwrap(), whole);
}

/// A callback that stops the run has stopped it for good.
#[test]
fn what_a_callback_stopped_stays_stopped() {
    let place = tempfile::tempdir().unwrap();
    let once = || {
        let x = Tensor::ones((4, 1), DType::F64, &Device::Cpu).unwrap();
        let data = TensorDataset::new(&x, &x).unwrap();
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.)).unwrap();
        let sgd = Sgd::new(&SgdConfig::default(), &store).unwrap();
        let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
        let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(sgd), loss)
            .with_callback(|_: &EpochRecord| Ok(ControlFlow::Break(())));
        let cfg = FitConfig {
            progress: Progress::Quiet,
            checkpoints: Some(resuming(place.path())),
            ..FitConfig::new(5, 4)
        };
        let history = trainer.fit(&data, &cfg).unwrap();
        drop(trainer);
        (
            history.epochs.len(),
            history.end,
            w.value().flatten_all().unwrap().to_vec1::<f64>().unwrap(),
        )
    };
    let first = once();
    assert_eq!((first.0, first.1), (1, End::Stopped));
    assert_eq!(once(), first);
}

/// Of a run whose validation loss goes down, then up, then down less: the second epoch is the best, also if it is resumed.
#[test]
fn the_best_epochs_checkpoint_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let x = Tensor::ones((4, 1), DType::F64, &Device::Cpu).unwrap();
    let data = TensorDataset::new(&x, &x).unwrap();
    let run = |epochs: usize| {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.)).unwrap();
        let sgd = Sgd::new(&SgdConfig::default(), &store).unwrap();
        let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
        // (w − 1)² is 0.36, 0.04, 0.64, 0.09.
        let rate = |at: &Position| {
            let ws = [0., 0.4, 0.8, 1.8, 1.3];
            let (from, to) = (ws[at.epoch], ws[at.epoch + 1]);
            (to - from) / (2. * (1. - from))
        };
        let mut trainer =
            Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(sgd), loss).with_schedule(rate);
        let cfg = FitConfig {
            progress: Progress::Quiet,
            validation: Validation::Set(&data),
            checkpoints: Some(CheckpointConfig {
                best: Some(Watched::ValidationLoss),
                ..resuming(place.path())
            }),
            ..FitConfig::new(epochs, 4)
        };
        trainer.fit(&data, &cfg).unwrap();
    };
    let best = || {
        let file = sconce_core::io::load_tensors(place.path().join("best.safetensors")).unwrap();
        file["model/w"].flatten_all().unwrap().to_vec1::<f64>().unwrap()[0]
    };
    run(1);
    assert!((best() - 0.4).abs() < 1e-12);
    run(2);
    assert!((best() - 0.8).abs() < 1e-12);
    for epochs in [3, 4] {
        run(epochs);
        assert!((best() - 0.8).abs() < 1e-12, "{epochs}");
    }
}
