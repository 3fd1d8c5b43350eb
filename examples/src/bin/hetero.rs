//! A graph whose nodes and edges have types: authors, papers and venues; and what it costs to treat all alike.

use clap::Parser;
use sconce::candle_core::{DType, Device, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, manual_seed, parse_device};
use sconce::data::TensorDataset;
use sconce::gnn::{Graph, HeteroConv, HeteroConvConfig, HeteroGraph, SageConv, SageConvConfig};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::Dropout;
use sconce::optim::{Adam, AdamConfig};
use sconce::train::plot::{self, Curve};
use sconce::train::{Accuracy, FitConfig, Progress, Trainer, Validation};
use sconce_examples::{
    Common, Draws, Failure, MOST, Result, Saving, expect_above, expect_at_least, figure, in_folder, in_range,
    say, seed_for, whole,
};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns the field of papers from a few labelled ones, in a made-up graph of papers, their authors and the venues where they
/// appeared, once with a layer of its own for each type of edge and once with one layer for all.
///
/// The types matter: a number means one thing in an author's features and another in a paper's; authors write, and papers cite,
/// mostly within their field, but papers also mention any others, and venues publish everything. The last lines are the
/// figures, means over the seeds: the part of the test papers whose field each network finds, that of the network without
/// types first.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Networks of each kind to train, from the seeds --seed, --seed + 1, … [default: 3; smoke: 1]
    #[arg(long)]
    seeds: Option<usize>,
    /// Steps of training, each over all labelled papers [default: 150; smoke: 80]
    #[arg(long)]
    epochs: Option<usize>,
    /// Length of the hidden features
    #[arg(long, default_value_t = 32)]
    hidden: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, allow_negative_numbers = true)]
    lr: f64,
    /// Draw the accuracy on the validation papers as training goes: hetero.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

impl Flags {
    fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.common.smoke { 80 } else { 150 })
    }
}

const FIELDS: usize = 5;
const PAPERS: usize = 1500;
const AUTHORS: usize = 700;
const VENUES: usize = 20;
/// Length of the features of nodes of all types.
const FEATURES: usize = 16;
/// How much louder than the noise a node's field is in its features.
const SIGNAL: f64 = 1.;
const LABELLED: usize = 40 * FIELDS;
const VALIDATION: usize = 300;
const SMOKE_ACCURACY: f64 = 0.7;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// The graph, with edges in both directions. The remainder of a paper's or an author's number is its field.
fn generate(seed: u64, device: &Device) -> Result<HeteroGraph> {
    let draws = Draws::new(seed, "papers");
    let mut graph = HeteroGraph::new();
    for (shift, (name, count)) in [("paper", PAPERS), ("author", AUTHORS), ("venue", VENUES)]
        .into_iter()
        .enumerate()
    {
        graph.add_nodes(name, count)?;
        // The same number stands for one field in a paper's features and for another in an author's.
        let value = |i: usize| {
            let (node, feature) = (i / FEATURES, i % FEATURES);
            let is_field = name != "venue" && feature == (node + shift) % FIELDS;
            (draws.normal() + if is_field { SIGNAL } else { 0. }) as f32
        };
        let x = Tensor::from_iter((0..count * FEATURES).map(value), device)?;
        graph.set_x(name, &x.reshape((count, FEATURES))?)?;
    }
    // Someone of a field, with some probability, else anyone.
    let of = |field: usize, count: usize, within: f64| match draws.chance(within) {
        true => field % FIELDS + FIELDS * draws.below(count / FIELDS),
        false => draws.below(count),
    };
    let edges = |per_paper: usize, other: &dyn Fn(usize) -> usize| {
        let pairs = (0..PAPERS * per_paper).map(|i| (i / per_paper, other(i / per_paper)));
        let (papers, others): (Vec<_>, Vec<_>) =
            pairs.map(|(paper, other)| (paper as i64, other as i64)).unzip();
        let count = papers.len();
        Tensor::from_vec([others, papers].concat(), (2, count), device)
    };
    let writes = edges(2, &|paper| of(paper, AUTHORS, 0.8))?;
    let cites = edges(2, &|paper| of(paper, PAPERS, 0.8))?;
    let mentions = edges(6, &|_| draws.below(PAPERS))?;
    let publishes = edges(1, &|_| draws.below(VENUES))?;
    graph.add_edges(("author", "writes", "paper"), &writes)?;
    graph.add_edges(("paper", "cited_by", "paper"), &cites)?;
    graph.add_edges(("paper", "mentioned_by", "paper"), &mentions)?;
    graph.add_edges(("venue", "publishes", "paper"), &publishes)?;
    Ok(graph)
}

/// Two layers of each kind, with dropout between.
enum Net {
    Typed {
        graph: HeteroGraph,
        layers: Box<[HeteroConv; 2]>,
        dropout: Dropout,
    },
    Alike {
        graph: Graph,
        layers: Box<[SageConv; 2]>,
        dropout: Dropout,
    },
}

impl Net {
    fn typed(graph: &HeteroGraph, hidden: usize, store: &ParamStore) -> Result<Self> {
        let layer = |name: &str, inputs: usize, outputs: usize, only_to_papers: bool| {
            let mut layer = HeteroConv::new(&HeteroConvConfig::default(), store.builder().pp(name));
            for edge_type in graph
                .edge_types()
                .filter(|edge_type| edge_type.target == "paper" || !only_to_papers)
            {
                layer = layer.with(edge_type.clone(), |vb| {
                    SageConv::new(&SageConvConfig::new((inputs, inputs), outputs), vb)
                })?;
            }
            Ok::<_, Failure>(layer)
        };
        Ok(Self::Typed {
            // What authors and venues would be after the second layer, nobody asks.
            layers: Box::new([
                layer("conv1", FEATURES, hidden, false)?,
                layer("conv2", hidden, FIELDS, true)?,
            ]),
            graph: graph.clone(),
            dropout: Dropout::new(0.5)?,
        })
    }

    fn alike(graph: &HeteroGraph, hidden: usize, store: &ParamStore) -> Result<Self> {
        let layer = |name: &str, inputs: usize, outputs| {
            SageConv::new(&SageConvConfig::new(inputs, outputs), store.builder().pp(name))
        };
        Ok(Self::Alike {
            layers: Box::new([layer("conv1", FEATURES, hidden)?, layer("conv2", hidden, FIELDS)?]),
            // Papers have the first numbers.
            graph: graph.to_homogeneous()?.graph,
            dropout: Dropout::new(0.5)?,
        })
    }
}

impl ModuleT for Net {
    /// The logits of some papers. All nodes take part in it.
    fn forward_t(&self, papers: &Tensor, train: bool) -> CandleResult<Tensor> {
        let logits = match self {
            Self::Typed {
                graph,
                layers,
                dropout,
            } => {
                let [first, second] = layers.as_ref();
                let mut x = first.forward_t(graph, graph.x(), train)?;
                for x in x.values_mut() {
                    *x = dropout.forward_t(&x.relu()?, train)?;
                }
                second.forward_t(graph, &x, train)?.remove("paper")
            }
            Self::Alike {
                graph,
                layers,
                dropout,
            } => {
                let [first, second] = layers.as_ref();
                let x = graph.x().map(|x| first.forward(graph, x)).transpose()?;
                let x = x.map(|x| dropout.forward_t(&x.relu()?, train)).transpose()?;
                x.map(|x| second.forward(graph, &x)).transpose()?
            }
        };
        let logits =
            logits.ok_or_else(|| sconce::candle_core::Error::Msg("the graph has no papers".into()))?;
        logits.index_select(papers, 0)
    }
}

/// Papers with their fields.
fn papers(from: usize, to: usize, device: &Device) -> Result<TensorDataset> {
    let fields = Tensor::from_iter((from..to).map(|paper| (paper % FIELDS) as u32), device)?;
    Ok(TensorDataset::new(
        &Tensor::arange(from as u32, to as u32, device)?,
        &fields,
    )?)
}

/// Trains a network: its accuracy on the validation papers after each step, and on the test papers.
fn learn(
    flags: &Flags,
    graph: &HeteroGraph,
    typed: bool,
    seed: u64,
    device: &Device,
) -> Result<(Vec<f64>, f64)> {
    manual_seed(seed_for(seed, "dropout"));
    let store = ParamStore::new(DType::F32, device).seeded(seed);
    let net = match typed {
        true => Net::typed(graph, flags.hidden, &store)?,
        false => Net::alike(graph, flags.hidden, &store)?,
    };
    let adam = AdamConfig {
        lr: flags.lr,
        weight_decay: 5e-4,
        ..AdamConfig::default()
    };
    let adam = Box::new(Adam::new(&adam, &store)?);
    let loss = |logits: &Tensor, fields: &Tensor| cross_entropy(logits, fields, Reduction::Mean);
    let mut trainer = Trainer::new(net, &store, adam, loss).with_metric(Accuracy::default());
    let validation = papers(LABELLED, LABELLED + VALIDATION, device)?;
    let run = format!("{}-seed-{seed}", if typed { "types" } else { "alike" });
    let files = flags.saving.run::<Flags>(&[&run])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: None,
        progress: Progress::Notices,
        validation: Validation::Set(&validation),
        ..FitConfig::new(flags.epochs(), PAPERS)
    };
    let history = whole(trainer.fit(&papers(0, LABELLED, device)?, &cfg)?)?;
    let test = trainer.evaluate(&papers(LABELLED + VALIDATION, PAPERS, device)?, PAPERS)?;
    let accuracy = |scores: &sconce::train::Scores| scores.metric("accuracy").unwrap_or(f64::NAN);
    files.report(&format!("Papers, {run}"), (&cfg, &history), |page| {
        Ok(page.with_scores("test", &test))
    })?;
    let epochs = history
        .epochs
        .iter()
        .filter_map(|epoch| epoch.validation.as_ref());
    Ok((epochs.map(accuracy).collect(), accuracy(&test)))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let seeds = flags.seeds.unwrap_or(if flags.common.smoke { 1 } else { 3 });
    in_range("--seeds", seeds, 1..=MOST)?;
    in_range("--epochs", flags.epochs(), 1..=MOST)?;
    let chart = in_folder(flags.out.as_deref(), "hetero.png")?;
    let graph = generate(flags.common.seed, &device)?.to_undirected()?;
    say(format_args!(
        "{PAPERS} papers of {FIELDS} fields, {LABELLED} of them labelled, {AUTHORS} authors, {VENUES} venues; edges:"
    ));
    for edge_type in graph.edge_types() {
        say(format_args!(
            "  {edge_type}: {}",
            graph.edges(edge_type.clone())?.num_edges()
        ));
    }
    let (mut lines, mut means) = (Vec::new(), [0.; 2]);
    for i in 0..seeds {
        let seed = flags.common.seed.wrapping_add(i as u64);
        for (mean, (typed, name)) in means.iter_mut().zip([(false, "all alike"), (true, "by types")]) {
            let (validation, test) = learn(flags, &graph, typed, seed, &device)?;
            say(format_args!(
                "seed {seed}, {name}: {test:.4} of the test papers right"
            ));
            *mean += test / seeds as f64;
            if i == 0 {
                lines.push(Curve::numbered(name, validation));
            }
        }
    }
    let [alike, typed] = means;
    say(format_args!(
        "types are worth {:.1} points",
        100. * (typed - alike)
    ));
    if let Some(path) = &chart {
        let (title, axes) = (
            "Fields of papers, with the types of nodes and edges and without",
            ("step", "accuracy on the validation papers"),
        );
        plot::curves(title, axes, &lines)?.save(path)?;
        say(format_args!("wrote {}", path.display()));
    }
    if flags.common.smoke {
        expect_at_least("the accuracy", typed, SMOKE_ACCURACY)?;
        expect_above("the accuracy", typed, "without types", alike)?;
    }
    figure("homogeneous accuracy", alike);
    figure("test accuracy", typed);
    Ok(())
}
