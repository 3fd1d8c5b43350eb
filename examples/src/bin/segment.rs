//! A U-Net finds which pixels of a picture belong to a circle, a square or a triangle.

use clap::Parser;
use sconce::candle_core::{DType, Device, Tensor};
use sconce::cnn::{UNet, UNetConfig};
use sconce::core::{ParamStore, parse_device};
use sconce::data::{Dataset, TensorDataset};
use sconce::losses::{Reduction, cross_entropy};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{FitConfig, MeanIou, Trainer, Validation};
use sconce_examples::picture::{self, Panel, panels};
use sconce_examples::shapes::{Canvas, Shape, between};
use sconce_examples::{
    Common, Draws, MOST, Result, Saving, expect_at_least, figure, in_folder, in_range, say,
    warm_up_then_cosine, whole,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a U-Net to say of each pixel what it is part of: the background, a circle, a square or a triangle.
///
/// The pictures are generated, so the truth is exact: up to three shapes of random size, place, turn and grey, some covering
/// others, under noise. The last lines are its figures on pictures that it wasn't trained on: the loss, and intersection over union, the mean of
/// the four classes.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the training set [default: 10; smoke: 8]
    #[arg(long)]
    epochs: Option<usize>,
    /// Pictures to train with [default: 1000; smoke: 240]
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
    /// Draw the first test pictures into segment.png in this folder: the picture, the truth, the prediction
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

/// Background, circle, square, triangle.
const CLASSES: usize = 4;
const MOST_SHAPES: usize = 3;
const TEST: usize = 100;
const VALIDATION_PART: f64 = 0.1;
const EVALUATION_BATCH: usize = 20;
/// Between the middles of two shapes, in parts of the sum of their radii.
const LEAST_DISTANCE: f32 = 0.75;
const NOISE: f64 = 0.1;
const DRAWN: usize = 8;
const SMALLEST_SIDE: usize = 16;
const LARGEST_SIDE: usize = 1024;
const SMOKE_IOU: f64 = 0.5;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let (seed, smoke, side) = (flags.common.seed, flags.common.smoke, flags.side);
    let picture = in_folder(flags.out.as_deref(), "segment.png")?;
    let count = flags.pictures.unwrap_or(if smoke { 240 } else { 1000 });
    let epochs = flags.epochs.unwrap_or(if smoke { 8 } else { 10 });
    in_range("--side", side, SMALLEST_SIDE..=LARGEST_SIDE)?;
    in_range("--pictures", count, 2..=MOST)?;
    in_range("--epochs", epochs, 1..=MOST)?;
    let store = ParamStore::new(DType::F32, &device).seeded(seed);
    let cfg = UNetConfig {
        width: flags.width,
        depth: flags.depth,
        ..UNetConfig::new(1, CLASSES)
    };
    let net = UNet::new(&cfg, store.builder())?;
    let train = scenes(count, side, &Draws::new(seed, "training pictures"))?;
    let test = scenes(TEST, side, &Draws::new(seed, "test pictures"))?;
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let loss = |logits: &Tensor, classes: &Tensor| cross_entropy(logits, classes, Reduction::Mean);
    let mut trainer = Trainer::new(net, &store, Box::new(Adam::new(&adam, &store)?), loss)
        .with_metric(MeanIou::default())
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
    let scores = trainer.evaluate(&test, EVALUATION_BATCH)?;
    let iou = scores.metric("iou").unwrap_or(f64::NAN);
    files.report(
        "A U-Net tells shapes from their background",
        (&cfg, &history),
        |page| Ok(page.with_scores("test", &scores)),
    )?;
    if let Some(path) = &picture {
        draw(&trainer, &test, side, path)?;
    }
    if smoke {
        expect_at_least("the intersection over union", iou, SMOKE_IOU)?;
    }
    figure("test loss", scores.loss);
    figure("iou", iou);
    Ok(())
}

/// Pictures `[count, 1, side, side]` with the class of each pixel `[count, side, side]`.
fn scenes(count: usize, side: usize, random: &Draws) -> Result<TensorDataset> {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let canvas = scene(side, random);
        pixels.extend(canvas.pixels);
        classes.extend(canvas.classes);
    }
    let pixels = Tensor::from_vec(pixels, (count, 1, side, side), &Device::Cpu)?;
    let classes = Tensor::from_vec(classes, (count, side, side), &Device::Cpu)?;
    Ok(TensorDataset::new(&pixels, &classes)?)
}

/// One to three shapes, the later over the edges of the earlier.
fn scene(side: usize, random: &Draws) -> Canvas {
    let mut canvas = Canvas::new(side, between(random, 0., 0.3));
    let scale = side as f32;
    let mut placed: Vec<(f32, f32, f32)> = Vec::new();
    for _ in 0..=random.below(MOST_SHAPES) {
        let centre = (
            between(random, 0.2, 0.8) * scale,
            between(random, 0.2, 0.8) * scale,
        );
        let radius = between(random, 0.14, 0.24) * scale;
        // What is hidden can't be told.
        let hides = |&(x, y, other): &(f32, f32, f32)| {
            (x - centre.0).hypot(y - centre.1) < LEAST_DISTANCE * (radius + other)
        };
        if placed.iter().any(hides) {
            continue;
        }
        placed.push((centre.0, centre.1, radius));
        let turn = between(random, 0., 1.);
        let class = 1 + random.below(CLASSES - 1) as u32;
        let regular = |corners: u8| {
            let corner = |i| (turn + f32::from(i) / f32::from(corners), radius);
            Shape::polygon(centre, &(0..corners).map(corner).collect::<Vec<_>>())
        };
        let shape = match class {
            1 => Shape::Circle { centre, radius },
            2 => regular(4),
            _ => regular(3),
        };
        canvas.draw(&shape, class, between(random, 0.5, 1.));
    }
    canvas.add_noise(NOISE, random);
    canvas
}

/// A row each: the picture, the truth, the prediction.
fn draw(trainer: &Trainer<'_>, test: &TensorDataset, side: usize, path: &Path) -> Result<()> {
    let first: Vec<usize> = (0..DRAWN).collect();
    let (pictures, truth) = test.batch(&first)?;
    let predicted = trainer.predict(&pictures, DRAWN)?.argmax(1)?;
    let pictures = pictures.flatten_from(1)?.to_vec2::<f32>()?;
    let truth = truth.flatten_from(1)?.to_vec2::<u32>()?;
    let predicted = predicted.flatten_from(1)?.to_vec2::<u32>()?;
    let rows = pictures.iter().zip(&truth).zip(&predicted);
    let row = |((pixels, truth), predicted): ((&Vec<f32>, &Vec<u32>), &Vec<u32>)| {
        vec![
            Panel::grey(pixels, side),
            Panel::classes(truth, side),
            Panel::classes(predicted, side),
        ]
    };
    let rows: Vec<_> = rows.map(row).collect();
    // Two pictures in a line.
    let lines: Vec<_> = rows.chunks(2).map(<[_]>::concat).collect();
    picture::save(&panels(&lines, 3), path)
}
