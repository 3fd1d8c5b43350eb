//! Forecasts traffic by a recurrent network whose gates see the neighbouring roads too: T-GCN.

use clap::{Parser, ValueEnum};
use sconce::candle_core::{DType, Device, IndexOp, Module, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, parse_device};
use sconce::data::{Dataset, LosLoop, TensorDataset};
use sconce::gnn::{Graph, TgcnCell, TgcnCellConfig};
use sconce::losses::{Reduction, l1, l2_penalty, mse};
use sconce::nn::{Linear, LinearConfig};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{
    EarlyStopping, EarlyStoppingConfig, EpochRecord, FitConfig, Progress, Trainer, Validation,
    plot::{self, Curve},
};
use sconce_examples::{
    Common, Draws, Failure, MOST, Result, Saving, data_folder, expect_below, figure, in_folder, in_range,
    say, whole,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns to forecast the speeds at all detectors of a road network for the next 15 minutes, from the last hour: Zhao et al.'s
/// temporal graph convolutional network.
///
/// Hard to beat is persistence, the forecast that nothing changes. The paper's recipe doesn't beat it on real data; forecasting
/// the change from the last value, with an absolute error, does. By default the road is a made-up ring on which congestion
/// travels against the traffic. The last lines are the figures, in miles an hour: errors of network and persistence on the last
/// fifth of the time; the network is the one that was best on the tail of the rest.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Traffic: made up, or that of 207 detectors in Los Angeles, in the folder los-loop of the data folder ($SCONCE_DATA, else
    /// the folder sconce in the user's cache), which `cargo xtask data los-loop` gets
    #[arg(long, value_enum, default_value_t = Source::Generated)]
    dataset: Source,
    /// What is forecast, and by which loss
    #[arg(long, value_enum, default_value_t = Recipe::Change)]
    recipe: Recipe,
    /// Times through the training windows at most [default: 30; smoke: 10]
    #[arg(long)]
    epochs: Option<usize>,
    /// Length of a detector's hidden state [default: 64; smoke: 32]
    #[arg(long)]
    hidden: Option<usize>,
    /// Learning rate [default: 0.005; los-loop: 0.001; smoke: 0.01]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Draw truth and forecast at one detector over the last day: traffic.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    Generated,
    LosLoop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Recipe {
    /// The change from the last value; mean absolute error
    Change,
    /// The speed itself; half the squared errors' sum and 0.0015 times that of the parameters
    Paper,
}

/// Times that the network sees, and that it forecasts, 5 minutes apart.
const SEEN: usize = 12;
const AHEAD: usize = 3;
const A_DAY: usize = 288;
const BATCH: usize = 32;
/// Epochs in a row that may pass without a better error on the validation tail.
const PATIENCE: usize = 8;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// Speeds `[times, detectors]`, and how much each detector (row) matters to each (column).
fn load(flags: &Flags) -> Result<(Tensor, Tensor)> {
    match flags.dataset {
        _ if flags.common.smoke => ring(flags.common.seed, 16, 5),
        Source::Generated => ring(flags.common.seed, 30, 7),
        Source::LosLoop => {
            let LosLoop { speeds, adjacency } = LosLoop::load(data_folder("los-loop")?)?;
            Ok((speeds, adjacency))
        }
    }
}

/// A ring road. Congestion arises now and then, mostly in rush hours, travels against the traffic, to the detectors with
/// the next lower numbers, at half a detector each 5 minutes, and dissolves.
fn ring(seed: u64, detectors: usize, days: usize) -> Result<(Tensor, Tensor)> {
    let (draws, times) = (Draws::new(seed, "traffic"), days * A_DAY);
    let free: Vec<f64> = (0..detectors).map(|_| 65. + 2. * draws.normal()).collect();
    let mut speeds: Vec<f64> = (0..times).flat_map(|_| free.iter().copied()).collect();
    for start in 0..times {
        let hour = (start % A_DAY) as f64 / 12.;
        let rush = (7. ..9.5).contains(&hour) || (16. ..19.).contains(&hour);
        if !draws.chance(detectors as f64 / if rush { 300. } else { 1500. }) {
            continue;
        }
        let (place, lasts) = (draws.uniform() * detectors as f64, 24 + draws.below(48));
        let (depth, width) = (20. + 25. * draws.uniform(), 1.5 + draws.uniform());
        let rows = speeds.chunks_mut(detectors).skip(start).take(lasts).enumerate();
        for (age, row) in rows {
            let strength = depth * (std::f64::consts::PI * age as f64 / lasts as f64).sin();
            for (k, speed) in row.iter_mut().enumerate() {
                let apart = (k as f64 - place + 0.5 * age as f64).rem_euclid(detectors as f64);
                let apart = apart.min(detectors as f64 - apart) / width;
                *speed -= strength * (-apart * apart).exp();
            }
        }
    }
    let measured = speeds.iter().map(|speed| (speed.max(5.) + draws.normal()) as f32);
    let matters = |i: usize| match (i / detectors + detectors - i % detectors) % detectors {
        1 => 1f32,
        2 => 0.5,
        _ => 0.,
    };
    let adjacency = Tensor::from_iter((0..detectors * detectors).map(matters), &Device::Cpu)?;
    Ok((
        Tensor::from_iter(measured, &Device::Cpu)?.reshape((times, detectors))?,
        adjacency.reshape((detectors, detectors))?,
    ))
}

/// All windows in these times: features `[windows, 12, detectors]`, targets `[windows, 3, detectors]`.
fn windows(speeds: &Tensor, from: usize, to: usize) -> Result<TensorDataset> {
    let count = (to - from + 1).saturating_sub(SEEN + AHEAD);
    let cut = |first: usize, length: usize| {
        let parts = (0..count).map(|i| speeds.narrow(0, first + i, length));
        Tensor::stack(&parts.collect::<CandleResult<Vec<_>>>()?, 0)
    };
    Ok(TensorDataset::new(&cut(from, SEEN)?, &cut(from + SEEN, AHEAD)?)?)
}

/// The cell, and a linear layer from its last state to the next three values at each detector.
struct Net {
    cell: TgcnCell,
    head: Linear,
    road: Graph,
    recipe: Recipe,
}

impl Net {
    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let mut state = None;
        for time in 0..SEEN {
            let now = x.narrow(1, time, 1)?.squeeze(1)?.unsqueeze(2)?;
            state = Some(self.cell.forward(&self.road, &now, state.as_ref())?);
        }
        let state = state.map_or_else(|| x.zeros_like(), Ok)?;
        let y = self.head.forward(&state)?.transpose(1, 2)?;
        match self.recipe {
            Recipe::Change => y.broadcast_add(&last(x)?),
            Recipe::Paper => Ok(y),
        }
    }
}

/// The last values that are seen.
fn last(x: &Tensor) -> CandleResult<Tensor> {
    x.narrow(1, SEEN - 1, 1)
}

/// Root mean squared error and mean absolute error.
fn errors(forecast: &Tensor, truth: &Tensor, unit: f64) -> Result<(f64, f64)> {
    let off = (forecast
        .to_dtype(DType::F64)?
        .broadcast_sub(&truth.to_dtype(DType::F64)?)?
        * unit)?;
    let mean = |x: Tensor| x.mean_all()?.to_scalar::<f64>();
    Ok((mean(off.sqr()?)?.sqrt(), mean(off.abs()?)?))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let smoke = flags.common.smoke;
    let epochs = flags.epochs.unwrap_or(if smoke { 10 } else { 30 });
    in_range("--epochs", epochs, 1..=MOST)?;
    let chart = in_folder(flags.out.as_deref(), "traffic.png")?;
    let (speeds, adjacency) = load(flags)?;
    let road = Graph::from_adjacency(&adjacency)?;
    let (times, detectors) = speeds.dims2()?;
    // The last fifth is the test, the last tenth of the rest for validation.
    let (validation_from, test_from) = (times * 18 / 25, times * 4 / 5);
    if test_from - validation_from < SEEN + AHEAD {
        return Err(Failure::new(format!(
            "{times} times are too few to train, validate and test with"
        )));
    }
    let known = speeds.narrow(0, 0, validation_from)?;
    let most = known.flatten_all()?.max(0)?.to_scalar::<f32>()?.into();
    let speeds = (speeds / most)?;
    let train = windows(&speeds, 0, validation_from)?;
    let validation = windows(&speeds, validation_from, test_from)?;
    let test = windows(&speeds, test_from, times)?;
    let windows = [&train, &validation, &test].map(Dataset::len);
    say(format_args!(
        "{detectors} detectors, {times} times; windows to train, validate and test: {windows:?}"
    ));

    let store = ParamStore::new(DType::F32, &device).seeded(flags.common.seed);
    let hidden = flags.hidden.unwrap_or(if smoke { 32 } else { 64 });
    let cell = TgcnCellConfig {
        normalize: false,
        ..TgcnCellConfig::new(1, hidden)
    };
    let net = Net {
        cell: TgcnCell::new(&cell, store.builder().pp("tgcn"))?,
        head: Linear::new(&LinearConfig::new(hidden, AHEAD), store.builder().pp("head"))?,
        road: TgcnCell::normalized(&road, &Tensor::zeros(1, DType::F32, &device)?)?,
        recipe: flags.recipe,
    };
    let adam = AdamConfig {
        lr: flags.lr.unwrap_or(match flags.dataset {
            _ if smoke => 0.01,
            Source::Generated => 0.005,
            Source::LosLoop => 0.001,
        }),
        ..AdamConfig::default()
    };
    let adam = Box::new(Adam::new(&adam, &store)?);
    let loss = |y: &Tensor, target: &Tensor| match flags.recipe {
        Recipe::Change => l1(y, target, Reduction::Mean),
        Recipe::Paper => mse(y, target, Reduction::Mean),
    };
    let objective = |x: &Tensor, target: &Tensor| match flags.recipe {
        Recipe::Change => loss(&net.forward(x)?, target),
        Recipe::Paper => {
            (mse(&net.forward(x)?, target, Reduction::Sum)? * 0.5)? + l2_penalty(&store, "*", 7.5e-4)?
        }
    };
    let stop = EarlyStopping::new(&EarlyStoppingConfig::new(PATIENCE), &store);
    let mut trainer = Trainer::new(|x: &Tensor| net.forward(x), &store, adam, loss)
        .with_training_loss(objective)
        .with_callback(stop)
        .with_callback(|epoch: &EpochRecord| {
            let tail = epoch.validation.as_ref().map_or(f64::NAN, |scores| scores.loss);
            say(format_args!(
                "epoch {}: loss {:.5}, on the validation tail {tail:.5}",
                epoch.epoch, epoch.train_loss
            ));
            Ok(ControlFlow::Continue(()))
        });
    let files = flags.saving.run::<Flags>(&[])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(flags.common.seed),
        progress: Progress::Notices,
        validation: Validation::Set(&validation),
        ..FitConfig::new(epochs, BATCH)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;

    let forecast = trainer.predict(test.features(), BATCH)?.to_device(&Device::Cpu)?;
    let (rmse, mae) = errors(&forecast, test.targets(), most)?;
    let (persistence_rmse, persistence_mae) = errors(&last(test.features())?, test.targets(), most)?;
    files.report("Traffic, an hour ahead", (&cfg, &history), |page| {
        Ok(page.with_score("rmse", rmse).with_score("mae", mae))
    })?;
    if let Some(path) = &chart {
        draw(path, &forecast, test.targets(), most)?;
        say(format_args!("wrote {}", path.display()));
    }
    if smoke {
        expect_below("the RMSE, against persistence's,", rmse, persistence_rmse)?;
        expect_below("the MAE, against persistence's,", mae, persistence_mae)?;
    }
    figure("rmse", rmse);
    figure("mae", mae);
    figure("persistence rmse", persistence_rmse);
    figure("persistence mae", persistence_mae);
    Ok(())
}

/// The last day at the detector where the speed varies most: what was measured, and what had been forecast 15 minutes before.
fn draw(path: &Path, forecast: &Tensor, truth: &Tensor, unit: f64) -> Result<()> {
    let length = truth.dim(0)?.min(A_DAY);
    let day = |x: &Tensor| x.i((x.dim(0)? - length.., AHEAD - 1))?.to_dtype(DType::F64)? * unit;
    let (forecast, truth) = (day(forecast)?, day(truth)?);
    let detector = truth.var(0)?.argmax(0)?.to_scalar::<u32>()? as usize;
    let curve = |name: &str, x: &Tensor| {
        let values = x.i((.., detector))?.to_vec1::<f64>()?;
        let hour = |(time, speed): (usize, f64)| (time as f64 * 24. / A_DAY as f64, speed);
        Ok::<_, Failure>(Curve::new(name, values.into_iter().enumerate().map(hour)))
    };
    let title = format!("The last day at detector {detector}");
    let forecast = curve("forecast 15 minutes before", &forecast)?;
    let lines = [forecast, curve("measured", &truth)?];
    Ok(plot::curves(title, ("hour", "speed, miles an hour"), &lines)?.save(path)?)
}
