//! Semi-supervised node classification: a few labelled papers, and who cites whom, tell the subject of all others.

use clap::{Parser, ValueEnum};
use sconce::candle_core::{DType, Device, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, manual_seed, parse_device};
use sconce::data::{Dataset, Planetoid, TensorDataset};
use sconce::gnn::{Aggregation, GcnConv, GcnConvConfig, Graph};
use sconce::losses::{Reduction, cross_entropy, l2_penalty};
use sconce::nn::Dropout;
use sconce::optim::{Adam, AdamConfig};
use sconce::train::plot::{self, Curve};
use sconce::train::{Accuracy, FitConfig, Progress, Trainer, Validation};
use sconce_examples::{
    Common, Draws, Failure, MOST, Result, Saving, data_folder, expect_above, expect_at_least, figure,
    in_folder, in_range, say, seed_for, whole,
};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns the subjects of papers from 20 labelled ones of each, the words in all of them, and who cites whom: Kipf and
/// Welling's graph convolutional network with their settings.
///
/// By default the papers are made up: a paper shares some words with others of its subject, and cites mostly those. The same
/// network also learns without the citations, to show what they are worth. The last lines are its figures: the
/// part of the test papers whose subject is found without citations, by the first seed, and with them, a mean over the seeds.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Papers: made up, or of a public data set in Planetoid's raw files, in the folder planetoid of the data folder
    /// ($SCONCE_DATA, else the folder sconce in the user's cache); `cargo xtask data cora` gets Cora
    #[arg(long, value_enum, default_value_t = Source::Generated)]
    dataset: Source,
    /// Networks to train, from the seeds --seed, --seed + 1, …
    #[arg(long, default_value_t = 1)]
    seeds: usize,
    /// Steps of training, each over all labelled papers [default: 200; smoke: 100]
    #[arg(long)]
    epochs: Option<usize>,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, allow_negative_numbers = true)]
    lr: f64,
    /// Length of the hidden features
    #[arg(long, default_value_t = 16)]
    hidden: usize,
    /// Probability of dropping a word, or a hidden feature, in training
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    dropout: f64,
    /// Weight decay of the first layer
    #[arg(long, default_value_t = 5e-4, allow_negative_numbers = true)]
    weight_decay: f64,
    /// Draw the accuracy on the validation papers as training goes: gcn.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

impl Flags {
    fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.common.smoke { 100 } else { 200 })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    Generated,
    Cora,
    Citeseer,
    Pubmed,
}

const PAPERS: usize = 1500;
const SUBJECTS: usize = 6;
const WORDS: usize = 400;
/// Words that papers of a subject have more often.
const TOPIC: usize = 40;
const WORDS_IN_PAPER: usize = 12;
/// The part of a paper's words that is from its subject's.
const TOPICAL: f64 = 0.25;
const CITATIONS: usize = 2;
/// The part of the citations that stays within the subject.
const WITHIN: f64 = 0.7;
const LABELLED: usize = 20 * SUBJECTS;
const VALIDATION: usize = 300;
const SMOKE_ACCURACY: f64 = 0.8;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// What is known of the papers. The parts hold numbers of papers, and their subjects.
struct Papers {
    words: Tensor,
    citations: Graph,
    subjects: usize,
    train: TensorDataset,
    validation: TensorDataset,
    test: TensorDataset,
}

impl Papers {
    fn load(flags: &Flags, device: &Device) -> Result<Self> {
        let name = match flags.dataset {
            _ if flags.common.smoke => return Self::generate(flags.common.seed, device),
            Source::Generated => return Self::generate(flags.common.seed, device),
            Source::Cora => "cora",
            Source::Citeseer => "citeseer",
            Source::Pubmed => "pubmed",
        };
        let read = Planetoid::load(data_folder("planetoid")?, name)?;
        Ok(Self {
            words: read.row_normalized()?.to_device(device)?,
            citations: Graph::new(read.labels.dim(0)?, &read.edge_index)?,
            subjects: read.classes,
            train: read.train,
            validation: read.validation,
            test: read.test,
        })
    }

    /// The remainder of a paper's number is its subject.
    fn generate(seed: u64, device: &Device) -> Result<Self> {
        let draws = Draws::new(seed, "papers");
        let mut words = vec![0f32; PAPERS * WORDS];
        let (mut citing, mut cited) = (Vec::new(), Vec::new());
        for (paper, row) in words.chunks_mut(WORDS).enumerate() {
            let subject = paper % SUBJECTS;
            for _ in 0..WORDS_IN_PAPER {
                let word = match draws.chance(TOPICAL) {
                    true => subject * TOPIC + draws.below(TOPIC),
                    false => draws.below(WORDS),
                };
                if let Some(has) = row.get_mut(word) {
                    *has = 1.;
                }
            }
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|has| *has /= sum);
            for _ in 0..CITATIONS {
                citing.push(paper as i64);
                cited.push(match draws.chance(WITHIN) {
                    true => (subject + SUBJECTS * draws.below(PAPERS / SUBJECTS)) as i64,
                    false => draws.below(PAPERS) as i64,
                });
            }
        }
        let count = citing.len();
        citing.append(&mut cited);
        let edges = Tensor::from_vec(citing, (2, count), device)?;
        let citations = Graph::new(PAPERS, &edges)?.remove_self_loops()?;
        let part = |from: usize, to: usize| {
            let ids = Tensor::arange(from as u32, to as u32, device)?;
            let subjects = Tensor::from_iter((from..to).map(|paper| (paper % SUBJECTS) as u32), device)?;
            Ok::<_, Failure>(TensorDataset::new(&ids, &subjects)?)
        };
        Ok(Self {
            words: Tensor::from_vec(words, (PAPERS, WORDS), device)?,
            citations: citations.to_undirected(Aggregation::Max)?,
            subjects: SUBJECTS,
            train: part(0, LABELLED)?,
            validation: part(LABELLED, LABELLED + VALIDATION)?,
            test: part(LABELLED + VALIDATION, PAPERS)?,
        })
    }
}

/// Two convolutions with dropout before each.
struct Net<'a> {
    words: &'a Tensor,
    citations: &'a Graph,
    dropout: Dropout,
    conv1: GcnConv,
    conv2: GcnConv,
}

impl ModuleT for Net<'_> {
    /// The logits of some papers. All papers take part in it.
    fn forward_t(&self, ids: &Tensor, train: bool) -> CandleResult<Tensor> {
        let x = self.dropout.forward_t(self.words, train)?;
        let x = self.conv1.forward(self.citations, &x)?.relu()?;
        let x = self.dropout.forward_t(&x, train)?;
        self.conv2.forward(self.citations, &x)?.index_select(ids, 0)
    }
}

/// Trains one network: its accuracy on the validation papers after each step, and on the test papers.
fn learn(
    flags: &Flags,
    papers: &Papers,
    citations: &Graph,
    (run, seed): (&str, u64),
) -> Result<(Vec<f64>, f64)> {
    manual_seed(seed_for(seed, "dropout"));
    let store = ParamStore::new(DType::F32, papers.words.device()).seeded(seed);
    let layer = |name: &str, inputs, outputs| {
        let cfg = GcnConvConfig {
            cached: true,
            ..GcnConvConfig::new(inputs, outputs)
        };
        GcnConv::new(&cfg, store.builder().pp(name))
    };
    let net = Net {
        words: &papers.words,
        citations,
        dropout: Dropout::new(flags.dropout)?,
        conv1: layer("conv1", papers.words.dim(1)?, flags.hidden)?,
        conv2: layer("conv2", flags.hidden, papers.subjects)?,
    };
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let adam = Box::new(Adam::new(&adam, &store)?);
    let loss = |logits: &Tensor, subjects: &Tensor| cross_entropy(logits, subjects, Reduction::Mean);
    // λ/2·‖θ‖², whose gradient is λθ: the published decay, of the first layer alone.
    let with_decay = |ids: &Tensor, subjects: &Tensor| {
        let data_loss = loss(&net.forward_t(ids, true)?, subjects)?;
        data_loss + l2_penalty(&store, "conv1.*", 0.5 * flags.weight_decay)?
    };
    let model = |ids: &Tensor| net.forward_t(ids, false);
    let mut trainer = Trainer::new(model, &store, adam, loss)
        .with_training_loss(with_decay)
        .with_metric(Accuracy::default());
    let files = flags.saving.run::<Flags>(&[run])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: None,
        progress: Progress::Notices,
        validation: Validation::Set(&papers.validation),
        ..FitConfig::new(flags.epochs(), PAPERS)
    };
    let history = whole(trainer.fit(&papers.train, &cfg)?)?;
    let accuracy = |scores: &sconce::train::Scores| scores.metric("accuracy").unwrap_or(f64::NAN);
    let test = trainer.evaluate(&papers.test, papers.test.len())?;
    if !test.loss.is_finite() {
        let message = format!("the loss on the test is {}: a lower --lr may help", test.loss);
        return Err(Failure::new(message));
    }
    files.report(&format!("Papers by {run}"), (&cfg, &history), |page| {
        Ok(page.with_scores("test", &test))
    })?;
    let validation = history
        .epochs
        .iter()
        .filter_map(|epoch| epoch.validation.as_ref());
    Ok((validation.map(accuracy).collect(), accuracy(&test)))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    in_range("--seeds", flags.seeds, 1..=MOST)?;
    in_range("--epochs", flags.epochs(), 1..=MOST)?;
    if flags.weight_decay.is_nan() || flags.weight_decay < 0. {
        let message = format!("--weight-decay is {}, expected at least 0", flags.weight_decay);
        return Err(Failure::new(message));
    }
    let chart = in_folder(flags.out.as_deref(), "gcn.png")?;
    let papers = Papers::load(flags, &device)?;
    say(format_args!(
        "{} papers of {} subjects, {} words, {} citations; {} labelled, {} to test",
        papers.words.dim(0)?,
        papers.subjects,
        papers.words.dim(1)?,
        papers.citations.num_edges() / 2,
        papers.train.len(),
        papers.test.len()
    ));
    let none = papers.citations.select_edges(&[])?;
    let (without, alone) = learn(flags, &papers, &none, ("words", flags.common.seed))?;
    say(format_args!(
        "from their words alone: {alone:.4} of the test papers right"
    ));
    let (mut lines, mut sum) = (vec![Curve::numbered("words alone", without)], 0.);
    for i in 0..flags.seeds {
        let seed = flags.common.seed.wrapping_add(i as u64);
        let (validation, test) = learn(flags, &papers, &papers.citations, (&format!("seed-{seed}"), seed))?;
        let last = validation.last().copied().unwrap_or(f64::NAN);
        say(format_args!(
            "seed {seed}: {test:.4} of the test papers right, {last:.4} of the validation's"
        ));
        lines.push(Curve::numbered(
            format!("with citations, seed {seed}"),
            validation,
        ));
        sum += test;
    }
    let mean = sum / flags.seeds as f64;
    if let Some(path) = &chart {
        let (title, axes) = (
            "Subjects of papers from a few labels",
            ("step", "accuracy on the validation papers"),
        );
        plot::curves(title, axes, &lines)?.save(path)?;
        say(format_args!("wrote {}", path.display()));
    }
    if flags.common.smoke {
        expect_at_least("the accuracy", mean, SMOKE_ACCURACY)?;
        expect_above("the accuracy", mean, "from words alone", alone)?;
    }
    figure("accuracy without citations", alone);
    figure("test accuracy", mean);
    Ok(())
}
