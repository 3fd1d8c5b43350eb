//! LeNet-5 reads handwritten digits.
//!
//! By default it learns the 1 797 digits that are part of the program, in seconds. With `--dataset mnist` it is the
//! tutorial's program on MNIST: raw pixels, sigmoids, SGD with a learning rate of 0.9, five epochs.

use clap::{Parser, ValueEnum};
use sconce::candle_core::{DType, Device, Module, Result as CandleResult, Tensor, Var};
use sconce::cnn::{LeNet, LeNetConfig};
use sconce::core::{Init, ParamStore, Parameters, backward, graph, io, parse_device};
use sconce::data::transforms::{Normalize, resize_bilinear};
use sconce::data::{Dataset, Mnist, data_dir};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::{Activation, softmax};
use sconce::optim::{Adam, AdamConfig, Optimize, Sgd, SgdConfig};
use sconce::train::{Accuracy, FitConfig, Position, Trainer, Validation, summary};
use sconce_examples::picture::{self, Drawing};
use sconce_examples::{
    Common, Failure, Result, Saving, check_writable, digits, expect_below, figure, in_folder, say,
    warm_up_then_cosine, whole,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains LeNet-5 on handwritten digits, tests it, and reads digits with it.
///
/// The last lines are its figures: the loss and the accuracy on digits that it wasn't trained on.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// digits: 1 797 of them, part of the program; mnist: 70 000, from `cargo xtask data mnist`
    #[arg(long, value_enum, default_value_t = Set::Digits)]
    dataset: Set,
    /// How often to go through the training set [default: digits 20, mnist 5; modern: digits 20, mnist 10]
    #[arg(long, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Images in a batch [default: 32; modern on mnist: 64]
    #[arg(long, allow_negative_numbers = true)]
    batch_size: Option<usize>,
    /// Learning rate [default: sgd 0.9, adam 0.005; modern: sgd 0.05, adam 0.003]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Update rule [default: digits adam, mnist sgd; modern: adam]
    #[arg(long, value_enum)]
    optimizer: Option<Rule>,
    /// tutorial: sigmoids and raw pixels; modern: ReLU, normalised pixels and a schedule of the learning rate
    #[arg(long, value_enum, default_value_t = Recipe::Tutorial)]
    recipe: Recipe,
    /// Where data sets lie [default: $SCONCE_DATA, or the user's cache folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the trained network there (safetensors)
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Start from a network saved with the same --dataset and --recipe; it is trained only if --epochs is given
    #[arg(long, value_name = "FILE", conflicts_with = "smoke")]
    load: Option<PathBuf>,
    /// Write pictures into this folder: predictions.png, a sheet of test digits
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Read a picture of a digit (a PNG of any size) and print the probability of each of the ten
    #[arg(long, value_name = "PNG")]
    predict: Option<PathBuf>,
    /// Read a picture of a digit and draw which of its pixels the answer depends on: saliency.png, in the folder of --out or
    /// else this one
    #[arg(long, value_name = "PNG")]
    explain: Option<PathBuf>,
    /// Write the computation graph of a training step there, for Graphviz
    #[arg(long, value_name = "FILE.dot")]
    graph: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    Digits,
    Mnist,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rule {
    Sgd,
    Adam,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Recipe {
    Tutorial,
    Modern,
}

const CLASSES: usize = 10;
const SIDE: usize = 28;
const VALIDATION_PART: f64 = 0.1;
const EVALUATION_BATCH: usize = 64;
/// Where a file says what it must be loaded with.
const MADE_WITH: &str = "lenet";
const SMOKE_EPOCHS: usize = 6;
const SMOKE_LOSS: f64 = 0.5;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let plan = Plan::new(flags);
    let device = parse_device(&flags.common.device)?;
    let store = ParamStore::new(DType::F32, &device).seeded(flags.common.seed);
    let net = LeNet::new(&plan.network(), store.builder())?;
    let model = |x: &Tensor| net.forward(&plan.input(x)?);
    let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);

    // What can fail early does.
    let drawing = flags.predict.as_deref().map(picture::read).transpose()?;
    let explained = flags.explain.as_deref().map(picture::read).transpose()?;
    if plan.batch_size == 0 {
        return Err(Failure::new("--batch-size is 0, expected at least 1"));
    }
    let sheet = in_folder(flags.out.as_deref(), "predictions.png")?;
    let heat = flags
        .out
        .as_deref()
        .unwrap_or(Path::new("."))
        .join("saliency.png");
    let heat_wanted = explained.as_ref().map(|_| &heat);
    for path in [flags.save.as_ref(), flags.graph.as_ref(), heat_wanted]
        .into_iter()
        .flatten()
    {
        check_writable(path)?;
    }
    if let Some(path) = &flags.load {
        plan.load(path, &store)?;
    }
    if let Some(path) = &flags.graph {
        let batch = plan.batch_size.min(EVALUATION_BATCH);
        let x = Tensor::zeros((batch, 1, SIDE, SIDE), DType::F32, &device)?;
        let labels = Tensor::zeros(batch, DType::U32, &device)?;
        let (step, graph) = graph::record(|| loss(&model(&x)?, &labels));
        step?;
        io::write_atomically(path, graph.dot().as_bytes())?;
    }
    let trains = flags.load.is_none() || flags.epochs.is_some();
    let read = || {
        if let Some(drawing) = &drawing {
            predict(&model, &plan, drawing, &device)?;
        }
        if let Some(drawing) = &explained {
            explain(&model, &store, &plan, drawing, &device, &heat)?;
        }
        Ok::<_, Failure>(())
    };
    if let (Some(path), false) = (&flags.save, trains) {
        plan.save(path, &store)?;
    }
    if !trains && (drawing.is_some() || explained.is_some()) {
        if sheet.is_some() && explained.is_none() {
            say("no test digits are drawn: with --load and --predict alone, none are read");
        }
        return read();
    }

    let data = Data::load(&plan, flags.data.as_deref())?;
    let mut trainer =
        Trainer::new(model, &store, plan.optimizer(&store)?, loss).with_metric(Accuracy::default());
    if let Some(schedule) = plan.schedule() {
        trainer = trainer.with_schedule(schedule);
    }
    if trains {
        say(format_args!(
            "LeNet-5, {} parameters; {} digits to train with, the last tenth to validate, {} to test",
            store.num_trainable(),
            data.train.len(),
            data.test.len()
        ));
        let files = flags
            .saving
            .run::<Flags>(&[])?
            .with_setting("labels", data.labels.clone());
        let cfg = FitConfig {
            checkpoints: files.checkpoints(),
            shuffle: Some(flags.common.seed),
            validation: Validation::Last(VALIDATION_PART),
            ..FitConfig::new(plan.epochs, plan.batch_size)
        };
        let history = whole(trainer.fit(&*data.train, &cfg)?)?;
        files.report("LeNet-5 reads handwritten digits", (&cfg, &history), |page| {
            let scores = trainer.evaluate(&*data.test, EVALUATION_BATCH)?;
            let page = page.with_summary(&summary(&store)).with_device(&device);
            digits::describe(page, &trainer, (&*data.test, &scores), plan.white())
        })?;
        if let Some(path) = &flags.save {
            plan.save(path, &store)?;
        }
        if plan.smoke {
            let reached = history.epochs.last().map_or(f64::NAN, |epoch| epoch.train_loss);
            expect_below("the training loss", reached, SMOKE_LOSS)?;
        }
    }
    let scores = trainer.evaluate(&*data.test, EVALUATION_BATCH)?;
    if !scores.loss.is_finite() {
        return Err(Failure::new(format!(
            "the loss on the test digits is {}: the network is of no use",
            scores.loss
        )));
    }
    if let Some(path) = &sheet {
        digits::draw(&trainer, &*data.test, plan.white(), path)?;
    }
    read()?;
    figure("test loss", scores.loss);
    figure("test accuracy", scores.metric("accuracy").unwrap_or(f64::NAN));
    Ok(())
}

/// What the flags come to.
struct Plan {
    set: Set,
    recipe: Recipe,
    epochs: usize,
    batch_size: usize,
    rule: Rule,
    lr: f64,
    smoke: bool,
    normalize: Option<Normalize>,
}

impl Plan {
    fn new(flags: &Flags) -> Self {
        let set = if flags.common.smoke {
            Set::Digits
        } else {
            flags.dataset
        };
        let (epochs, batch_size, rule) = match (set, flags.recipe) {
            (Set::Digits, _) if flags.common.smoke => (SMOKE_EPOCHS, 32, Rule::Adam),
            (Set::Digits, _) => (20, 32, Rule::Adam),
            (Set::Mnist, Recipe::Tutorial) => (5, 32, Rule::Sgd),
            (Set::Mnist, Recipe::Modern) => (10, 64, Rule::Adam),
        };
        let rule = flags.optimizer.unwrap_or(rule);
        let lr = match (rule, flags.recipe) {
            (Rule::Sgd, Recipe::Tutorial) => 0.9,
            (Rule::Sgd, Recipe::Modern) => 0.05,
            (Rule::Adam, Recipe::Tutorial) => 0.005,
            (Rule::Adam, Recipe::Modern) => 0.003,
        };
        // Mean and standard deviation of the training images' pixels.
        let (mean, std) = match set {
            Set::Digits => (4.88, 5.6),
            Set::Mnist => (33.32, 78.57),
        };
        Self {
            set,
            recipe: flags.recipe,
            epochs: flags.epochs.unwrap_or(epochs),
            batch_size: flags.batch_size.unwrap_or(batch_size),
            rule,
            lr: flags.lr.unwrap_or(lr),
            smoke: flags.common.smoke,
            normalize: match flags.recipe {
                Recipe::Tutorial => None,
                Recipe::Modern => Normalize::new(&[mean], &[std]).ok(),
            },
        }
    }

    fn network(&self) -> LeNetConfig {
        let cfg = LeNetConfig::new(CLASSES);
        match self.recipe {
            Recipe::Tutorial => LeNetConfig {
                weight_init: Some(Init::XavierUniform { gain: 1. }),
                bias_init: Some(Init::Const(0.)),
                ..cfg
            },
            Recipe::Modern => LeNetConfig {
                activation: Activation::Relu,
                ..cfg
            },
        }
    }

    /// What a saved network must be loaded with.
    fn made_with(&self) -> String {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map_or_else(String::new, |v| v.get_name().to_string())
        };
        let (set, recipe) = (
            name(self.set.to_possible_value()),
            name(self.recipe.to_possible_value()),
        );
        format!("--dataset {set} --recipe {recipe}")
    }

    fn save(&self, path: &Path, store: &ParamStore) -> Result<()> {
        let tensors = store.named_tensors();
        let tensors = tensors.iter().map(|(name, var)| (name.as_str(), var.as_tensor()));
        Ok(io::save_tensors(
            path,
            tensors,
            Some((MADE_WITH, &self.made_with())),
        )?)
    }

    /// Loads a network, which must be one of this data set and recipe where the file says.
    fn load(&self, path: &Path, store: &ParamStore) -> Result<()> {
        let expected = self.made_with();
        match io::metadata(path, MADE_WITH)? {
            Some(with) if with != expected => {
                let problem = format!("was saved with {with}, and is loaded with {expected}");
                Err(Failure::at(path, problem))
            }
            _ => {
                io::load(path, store, io::Strictness::Strict)?;
                Ok(())
            }
        }
    }

    /// What the network sees of an image.
    fn input(&self, images: &Tensor) -> CandleResult<Tensor> {
        match &self.normalize {
            None => images.to_dtype(DType::F32),
            Some(normalize) => normalize.forward(images),
        }
    }

    fn optimizer(&self, store: &ParamStore) -> Result<Box<dyn Optimize>> {
        let lr = self.lr;
        Ok(match self.rule {
            Rule::Sgd => {
                let momentum = if self.recipe == Recipe::Modern { 0.9 } else { 0. };
                let cfg = SgdConfig {
                    lr,
                    momentum,
                    ..SgdConfig::default()
                };
                Box::new(Sgd::new(&cfg, store)?)
            }
            Rule::Adam => {
                let cfg = AdamConfig {
                    lr,
                    ..AdamConfig::default()
                };
                Box::new(Adam::new(&cfg, store)?)
            }
        })
    }

    fn schedule(&self) -> Option<impl Fn(&Position) -> f64 + use<>> {
        (self.recipe == Recipe::Modern).then(|| warm_up_then_cosine(self.lr))
    }

    /// The largest value of a pixel.
    fn white(&self) -> f64 {
        match self.set {
            Set::Digits => 16.,
            Set::Mnist => 255.,
        }
    }
}

/// Images `[1, 28, 28]` with their digits.
struct Data {
    train: Box<dyn Dataset>,
    test: Box<dyn Dataset>,
    /// What tells it from other sets in MNIST's format: a few digits.
    labels: String,
}

impl Data {
    fn load(plan: &Plan, folder: Option<&Path>) -> Result<Self> {
        match plan.set {
            Set::Digits => {
                let (train, test) = digits::split(|images| resize_bilinear(images, SIDE, SIDE))?;
                Ok(Self {
                    labels: "the program's own".to_string(),
                    train: Box::new(train),
                    test: Box::new(test),
                })
            }
            Set::Mnist => {
                let given = folder.is_some();
                let folder = folder.map(Path::to_path_buf).or_else(data_dir);
                let folder = folder.ok_or_else(|| {
                    Failure::new("no folder for data is known: set SCONCE_DATA, run `cargo xtask data mnist`, or give it by --data")
                })?;
                if given && !folder.is_dir() {
                    return Err(Failure::at(&folder, "there is no such folder of data"));
                }
                // Either the folder of all data sets or MNIST's own.
                let own = folder.join("train-images-idx3-ubyte");
                let is_own = own.exists() || own.with_extension("gz").exists();
                let mnist = Mnist::load(if is_own { folder } else { folder.join("mnist") })?;
                Ok(Self {
                    labels: checksum(mnist.train.targets())?,
                    train: Box::new(mnist.train),
                    test: Box::new(mnist.test),
                })
            }
        }
    }
}

fn checksum(labels: &Tensor) -> Result<String> {
    let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let bytes: Vec<u8> = labels.into_iter().flat_map(u32::to_le_bytes).collect();
    Ok(format!("{:08x}", crc32fast::hash(&bytes)))
}

/// A drawing as the data set's images are: `[1, 1, 28, 28]`.
fn image(plan: &Plan, drawing: &Drawing) -> Result<Tensor> {
    Ok(match plan.set {
        Set::Mnist => Tensor::from_vec(drawing.like_mnist(), (1, 1, SIDE, SIDE), &Device::Cpu)?,
        Set::Digits => {
            let small = Tensor::from_vec(drawing.like_digits(), (1, 1, 8, 8), &Device::Cpu)?;
            resize_bilinear(&small, SIDE, SIDE)?
        }
    })
}

/// Draws the gradient of the answer's logit with respect to the pixels.
fn explain(
    model: &impl Fn(&Tensor) -> CandleResult<Tensor>,
    store: &ParamStore,
    plan: &Plan,
    drawing: &Drawing,
    device: &Device,
    path: &Path,
) -> Result<()> {
    let x = Var::from_tensor(&image(plan, drawing)?.to_device(device)?)?;
    let gradient = backward(&model(&x)?.max(1)?.sum_all()?, store)?
        .of(&x)
        .ok_or_else(|| Failure::new("the answer doesn't depend on the picture"))?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let pixels = (x.flatten_all()? / plan.white())?.to_vec1::<f32>()?;
    let sheet = picture::heat(&pixels, &gradient, SIDE as u32);
    picture::save(&sheet, path)
}

/// Prints what the network makes of a drawing.
fn predict(
    model: &impl Fn(&Tensor) -> CandleResult<Tensor>,
    plan: &Plan,
    drawing: &Drawing,
    device: &Device,
) -> Result<()> {
    let image = image(plan, drawing)?;
    let logits = sconce::core::no_grad(|| model(&image.to_device(device)?))?;
    let probabilities = softmax(&logits, 1)?.flatten_all()?.to_vec1::<f32>()?;
    for (digit, probability) in probabilities.iter().enumerate() {
        figure(&format!("probability of {digit}"), f64::from(*probability));
    }
    let best = probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    if let Some((digit, _)) = best {
        say(format_args!("prediction: {digit}"));
    }
    Ok(())
}
