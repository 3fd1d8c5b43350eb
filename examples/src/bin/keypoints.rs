//! A U-Net finds the corners of a kite by heat maps: pose estimation in small.

use clap::Parser;
use sconce::candle_core::{DType, Device, Tensor};
use sconce::cnn::{UNet, UNetConfig};
use sconce::core::{ParamStore, parse_device};
use sconce::data::{Dataset, TensorDataset};
use sconce::losses::{Reduction, mse};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{FitConfig, Trainer, Validation};
use sconce_examples::picture::{self, Panel, panels};
use sconce_examples::shapes::{Canvas, Point, Shape, between};
use sconce_examples::{
    Common, Draws, Failure, MOST, Result, Saving, expect_at_least, figure, in_folder, in_range, say,
    warm_up_then_cosine, whole,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a U-Net to find the four corners of a kite and to tell which is which, as one finds the joints of a person.
///
/// The pictures are generated: a kite of random size, place, turn and grey under noise, and a circle that is none of its
/// business. For each corner (the tip, the right one, the tail, the left one) the network draws a heat map, whose hottest pixel
/// is its answer. The last lines are its figures on pictures that it wasn't trained on: the mean distance from the true corner
/// in pixels, and the part of the corners that it finds within two pixels.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the training set [default: 12; smoke: 6]
    #[arg(long)]
    epochs: Option<usize>,
    /// Pictures to train with [default: 1500; smoke: 240]
    #[arg(long)]
    pictures: Option<usize>,
    /// Pixels in a picture's side
    #[arg(long, default_value_t = 48)]
    side: usize,
    /// Channels of the network at the pictures' own size
    #[arg(long, default_value_t = 12)]
    width: usize,
    /// How often the network halves the side
    #[arg(long, default_value_t = 3)]
    depth: usize,
    /// Pictures in a batch
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Adam's learning rate at its highest: it rises over the first tenth of the run and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.005, allow_negative_numbers = true)]
    lr: f64,
    /// Draw the first test pictures into keypoints.png in this folder: the true corners, the corners found, the heat
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

/// The kite's corners: each one's angle from the tip, in turns, and its distance from the middle, in parts of the kite's size.
const KITE: [(f32, f32); 4] = [(0., 0.7), (0.25, 0.55), (0.5, 1.3), (0.75, 0.55)];
/// How far a corner's heat spreads, in pixels, and the heat at the corner itself.
const SPREAD: f32 = 1.5;
const HOTTEST: f32 = 10.;
const NEAR: f32 = 2.;
const TEST: usize = 100;
const VALIDATION_PART: f64 = 0.1;
const EVALUATION_BATCH: usize = 20;
const NOISE: f64 = 0.08;
const DRAWN: usize = 8;
const SMALLEST_SIDE: usize = 24;
const LARGEST_SIDE: usize = 1024;
const SMOKE_FOUND: f64 = 0.5;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let (seed, smoke, side) = (flags.common.seed, flags.common.smoke, flags.side);
    let picture = in_folder(flags.out.as_deref(), "keypoints.png")?;
    let count = flags.pictures.unwrap_or(if smoke { 240 } else { 1500 });
    let epochs = flags.epochs.unwrap_or(if smoke { 6 } else { 12 });
    in_range("--side", side, SMALLEST_SIDE..=LARGEST_SIDE)?;
    in_range("--pictures", count, 2..=MOST)?;
    in_range("--epochs", epochs, 1..=MOST)?;
    let store = ParamStore::new(DType::F32, &device).seeded(seed);
    let cfg = UNetConfig {
        width: flags.width,
        depth: flags.depth,
        ..UNetConfig::new(1, KITE.len())
    };
    let net = UNet::new(&cfg, store.builder())?;
    let (train, _) = scenes(count, side, &Draws::new(seed, "training pictures"))?;
    let (test, corners) = scenes(TEST, side, &Draws::new(seed, "test pictures"))?;
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let loss = |heat: &Tensor, truth: &Tensor| mse(heat, truth, Reduction::Mean);
    let mut trainer = Trainer::new(net, &store, Box::new(Adam::new(&adam, &store)?), loss)
        .with_schedule(warm_up_then_cosine(flags.lr));
    say(format_args!(
        "a U-Net of {} parameters; {count} pictures of {side}×{side} to train with, the last tenth to validate, {TEST} to test",
        store.num_trainable()
    ));
    let files = flags
        .saving
        .run::<Flags>(&[])?
        .with_setting("pictures", count.to_string());
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(seed),
        validation: Validation::Last(VALIDATION_PART),
        ..FitConfig::new(epochs, flags.batch_size)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;

    let heat = trainer.predict(test.features(), EVALUATION_BATCH)?;
    if !heat.sqr()?.mean_all()?.to_scalar::<f32>()?.is_finite() {
        return Err(Failure::new(
            "the network's heat isn't finite: a lower --lr may help",
        ));
    }
    let found = hottest(&heat, side)?;
    let distances: Vec<f32> = found
        .iter()
        .zip(&corners)
        .map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1))
        .collect();
    let count = distances.len() as f64;
    let error = distances.iter().map(|&d| f64::from(d)).sum::<f64>() / count;
    let near = distances.iter().filter(|&&distance| distance <= NEAR).count() as f64 / count;
    files.report("A U-Net finds the corners of kites", (&cfg, &history), |page| {
        Ok(page
            .with_score("mean distance", error)
            .with_score("found within 2 pixels", near))
    })?;
    if let Some(path) = &picture {
        draw(&test, &heat, [&corners, &found], side, path)?;
    }
    if smoke {
        expect_at_least(
            "the part of the corners found within two pixels",
            near,
            SMOKE_FOUND,
        )?;
    }
    figure("mean distance", error);
    figure("found within 2 pixels", near);
    Ok(())
}

/// Pictures `[count, 1, side, side]` with the heat of each corner `[count, 4, side, side]`, and the corners themselves, four a
/// picture.
fn scenes(count: usize, side: usize, random: &Draws) -> Result<(TensorDataset, Vec<Point>)> {
    let (mut pixels, mut heat, mut corners) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let (canvas, kite) = scene(side, random);
        pixels.extend(canvas.pixels);
        for corner in kite.corners() {
            let at =
                |i: usize| ((i % side) as f32 + 0.5 - corner.0).hypot((i / side) as f32 + 0.5 - corner.1);
            heat.extend((0..side * side).map(|i| HOTTEST * (-0.5 * (at(i) / SPREAD).powi(2)).exp()));
        }
        corners.extend_from_slice(kite.corners());
    }
    let pixels = Tensor::from_vec(pixels, (count, 1, side, side), &Device::Cpu)?;
    let heat = Tensor::from_vec(heat, (count, KITE.len(), side, side), &Device::Cpu)?;
    Ok((TensorDataset::new(&pixels, &heat)?, corners))
}

/// A kite over a circle.
fn scene(side: usize, random: &Draws) -> (Canvas, Shape) {
    let scale = side as f32;
    let mut canvas = Canvas::new(side, between(random, 0., 0.3));
    let circle = Shape::Circle {
        centre: (between(random, 0., scale), between(random, 0., scale)),
        radius: between(random, 0.08, 0.16) * scale,
    };
    canvas.draw(&circle, 1, between(random, 0.4, 1.));
    let centre = (
        between(random, 0.35, 0.65) * scale,
        between(random, 0.35, 0.65) * scale,
    );
    let (turn, size) = (between(random, 0., 1.), between(random, 0.16, 0.25) * scale);
    let corners = KITE.map(|(angle, distance)| (turn + angle, size * distance));
    let kite = Shape::polygon(centre, &corners);
    canvas.draw(&kite, 2, between(random, 0.5, 1.));
    canvas.add_noise(NOISE, random);
    (canvas, kite)
}

/// The middle of the hottest pixel of each map of `[pictures, 4, side, side]`.
fn hottest(heat: &Tensor, side: usize) -> Result<Vec<Point>> {
    let places = heat.flatten_from(2)?.flatten_to(1)?.argmax(1)?.to_vec1::<u32>()?;
    let point = |&place: &u32| {
        let (x, y) = (place as usize % side, place as usize / side);
        (x as f32 + 0.5, y as f32 + 0.5)
    };
    Ok(places.iter().map(point).collect())
}

/// For each picture: itself with the true corners, with the corners found, and all heat.
fn draw(test: &TensorDataset, heat: &Tensor, corners: [&[Point]; 2], side: usize, path: &Path) -> Result<()> {
    let first: Vec<usize> = (0..DRAWN).collect();
    let pictures = test.batch(&first)?.0.flatten_from(1)?.to_vec2::<f32>()?;
    let heat = (heat.narrow(0, 0, DRAWN)?.max(1)?.flatten_from(1)? / f64::from(HOTTEST))?.to_vec2::<f32>()?;
    let rows = pictures.iter().zip(&heat).enumerate().map(|(i, (pixels, heat))| {
        let mut row: Vec<Panel> = corners
            .iter()
            .map(|points| {
                let mut panel = Panel::grey(pixels, side);
                let own = points.iter().skip(i * KITE.len()).take(KITE.len());
                for (class, &point) in (1..).zip(own) {
                    panel.mark(point, class);
                }
                panel
            })
            .collect();
        row.push(Panel::grey(heat, side));
        row
    });
    let rows: Vec<_> = rows.collect();
    let lines: Vec<_> = rows.chunks(2).map(<[_]>::concat).collect();
    picture::save(&panels(&lines, 3), path)
}
