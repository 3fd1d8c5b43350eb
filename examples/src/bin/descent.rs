//! Rules of descent on three surfaces, and three sizes of batch on a line through points.

use clap::Parser;
use sconce::candle_core::{DType, Device, Result as CandleResult, Tensor};
use sconce::core::{Generator, Init, ParamStore, Parameters, backward, param, parse_device};
use sconce::data::TensorDataset;
use sconce::optim::schedule::{
    CosineAnnealingLr, CosineAnnealingWarmRestarts, CyclicLr, CyclicMode, ExponentialLr, LinearLr,
    MultiStepLr, NoamLr, OneCycleLr, PolynomialLr, Schedule, SequentialLr, StepLr, WarmUpCosine, rates,
};
use sconce::optim::{
    Adagrad, AdagradConfig, Adam, AdamConfig, Optimize, RmsProp, RmsPropConfig, Sgd, SgdConfig,
};
use sconce::train::plot::Curve;
use sconce::train::{FitConfig, Progress, Trainer, Validation};
use sconce_examples::plot::{Panel, Surface, panels, surfaces};
use sconce_examples::{Common, Result, Saving, expect_below, figure, in_folder, say, whole};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Follows five rules of descent over a plateau, past a saddle and into a double well, and prints where each ends; then fits
/// a line with all points, one point and 32 points a step.
///
/// The last lines are its figures: what each rule reached on each surface, and the loss that each size of batch reached.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Steps of each rule on each surface
    #[arg(long, default_value_t = 300)]
    steps: usize,
    /// Multiplies every rule's learning rate
    #[arg(long, default_value_t = 1., allow_negative_numbers = true)]
    lr_scale: f64,
    /// How often each size of batch sees all points
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Draw the paths over the contours of the surfaces, and what schedules do to a learning rate: descent.png and
    /// schedules.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// A function of x and y to go down on.
struct Terrain {
    name: &'static str,
    value: fn(&Tensor, &Tensor) -> CandleResult<Tensor>,
    /// What there is to see.
    about: &'static str,
    start: [f64; 2],
    x: (f64, f64),
    y: (f64, f64),
}

const TERRAINS: [Terrain; 3] = [
    Terrain {
        name: "plateau",
        value: plateau,
        about: "1 − exp(−(x² + y²)/2): nearly flat where the path starts; the lowest value is 0",
        start: [2.6, 2.2],
        x: (-3., 3.),
        y: (-3., 3.),
    },
    Terrain {
        name: "saddle",
        value: saddle,
        about: "x² − y² + y⁴/4: the way leads to the saddle at (0, 0), and then aside; the lowest value is −1",
        start: [1.6, 0.001],
        x: (-2., 2.),
        y: (-2.2, 2.2),
    },
    Terrain {
        name: "double well",
        value: double_well,
        about: "(x² − 1)² + 0.3·x + y²/2: the nearer well isn't the deeper one; the lowest value is −0.3054",
        start: [1.9, 1.2],
        x: (-2.1, 2.1),
        y: (-1.8, 1.8),
    },
];

fn plateau(x: &Tensor, y: &Tensor) -> CandleResult<Tensor> {
    1. - (((x.sqr()? + y.sqr()?)? * -0.5)?.exp())?
}

fn saddle(x: &Tensor, y: &Tensor) -> CandleResult<Tensor> {
    let square = y.sqr()?;
    (x.sqr()? - &square)? + (square.sqr()? * 0.25)?
}

fn double_well(x: &Tensor, y: &Tensor) -> CandleResult<Tensor> {
    let wells = (x.sqr()? - 1.)?.sqr()?;
    (wells + (x * 0.3)?)? + (y.sqr()? * 0.5)?
}

type Make = fn(f64, &dyn Parameters) -> sconce::core::Result<Box<dyn Optimize>>;

/// Each rule with the learning rate that it gets along with on all three.
const RULES: [(&str, f64, Make); 5] = [
    ("gradient descent", 0.05, |lr, store| {
        let cfg = SgdConfig {
            lr,
            ..SgdConfig::default()
        };
        Ok(Box::new(Sgd::new(&cfg, store)?))
    }),
    ("momentum", 0.01, |lr, store| {
        let cfg = SgdConfig {
            lr,
            momentum: 0.9,
            ..SgdConfig::default()
        };
        Ok(Box::new(Sgd::new(&cfg, store)?))
    }),
    ("adagrad", 0.4, |lr, store| {
        let cfg = AdagradConfig {
            lr,
            ..AdagradConfig::default()
        };
        Ok(Box::new(Adagrad::new(&cfg, store)?))
    }),
    ("rmsprop", 0.03, |lr, store| {
        let cfg = RmsPropConfig {
            lr,
            ..RmsPropConfig::default()
        };
        Ok(Box::new(RmsProp::new(&cfg, store)?))
    }),
    ("adam", 0.1, |lr, store| {
        let cfg = AdamConfig {
            lr,
            ..AdamConfig::default()
        };
        Ok(Box::new(Adam::new(&cfg, store)?))
    }),
];

/// Learning rates of a run of a hundred steps; the optimiser's is 1.
fn schedules() -> Result<Vec<(&'static str, Vec<f64>)>> {
    const STEPS: u64 = 100;
    let of = |schedule: &dyn Schedule| rates(schedule, 1., STEPS + 1);
    let warm_up = LinearLr {
        start_factor: 0.1,
        total_iters: 20,
        ..LinearLr::default()
    };
    Ok(vec![
        (
            "StepLr",
            of(&StepLr {
                gamma: 0.5,
                ..StepLr::new(25)
            })?,
        ),
        ("MultiStepLr", of(&MultiStepLr::new([50, 80]))?),
        ("ExponentialLr", of(&ExponentialLr::new(0.96))?),
        (
            "PolynomialLr",
            of(&PolynomialLr {
                total_iters: STEPS,
                power: 2.,
            })?,
        ),
        ("CosineAnnealingLr", of(&CosineAnnealingLr::new(STEPS))?),
        (
            "CosineAnnealingWarmRestarts",
            of(&CosineAnnealingWarmRestarts {
                t_mult: 2,
                ..CosineAnnealingWarmRestarts::new(15)
            })?,
        ),
        (
            "CyclicLr, triangular2",
            of(&CyclicLr {
                step_size_up: 12,
                mode: CyclicMode::Triangular2,
                ..CyclicLr::new(0.1, 1.)
            })?,
        ),
        ("OneCycleLr", of(&OneCycleLr::new(1., STEPS + 1))?),
        (
            "NoamLr, width 1",
            of(&NoamLr {
                d_model: 1,
                warmup_steps: 20,
            })?,
        ),
        (
            "LinearLr",
            of(&LinearLr {
                start_factor: 1.,
                end_factor: 0.,
                total_iters: STEPS,
            })?,
        ),
        (
            "LinearLr, then CosineAnnealingLr",
            of(&SequentialLr::new(
                20,
                warm_up,
                CosineAnnealingLr::new(STEPS - 20),
            ))?,
        ),
        ("WarmUpCosine", of(&WarmUpCosine::new(STEPS))?),
    ])
}

/// What adam must reach on the plateau in a smoke run.
const SMOKE_VALUE: f64 = 0.01;
/// Cells of a surface's picture, each way.
const GRID: usize = 120;

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let picture = in_folder(flags.out.as_deref(), "descent.png")?;
    let mut figures = Vec::new();
    let mut drawn = Vec::new();
    for terrain in &TERRAINS {
        say(format_args!("{}: {}", terrain.name, terrain.about));
        let mut paths = Vec::new();
        for (name, lr, make) in RULES {
            let (path, value) = descend(terrain, make, lr * flags.lr_scale, flags.steps, &device)?;
            let end = path.last().copied().unwrap_or_default();
            say(format_args!(
                "  {name:<17} ends at ({:>8.4}, {:>8.4}), {value:>9.6}",
                end.0, end.1
            ));
            figures.push((format!("{} {name}", terrain.name), value));
            paths.push(Curve::new(name, path));
        }
        drawn.push(paths);
    }
    if let Some(file) = &picture {
        let grids = TERRAINS
            .iter()
            .map(|terrain| grid(terrain, &device))
            .collect::<Result<Vec<_>>>()?;
        let panels = TERRAINS
            .iter()
            .zip(&grids)
            .zip(&drawn)
            .map(|((terrain, values), paths)| Surface {
                title: terrain.name,
                x: terrain.x,
                y: terrain.y,
                values,
                columns: GRID,
                paths,
            });
        surfaces(file, &panels.collect::<Vec<_>>())?;
        say(format_args!("wrote {}", file.display()));
    }
    if let Some(file) = &in_folder(flags.out.as_deref(), "schedules.png")? {
        let panel = |(title, rates): (&str, Vec<f64>)| Panel {
            title: title.into(),
            x: "step".into(),
            curves: vec![Curve::new("learning rate", (0u32..).map(f64::from).zip(rates))],
        };
        let charts: Vec<_> = schedules()?.into_iter().map(panel).collect();
        panels(file, &charts, 4)?;
        say(format_args!("wrote {}", file.display()));
    }
    say(
        "a line through 256 points, y = 2·a − 3·b + noise of 0.1, so the least loss is 0.01; with all points a step, one, and 32:",
    );
    for (name, batch_size) in [("batch", 256), ("stochastic", 1), ("mini-batch", 32)] {
        let loss = line(batch_size, flags, &device)?;
        figures.push((format!("{name} loss"), loss));
    }
    let adam = figures
        .iter()
        .find(|(name, _)| name == "plateau adam")
        .map_or(f64::NAN, |(_, value)| *value);
    if flags.common.smoke {
        expect_below("adam on the plateau", adam, SMOKE_VALUE)?;
    }
    for (name, value) in figures {
        figure(&name, value);
    }
    Ok(())
}

/// The points that a rule comes by from the start, and the value at the last.
fn descend(
    terrain: &Terrain,
    make: Make,
    lr: f64,
    steps: usize,
    device: &Device,
) -> Result<(Vec<(f64, f64)>, f64)> {
    let store = ParamStore::new(DType::F64, device);
    let [x, y] = terrain.start;
    let (x, y) = (
        param(&store.builder(), 1, "x", &Init::Const(x))?,
        param(&store.builder(), 1, "y", &Init::Const(y))?,
    );
    let mut rule = make(lr, &store)?;
    let place = || -> Result<(f64, f64)> {
        let at = Tensor::cat(&[x.value(), y.value()], 0)?.to_vec1::<f64>()?;
        Ok((
            at.first().copied().unwrap_or(f64::NAN),
            at.last().copied().unwrap_or(f64::NAN),
        ))
    };
    let mut points = vec![place()?];
    for _ in 0..steps {
        let value = (terrain.value)(&x.tensor(), &y.tensor())?.sum_all()?;
        rule.step(&backward(&value, &store)?)?;
        points.push(place()?);
    }
    let end = (terrain.value)(&x.value(), &y.value())?
        .sum_all()?
        .to_scalar::<f64>()?;
    Ok((points, end))
}

/// The surface at the middles of a grid's cells, row by row from the bottom.
fn grid(terrain: &Terrain, device: &Device) -> Result<Vec<f64>> {
    let middles = |(from, to): (f64, f64)| {
        let step = (to - from) / GRID as f64;
        let values: Vec<f64> = (0..GRID).map(|i| from + (i as f64 + 0.5) * step).collect();
        Tensor::from_vec(values, GRID, device)
    };
    let x = middles(terrain.x)?
        .unsqueeze(0)?
        .broadcast_as((GRID, GRID))?
        .contiguous()?;
    let y = middles(terrain.y)?
        .unsqueeze(1)?
        .broadcast_as((GRID, GRID))?
        .contiguous()?;
    Ok((terrain.value)(&x, &y)?.flatten_all()?.to_vec1()?)
}

/// Fits a line; the loss over all points after each epoch is printed, the last is returned.
fn line(batch_size: usize, flags: &Flags, device: &Device) -> Result<f64> {
    const POINTS: usize = 256;
    let draws = Generator::new(flags.common.seed);
    let mut values = vec![0f64; 3 * POINTS];
    draws.fill_normal(&mut values, 0., 1.);
    let noise = Tensor::from_vec(values.split_off(2 * POINTS), (POINTS, 1), &Device::Cpu)?;
    let x = Tensor::from_vec(values, (POINTS, 2), &Device::Cpu)?;
    let slope = Tensor::new(&[[2f64], [-3.]], &Device::Cpu)?;
    let data = TensorDataset::new(&x, &(x.matmul(&slope)? + (noise * 0.1)?)?)?;

    let store = ParamStore::new(DType::F64, device);
    let w = param(&store.builder(), (2, 1), "w", &Init::Const(0.))?;
    let cfg = SgdConfig {
        lr: 0.05 * flags.lr_scale,
        ..SgdConfig::default()
    };
    let loss = |y: &Tensor, target: &Tensor| sconce::losses::mse(y, target, sconce::losses::Reduction::Mean);
    let mut trainer = Trainer::new(
        |x: &Tensor| x.matmul(&w.tensor()),
        &store,
        Box::new(Sgd::new(&cfg, &store)?),
        loss,
    );
    let files = flags.saving.run::<Flags>(&[&format!("batch-{batch_size}")])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(flags.common.seed),
        validation: Validation::Set(&data),
        progress: Progress::Notices,
        ..FitConfig::new(flags.epochs, batch_size)
    };
    let history = whole(trainer.fit(&data, &cfg)?)?;
    let title = format!("Descent with {batch_size} samples a step");
    files.report(&title, (&cfg, &history), Ok)?;
    let validations = history
        .epochs
        .iter()
        .filter_map(|epoch| epoch.validation.as_ref());
    let losses: Vec<f64> = validations.map(|scores| scores.loss).collect();
    let printed: Vec<String> = losses.iter().map(|loss| format!("{loss:.4}")).collect();
    say(format_args!(
        "  {batch_size:>3} a step, {} epochs: {}",
        flags.epochs,
        printed.join(" ")
    ));
    Ok(losses.last().copied().unwrap_or(f64::NAN))
}
