//! What convolution and pooling do to numbers, and what the filters of a trained LeNet see.

mod numbers;

use clap::Parser;
use numbers::{LENGTH, TAPS};
use sconce::candle_core::{DType, Module, Tensor};
use sconce::cnn::{
    ConvOptions, LeNet, LeNetConfig, MaxPool2d, MaxPool2dConfig, Window, conv, output_size, receptive_field,
};
use sconce::core::{ParamStore, Parameters, parse_device};
use sconce::data::transforms::resize_bilinear;
use sconce::data::{Dataset, Subset, TensorDataset};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::Activation;
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{Accuracy, FitConfig, Trainer};
use sconce_examples::plot::{Line, Look, Table, tables};
use sconce_examples::{
    Common, Failure, MOST, Result, Saving, digits, expect_at_least, figure, in_folder, in_range, say,
    warm_up_then_cosine, whole,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shows how a kernel slides over numbers, how they are pooled, and what a LeNet's filters see of a digit.
///
/// It prints the numbers as tables, the sizes that the formula gives, and how many pixels each layer of LeNet-5 sees; then it
/// trains a LeNet-5 on the embedded digits. With --out it draws all of this. The last lines are its figures: the loss and
/// the accuracy on digits that the network wasn't trained on.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the training set [default: 15; smoke: 3]
    #[arg(long)]
    epochs: Option<usize>,
    /// Digits in a batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate at its highest: it rises over the first tenth of the run and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.004, allow_negative_numbers = true)]
    lr: f64,
    /// The digit, 0 to 9, whose feature maps are drawn
    #[arg(long, default_value_t = 3)]
    digit: u32,
    /// Write pictures into this folder: convolution.png, the kernel at four places with stride 1 and 2; pooling.png, maximum
    /// and mean; filters.png, the LeNet's first filters and what both convolutions give for a digit
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const POOL: usize = 2;

const CLASSES: u32 = 10;
const SIDE: usize = 28;
/// Mean and standard deviation of the training images' pixels.
const MEAN: f64 = 4.88;
const STD: f64 = 5.6;
const EVALUATION_BATCH: usize = 64;
const SMOKE_ACCURACY: f64 = 0.85;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let (seed, smoke) = (flags.common.seed, flags.common.smoke);
    let epochs = flags.epochs.unwrap_or(if smoke { 3 } else { 15 });
    in_range("--digit", flags.digit as usize, 0..=CLASSES as usize - 1)?;
    in_range("--epochs", epochs, 1..=MOST)?;
    let place = |name| in_folder(flags.out.as_deref(), name);
    let (convolution, pooling, filters) = (
        place("convolution.png")?,
        place("pooling.png")?,
        place("filters.png")?,
    );
    let net = ParamStore::new(DType::F32, &device).seeded(seed);
    let cfg = LeNetConfig {
        activation: Activation::Relu,
        ..LeNetConfig::new(CLASSES as usize)
    };
    let lenet = LeNet::new(&cfg, net.builder())?;

    numbers::slide(convolution.as_deref())?;
    numbers::pool(pooling.as_deref())?;
    say_sizes()?;

    let (train, test) = digits::split(|images| -> Result<Tensor> {
        Ok(((resize_bilinear(images, SIDE, SIDE)? - MEAN)? / STD)?)
    })?;
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);
    let mut trainer = Trainer::new(lenet, &net, Box::new(Adam::new(&adam, &net)?), loss)
        .with_metric(Accuracy::default())
        .with_schedule(warm_up_then_cosine(flags.lr));
    say(format_args!(
        "\n{} digits to train with, {} to test",
        train.len(),
        test.len()
    ));
    let files = flags.saving.run::<Flags>(&[])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(seed),
        ..FitConfig::new(epochs, flags.batch_size)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;
    let scores = trainer.evaluate(&test, EVALUATION_BATCH)?;
    let accuracy = scores.metric("accuracy").unwrap_or(f64::NAN);
    files.report("LeNet-5 and its filters", (&cfg, &history), |page| {
        Ok(page.with_scores("test", &scores))
    })?;
    if let Some(path) = &filters {
        draw_filters(&trainer, &net, &test, flags.digit, path)?;
    }
    if smoke {
        expect_at_least("the test accuracy", accuracy, SMOKE_ACCURACY)?;
    }
    figure("test loss", scores.loss);
    figure("test accuracy", accuracy);
    Ok(())
}

/// Prints the sizes that the formula gives, of the numbers and of LeNet-5's layers.
fn say_sizes() -> Result<()> {
    let none = || Failure::new("a window doesn't fit");
    say("\noutput size = floor((length + 2 padding - kernel) / stride) + 1");
    for (kernel, stride) in [(TAPS, 1), (TAPS, 2)] {
        let size = output_size(LENGTH, kernel, stride, [0; 2], 1, false).ok_or_else(none)?;
        say(format_args!(
            "length {LENGTH}, kernel {kernel}, stride {stride}: {size}"
        ));
    }
    let pool = Window {
        stride: POOL,
        ..Window::new(POOL)
    };
    let stack = [Window::new(5), pool, Window::new(5), pool];
    say(format_args!(
        "\nLeNet-5 on {SIDE}×{SIDE}       size  receptive field"
    ));
    let mut size = SIDE;
    for (i, layer) in stack.iter().enumerate() {
        let padding = [layer.padding; 2];
        size =
            output_size(size, layer.kernel, layer.stride, padding, layer.dilation, false).ok_or_else(none)?;
        let sees = receptive_field(stack.get(..=i).unwrap_or_default()).size;
        let kind = if layer.stride == 1 {
            "convolution"
        } else {
            "pooling"
        };
        let name = format!("{kind} {0}×{0}, stride {1}", layer.kernel, layer.stride);
        say(format_args!("{name:26}{size:>2}×{size:<2}  {sees:>2}×{sees}"));
    }
    Ok(())
}

/// Draws the first filters, and what both convolutions give for the first test digit of this kind.
fn draw_filters(
    trainer: &Trainer<'_>,
    net: &ParamStore,
    test: &Subset<TensorDataset>,
    digit: u32,
    path: &Path,
) -> Result<()> {
    let (images, labels) = test.batch(&(0..test.len()).collect::<Vec<_>>())?;
    let labels = labels.to_vec1::<u32>()?;
    let at = labels.iter().position(|&label| label == digit);
    let at = at.ok_or_else(|| Failure::new(format!("no test digit is a {digit}")))?;
    let image = images.narrow(0, at, 1)?;
    let taken_for = trainer.predict(&image, 1)?.argmax(1)?.to_vec1::<u32>()?;
    let parameters = net.named_tensors();
    let named = |name: &str| {
        let found = parameters.iter().find(|(found, _)| found == name);
        found
            .map(|(_, var)| var.as_tensor().detach())
            .ok_or_else(|| Failure::new(format!("the network has no {name}")))
    };
    let options = ConvOptions::<2> {
        activation: Some(Activation::Relu),
        ..ConvOptions::default()
    };
    let weight = named("conv1.weight")?;
    let x = image.to_device(weight.device())?;
    let first = conv(&x, &weight, Some(&named("conv1.bias")?), &options)?;
    let pooled = MaxPool2d::new(&MaxPool2dConfig::new(POOL))?.forward(&first)?;
    let second = conv(
        &pooled,
        &named("conv2.weight")?,
        Some(&named("conv2.bias")?),
        &options,
    )?;

    let maps = |title: String, x: &Tensor, from: usize, count: usize, cell, look| -> Result<Line> {
        let columns = x.dim(3)?;
        let table = |i| -> Result<Table> {
            Ok(Table {
                title: if count > 1 {
                    format!("{}", i + 1)
                } else {
                    String::new()
                },
                values: values(&x.get(i)?)?,
                columns,
                ..Table::default()
            })
        };
        let tables = (from..from + count).map(table).collect::<Result<_>>()?;
        Ok(Line {
            title,
            tables,
            cell,
            look,
        })
    };
    let title = format!(
        "A test digit, 28×28, which the network takes for a {}",
        taken_for.first().copied().unwrap_or_default()
    );
    let (one, two) = (first.transpose(0, 1)?, second.transpose(0, 1)?);
    let told = "white: the greatest value of each";
    let lines = [
        maps(title, &((&image * STD)? + MEAN)?, 0, 1, 5, Look::Grey)?,
        maps(
            "First convolution: its 6 filters, 5×5; blue: positive, red: negative".into(),
            &weight,
            0,
            6,
            24,
            Look::Signed,
        )?,
        maps(
            format!("What they give, after ReLU: 6 maps, 24×24; {told}"),
            &one,
            0,
            6,
            5,
            Look::Grey,
        )?,
        maps(
            format!("Second convolution, after pooling: 16 maps, 8×8; {told}"),
            &two,
            0,
            8,
            11,
            Look::Grey,
        )?,
        maps(String::new(), &two, 8, 8, 11, Look::Grey)?,
    ];
    draw(path, &lines, 1)
}

fn draw(path: &Path, lines: &[Line], columns: usize) -> Result<()> {
    tables(path, lines, columns)?;
    say(format_args!("wrote {}", path.display()));
    Ok(())
}

fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.flatten_all()?.to_vec1()?)
}
