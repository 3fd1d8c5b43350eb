//! A karate club falls apart, and a graph network that knows the side of two members finds everyone else's.

use clap::Parser;
use sconce::candle_core::{DType, Device, Module, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, no_grad, parse_device};
use sconce::data::TensorDataset;
use sconce::gnn::{Aggregation, GcnConv, GcnConvConfig, Graph};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::{Linear, LinearConfig};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{Accuracy, EpochRecord, FitConfig, Progress, Scores, Trainer, Validation};
use sconce_examples::plot::{Cloud, clouds};
use sconce_examples::{
    Album, Common, Failure, Keeper, Result, Saving, expect_at_least, figure, in_folder, say, whole,
};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns the sides of Zachary's karate club, 34 members and 78 friendships, from its instructor's and its president's alone.
///
/// A member's feature is only who it is; all that the network knows of the others comes along friendships. The last line is
/// its figure: the part of the members whose side it finds.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Steps of training, each with the two members whose side is known
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, allow_negative_numbers = true)]
    lr: f64,
    /// Length of the hidden features
    #[arg(long, default_value_t = 16)]
    hidden: usize,
    /// Draw the two numbers that the network makes of each member, as training goes: karate.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const MEMBERS: usize = 34;
/// The instructor and the president, whose sides are known: each is its own.
const KNOWN: [u32; 2] = [0, 33];
const PANELS: usize = 6;
const SMOKE_ACCURACY: f64 = 0.94;

/// Each member's friends with a greater number.
///
/// Zachary, "An Information Flow Model for Conflict and Fission in Small Groups", 1977.
const FRIENDS: [(u32, &[u32]); 26] = [
    (0, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31]),
    (1, &[2, 3, 7, 13, 17, 19, 21, 30]),
    (2, &[3, 7, 8, 9, 13, 27, 28, 32]),
    (3, &[7, 12, 13]),
    (4, &[6, 10]),
    (5, &[6, 10, 16]),
    (6, &[16]),
    (8, &[30, 32, 33]),
    (9, &[33]),
    (13, &[33]),
    (14, &[32, 33]),
    (15, &[32, 33]),
    (18, &[32, 33]),
    (19, &[33]),
    (20, &[32, 33]),
    (22, &[32, 33]),
    (23, &[25, 27, 29, 32, 33]),
    (24, &[25, 27, 31]),
    (25, &[31]),
    (26, &[29, 33]),
    (27, &[33]),
    (28, &[31, 33]),
    (29, &[32, 33]),
    (30, &[32, 33]),
    (31, &[32, 33]),
    (32, &[33]),
];

/// Who stayed with the instructor; the others went with the president.
const INSTRUCTORS: [u32; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21];

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// Two convolutions down to two numbers a member, and a line between the sides.
struct Net {
    graph: Graph,
    x: Tensor,
    conv1: GcnConv,
    conv2: GcnConv,
    line: Linear,
}

impl Net {
    fn new(hidden: usize, store: &ParamStore, device: &Device) -> Result<Self> {
        let vb = store.builder();
        let cached = |inputs, outputs| GcnConvConfig {
            cached: true,
            ..GcnConvConfig::new(inputs, outputs)
        };
        Ok(Self {
            graph: club(device)?,
            x: Tensor::eye(MEMBERS, DType::F32, device)?,
            conv1: GcnConv::new(&cached(MEMBERS, hidden), vb.pp("conv1"))?,
            conv2: GcnConv::new(&cached(hidden, 2), vb.pp("conv2"))?,
            line: Linear::new(&LinearConfig::new(2, 2), vb.pp("line"))?,
        })
    }

    /// `[34, 2]`.
    fn embedding(&self) -> CandleResult<Tensor> {
        let x = self.conv1.forward(&self.graph, &self.x)?.tanh()?;
        self.conv2.forward(&self.graph, &x)?.tanh()
    }

    /// The logits of some members.
    fn forward(&self, members: &Tensor) -> CandleResult<Tensor> {
        let sides = self.line.forward(&self.embedding()?)?;
        sides.index_select(members, 0)
    }
}

/// The friendships, both ways.
fn club(device: &Device) -> Result<Graph> {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (member, friend) in friendships() {
        one.push(i64::from(member));
        other.push(i64::from(friend));
    }
    let count = one.len();
    one.append(&mut other);
    let edges = Tensor::from_vec(one, (2, count), device)?;
    Ok(Graph::new(MEMBERS, &edges)?.to_undirected(Aggregation::Sum)?)
}

fn friendships() -> impl Iterator<Item = (u32, u32)> {
    let pairs =
        |(member, friends): (u32, &'static [u32])| friends.iter().map(move |&friend| (member, friend));
    FRIENDS.into_iter().flat_map(pairs)
}

fn side(member: u32) -> u32 {
    u32::from(!INSTRUCTORS.contains(&member))
}

/// Members with their sides.
fn members(which: &[u32], device: &Device) -> Result<TensorDataset> {
    let sides: Vec<u32> = which.iter().map(|&member| side(member)).collect();
    let ids = Tensor::new(which, device)?;
    Ok(TensorDataset::new(&ids, &Tensor::new(sides, device)?)?)
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let picture = in_folder(flags.out.as_deref(), "karate.png")?;
    let store = ParamStore::new(DType::F32, &device).seeded(flags.common.seed);
    let net = Net::new(flags.hidden, &store, &device)?;
    let everyone: Vec<u32> = (0..MEMBERS as u32).collect();
    let (known, all) = (members(&KNOWN, &device)?, members(&everyone, &device)?);
    let cfg = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let optimizer = |store: &ParamStore| Ok::<_, Failure>(Box::new(Adam::new(&cfg, store)?));
    let loss = |logits: &Tensor, sides: &Tensor| cross_entropy(logits, sides, Reduction::Mean);
    let model = |ids: &Tensor| net.forward(ids);
    say(format_args!(
        "{MEMBERS} members, {} friendships; the sides of members {} and {} are known",
        net.graph.num_edges() / 2,
        KNOWN[0],
        KNOWN[1]
    ));
    let before = Trainer::new(model, &store, optimizer(&store)?, loss)
        .with_metric(Accuracy::default())
        .evaluate(&all, MEMBERS)?;
    say_scores(0, &before);
    let mut panels = vec![panel(0, &before, &no_grad(|| net.embedding())?)?];
    let mut accuracy = before.metric("accuracy").unwrap_or(f64::NAN);
    // Most happens early.
    let shown: Vec<usize> = (1..PANELS)
        .map(|panel| flags.steps * panel * panel / ((PANELS - 1) * (PANELS - 1)))
        .collect();
    let album = Album::default();
    let look = |step: &EpochRecord| match &step.validation {
        Some(scores) if shown.contains(&step.epoch) => {
            say_scores(step.epoch, scores);
            Ok(Some(no_grad(|| net.embedding())?))
        }
        _ => Ok(None),
    };
    let mut trainer = Trainer::new(model, &store, optimizer(&store)?, loss)
        .with_metric(Accuracy::default())
        .with_callback(Keeper::new(&album, look));
    let files = flags.saving.run::<Flags>(&[])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: None,
        validation: Validation::Set(&all),
        progress: Progress::Notices,
        ..FitConfig::new(flags.steps, KNOWN.len())
    };
    let history = whole(trainer.fit(&known, &cfg)?)?;
    drop(trainer);
    files.report("The karate club", (&cfg, &history), Ok)?;
    if let Some(last) = history.epochs.last().and_then(|step| step.validation.as_ref()) {
        accuracy = last.metric("accuracy").unwrap_or(f64::NAN);
    }
    if let Some(path) = &picture {
        for (step, embedding) in album.into_inner() {
            if let Some(scores) = history
                .epochs
                .get(step - 1)
                .and_then(|step| step.validation.as_ref())
            {
                panels.push(panel(step, scores, &embedding)?);
            }
        }
        clouds(path, &panels, 3)?;
        say(format_args!("wrote {}", path.display()));
    }
    if flags.common.smoke {
        expect_at_least("the accuracy", accuracy, SMOKE_ACCURACY)?;
    }
    figure("test accuracy", accuracy);
    Ok(())
}

/// Prints how far it is after so many steps.
fn say_scores(step: usize, scores: &Scores) {
    say(format_args!(
        "after step {step}: loss {:.4}, accuracy {:.4} (all members)",
        scores.loss,
        scores.metric("accuracy").unwrap_or(f64::NAN)
    ));
}

/// A panel of the picture.
fn panel(step: usize, scores: &Scores, embedding: &Tensor) -> CandleResult<Cloud> {
    let right = scores.metric("accuracy").unwrap_or(f64::NAN) * MEMBERS as f64;
    let rows = embedding.to_vec2::<f32>()?;
    let point = |row: &Vec<f32>| match row.as_slice() {
        &[x, y] => (f64::from(x), f64::from(y)),
        _ => (f64::NAN, f64::NAN),
    };
    Ok(Cloud {
        title: format!("step {step}: {right:.0} of {MEMBERS} right"),
        points: rows.iter().map(point).collect(),
        kinds: (0..MEMBERS as u32).map(|member| side(member) as usize).collect(),
        marked: KNOWN.iter().map(|&member| member as usize).collect(),
        joined: friendships().map(|(a, b)| (a as usize, b as usize)).collect(),
    })
}
