//! A vision transformer reads handwritten digits, sixteen patches of 2×2 pixels each.

use clap::Parser;
use sconce::candle_core::DType;
use sconce::core::{ParamStore, manual_seed, parse_device};
use sconce::data::Dataset;
use sconce::losses::{CrossEntropyConfig, Reduction, cross_entropy_with};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{Accuracy, FitConfig, Trainer, Validation};
use sconce::transformer::models::{VitConfig, VitForImageClassification};
use sconce_examples::{
    Common, Failure, MOST, MOST_LAYERS, Result, Saving, digits, expect_at_least, figure, in_folder, in_range,
    say, seed_for, warm_up_then_cosine, whole,
};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a vision transformer on 1 797 handwritten digits of 8×8 pixels, which are part of the program.
///
/// It sees a digit as a sequence of patches, with nothing told about which are neighbours: positions are learnt. The last
/// lines are its figures: the loss and the accuracy on digits that it wasn't trained on.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the training set [default: 40; smoke: 12]
    #[arg(long)]
    epochs: Option<usize>,
    /// Images in a batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate at its highest: it rises over the first tenth of the run and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.001, allow_negative_numbers = true)]
    lr: f64,
    /// Side of a patch in pixels
    #[arg(long, default_value_t = 2)]
    patch: usize,
    /// Width of the model
    #[arg(long, default_value_t = 48)]
    hidden: usize,
    /// Layers of the encoder
    #[arg(long, default_value_t = 3)]
    layers: usize,
    /// Heads of the attention, which divide the width
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Write pictures into this folder: predictions.png, a sheet of test digits
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const CLASSES: usize = 10;
const SIDE: usize = 8;
const WHITE: f64 = 16.;
const DROPOUT: f64 = 0.1;
const LABEL_SMOOTHING: f64 = 0.1;
const VALIDATION_PART: f64 = 0.1;
const EVALUATION_BATCH: usize = 64;
const EPOCHS: usize = 40;
const SMOKE_EPOCHS: usize = 12;
const SMOKE_ACCURACY: f64 = 0.85;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let sheet = in_folder(flags.out.as_deref(), "predictions.png")?;
    for (flag, value, range) in [
        ("--epochs", flags.epochs.unwrap_or(1), 1..=MOST),
        ("--batch-size", flags.batch_size, 1..=MOST),
        ("--layers", flags.layers, 0..=MOST_LAYERS),
        ("--patch", flags.patch, 1..=SIDE),
    ] {
        in_range(flag, value, range)?;
    }
    if !SIDE.is_multiple_of(flags.patch) {
        return Err(Failure::new(format!(
            "--patch is {}, expected a divisor of {SIDE}",
            flags.patch
        )));
    }
    // Dropout draws from the process's generator.
    manual_seed(seed_for(flags.common.seed, "dropout"));
    let store = ParamStore::new(DType::F32, &device).seeded(flags.common.seed);
    let cfg = VitConfig {
        hidden_size: flags.hidden,
        num_hidden_layers: flags.layers,
        num_attention_heads: flags.heads,
        intermediate_size: flags.hidden.saturating_mul(2),
        hidden_dropout_prob: DROPOUT,
        image_size: [SIDE, SIDE],
        patch_size: [flags.patch, flags.patch],
        num_channels: 1,
        num_labels: CLASSES,
        ..VitConfig::default()
    };
    let net = VitForImageClassification::new(&cfg, store.builder())?;
    let (train, test) = digits::split(|images| images / WHITE)?;
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let smooth = CrossEntropyConfig {
        label_smoothing: LABEL_SMOOTHING,
        ..CrossEntropyConfig::default()
    };
    let mut trainer = Trainer::new(
        net,
        &store,
        Box::new(Adam::new(&adam, &store)?),
        |logits, labels| cross_entropy_with(logits, labels, &smooth, Reduction::Mean),
    )
    .with_metric(Accuracy::default())
    .with_schedule(warm_up_then_cosine(flags.lr));
    say(format_args!(
        "a transformer of {} parameters over {} patches; {} digits to train with, the last tenth to validate, {} to test",
        store.num_trainable(),
        (SIDE / flags.patch).pow(2),
        train.len(),
        test.len()
    ));
    let epochs = if flags.common.smoke { SMOKE_EPOCHS } else { EPOCHS };
    let files = flags.saving.run::<Flags>(&[])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(flags.common.seed),
        validation: Validation::Last(VALIDATION_PART),
        ..FitConfig::new(flags.epochs.unwrap_or(epochs), flags.batch_size)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;
    let scores = trainer.evaluate(&test, EVALUATION_BATCH)?;
    let accuracy = scores.metric("accuracy").unwrap_or(f64::NAN);
    if !scores.loss.is_finite() {
        return Err(Failure::new(format!(
            "the loss on the test digits is {}",
            scores.loss
        )));
    }
    files.report(
        "A vision transformer reads handwritten digits",
        (&cfg, &history),
        |page| digits::describe(page, &trainer, (&test, &scores), 1.),
    )?;
    if let Some(path) = &sheet {
        digits::draw(&trainer, &test, 1., path)?;
    }
    if flags.common.smoke {
        expect_at_least("the accuracy", accuracy, SMOKE_ACCURACY)?;
    }
    figure("test loss", scores.loss);
    figure("test accuracy", accuracy);
    Ok(())
}
