//! A generator and a discriminator train against each other until noise becomes digits.

mod judge;

use clap::Parser;
use judge::{Judge, Verdict};
use sconce::candle_core::{DType, Device, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{Generator, ParamStore, manual_seed, no_grad, parse_device};
use sconce::data::Dataset;
use sconce::losses::{BceWithLogitsConfig, Reduction, bce_with_logits};
use sconce::nn::{Activation, Mlp, MlpConfig};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{EpochRecord, FitConfig, Progress, Trainer, Turn};
use sconce_examples::plot::{Line, Look, Table, tables};
use sconce_examples::{
    Album, Common, Keeper, MOST, Result, Saving, digits, expect_at_least, figure, in_folder, in_range, say,
    seed_for, whole,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a generative adversarial network on the embedded digits of 8×8 pixels.
///
/// The generator makes pictures of noise; the discriminator learns to tell them from digits, and the generator to be taken for
/// digits. The two have an optimiser each and take turns. What came of it is judged by a classifier that is trained on the real
/// digits, and on pictures of none: pixels that each come from another digit. The last lines are the figures: the mean losses of
/// the last epoch, the accuracy of the classifier on real digits that it wasn't trained on, the share of the samples that it
/// takes for one of the ten digits with a probability of at least 0.9, and how many of the ten are among these.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the digits [default: 300; smoke: 40]
    #[arg(long)]
    epochs: Option<usize>,
    /// Digits in a batch, and as many samples
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Adam's learning rate, of both
    #[arg(long, default_value_t = 0.002, allow_negative_numbers = true)]
    lr: f64,
    /// Length of the noise that becomes a picture
    #[arg(long, default_value_t = 32)]
    noise: usize,
    /// Draw samples into samples.png in this folder: the same noise as training goes on, and the surest sample of each digit
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const PIXELS: usize = 64;
const SIDE: usize = 8;
const WHITE: f64 = 16.;
const DIGITS: usize = 10;
const MOST_NOISE: usize = 4096;
/// The target of real digits: less than 1 keeps the discriminator from becoming too sure.
const REAL: f64 = 0.9;
const DROPOUT: f64 = 0.3;
/// Adam's usual decay rates in these networks.
const BETAS: (f64, f64) = (0.5, 0.999);
const JUDGED: usize = 1000;
const REPORTS: usize = 6;
const DRAWN: usize = 12;
const SMOKE_RECOGNISED: f64 = 0.35;
const SMOKE_COVERED: f64 = 8.;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let (seed, smoke) = (flags.common.seed, flags.common.smoke);
    let picture = in_folder(flags.out.as_deref(), "samples.png")?;
    let epochs = flags.epochs.unwrap_or(if smoke { 40 } else { 300 });
    in_range("--noise", flags.noise, 1..=MOST_NOISE)?;
    in_range("--epochs", epochs, 1..=MOST)?;
    // Dropout draws from the default generator.
    manual_seed(seed_for(seed, "dropout"));
    let (generators, discriminators) = (
        ParamStore::new(DType::F32, &device).seeded(seed),
        ParamStore::new(DType::F32, &device).seeded(seed_for(seed, "discriminator")),
    );
    let generator = MlpConfig::new(flags.noise, [128, 256], PIXELS);
    let generator = Mlp::new(&generator, generators.builder())?;
    let discriminator = MlpConfig {
        activation: Activation::LeakyRelu,
        dropout: DROPOUT,
        ..MlpConfig::new(PIXELS, [256, 128], 1)
    };
    let discriminator = Mlp::new(&discriminator, discriminators.builder())?;
    let adam = AdamConfig {
        lr: flags.lr,
        betas: BETAS,
        ..AdamConfig::default()
    };
    let (train, test) = digits::split(|images| (images.flatten_from(1)? / (WHITE / 2.))? - 1.)?;
    let judge = Judge::new(
        &train,
        &test,
        seed,
        &flags.saving.run::<Flags>(&["judge"])?,
        &device,
    )?;

    let random = Generator::new(seed_for(seed, "noise"));
    let noise = |count| noise(&random, count, flags.noise, &device);
    // Between -1 and 1, as the digits are.
    let generate = |noise: &Tensor| generator.forward_t(noise, true)?.tanh();
    let found = |pictures: &Tensor, target: f64| {
        let logits = discriminator.forward_t(pictures, true)?;
        let target = (logits.ones_like()? * target)?;
        bce_with_logits(&logits, &target, &BceWithLogitsConfig::default(), Reduction::Mean)
    };
    // The generator wants its samples to be taken for digits: -ln D(G(z)), whose gradient doesn't vanish when they aren't.
    let deceive = |pictures: &Tensor, _: &Tensor| found(pictures, 1.);
    let tell = |real: &Tensor, _: &Tensor| {
        let samples = no_grad(|| generate(&noise(real.dim(0)?)?))?;
        found(real, REAL)? + found(&samples, 0.)?
    };
    let (g, d) = (Adam::new(&adam, &generators)?, Adam::new(&adam, &discriminators)?);
    let fixed = noise(JUDGED)?;
    let untrained = no_grad(|| generate(&fixed))?;
    let mut lines = vec![first("Before training".into(), &untrained)?];
    let (real, _) = test.batch(&(0..test.len()).collect::<Vec<_>>())?;
    say(format_args!(
        "{} digits; recognised before training {:.3}, of real digits {:.3}",
        train.len(),
        judge.judge(&untrained)?.recognised(),
        judge.judge(&real.to_device(&device)?)?.recognised()
    ));
    let report = |record: &EpochRecord| {
        if record.epoch.is_multiple_of(epochs.div_ceil(REPORTS)) || record.epoch == epochs {
            let samples = no_grad(|| generate(&fixed))?;
            let verdict = judge.judge(&samples)?;
            say(format_args!(
                "epoch {}/{epochs}: generator's loss {:.3}, discriminator's {:.3}; recognised {:.3}, digits {}",
                record.epoch,
                record.train_loss,
                discriminator_loss(record),
                verdict.recognised(),
                verdict.covered()
            ));
            return Ok(Some(samples));
        }
        Ok(None)
    };
    let album = Album::default();
    let mut trainer = Trainer::new(generate, &generators, Box::new(g), deceive)
        .with_training_loss(|real, labels| deceive(&generate(&noise(real.dim(0)?)?)?, labels))
        .with_turn(Turn::new("discriminator", &discriminators, Box::new(d), tell))
        .with_generator("noise", &random)
        .with_callback(Keeper::new(&album, report));
    let files = flags.saving.run::<Flags>(&["gan"])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(seed),
        progress: Progress::Notices,
        ..FitConfig::new(epochs, flags.batch_size)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;
    let samples = trainer.predict(&fixed, JUDGED)?;
    drop(trainer);

    let verdict = judge.judge(&samples)?;
    files.report("Digits made of noise", (&cfg, &history), |page| {
        Ok(page
            .with_score("recognised", verdict.recognised())
            .with_score("digits covered", verdict.covered() as f64))
    })?;
    if let Some(path) = &picture {
        for (epoch, samples) in album.into_inner() {
            let share = judge.judge(&samples)?.recognised();
            let title = format!("After epoch {epoch}, {share:.2} recognised");
            lines.push(first(title, &samples)?);
        }
        draw(&verdict, &samples, &train, lines, path)?;
    }
    if smoke {
        expect_at_least("the share recognised", verdict.recognised(), SMOKE_RECOGNISED)?;
        expect_at_least(
            "the number of digits covered",
            verdict.covered() as f64,
            SMOKE_COVERED,
        )?;
    }
    if let Some(last) = history.epochs.last() {
        figure("generator loss", last.train_loss);
        figure("discriminator loss", discriminator_loss(last));
    }
    figure("classifier accuracy", judge.accuracy);
    figure("recognised", verdict.recognised());
    figure("digits covered", verdict.covered() as f64);
    Ok(())
}

fn discriminator_loss(record: &EpochRecord) -> f64 {
    record.turns.first().map_or(f64::NAN, |turn| turn.1)
}

fn noise(random: &Generator, count: usize, length: usize, device: &Device) -> CandleResult<Tensor> {
    let mut values = vec![0.; count * length];
    random.fill_normal(&mut values, 0., 1.);
    Tensor::from_vec(values, (count, length), device)?.to_dtype(DType::F32)
}

/// Pictures side by side, each with what stands above it.
fn line(title: String, pictures: &[(String, Tensor)]) -> CandleResult<Line> {
    let table = |(title, picture): &(String, Tensor)| {
        Ok(Table {
            title: title.clone(),
            values: ((picture + 1.)? / 2.)?.to_vec1()?,
            columns: SIDE,
            ..Table::default()
        })
    };
    Ok(Line {
        title,
        tables: pictures.iter().map(table).collect::<CandleResult<_>>()?,
        cell: 6,
        look: Look::Grey,
    })
}

/// The first of some pictures.
fn first(title: String, pictures: &Tensor) -> CandleResult<Line> {
    let picture = |i| Ok((String::new(), pictures.get(i)?));
    line(title, &(0..DRAWN).map(picture).collect::<CandleResult<Vec<_>>>()?)
}

/// Adds the surest samples and real digits to the lines, and draws them.
fn draw(
    verdict: &Verdict,
    samples: &Tensor,
    real: &dyn Dataset,
    mut lines: Vec<Line>,
    path: &Path,
) -> Result<()> {
    let surest = (0..DIGITS).filter_map(|digit| Some((digit, verdict.surest(digit)?.0)));
    let surest = surest.map(|(digit, i)| Ok((digit.to_string(), samples.get(i)?)));
    let title = format!("Of {JUDGED} samples, the one that is most surely taken for each digit");
    lines.push(line(title, &surest.collect::<CandleResult<Vec<_>>>()?)?);
    let (real, _) = real.batch(&(0..DRAWN).collect::<Vec<_>>())?;
    lines.push(first("Real digits".into(), &real)?);
    tables(path, &lines, 1)?;
    say(format_args!("wrote {}", path.display()));
    Ok(())
}
