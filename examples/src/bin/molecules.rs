//! Classifies graphs of different sizes: which group do two oxygen atoms form in a molecule?

use clap::Parser;
use sconce::candle_core::{DType, Device, Module, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, parse_device};
use sconce::data::TensorDataset;
use sconce::gnn::{GinConv, GinConvConfig, Graph, GraphBatch, global_add_pool};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::{Linear, LinearConfig, Relu, Sequential};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{
    Accumulator, Accuracy, ConfusionMatrix, EpochRecord, FitConfig, Progress, Trainer, plot,
};
use sconce_examples::layout::spread;
use sconce_examples::plot::{Cloud, graphs};
use sconce_examples::{
    Common, Draws, MOST, MOST_LAYERS, Result, Saving, expect_at_least, figure, in_folder, in_range, say,
    whole,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learns to tell four kinds of molecules apart that have the same atoms: skeletons of carbon, with a ring or without, some
/// nitrogen, and two oxygen atoms, which form a diol, a geminal diol, a peroxide or a hydroxy ether. Only the bonds tell.
///
/// A graph isomorphism network sees batches of molecules of all sizes as one graph, and adds up the atoms of each. The last
/// lines are the figures, on molecules that it wasn't trained on: the part that a network finds which sees no bonds, and the part
/// that this one finds.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Molecules to train with [default: 2000; smoke: 600]
    #[arg(long)]
    molecules: Option<usize>,
    /// Times through them [default: 15; smoke: 10]
    #[arg(long)]
    epochs: Option<usize>,
    /// Length of an atom's hidden features
    #[arg(long, default_value_t = 32)]
    hidden: usize,
    /// Convolutions: how far an atom sees
    #[arg(long, default_value_t = 3)]
    layers: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.003, allow_negative_numbers = true)]
    lr: f64,
    /// Draw molecules of the test, with what they are and were taken for: molecules.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const KINDS: [&str; 4] = ["diol", "geminal diol", "peroxide", "hydroxy ether"];
/// Numbers of the elements; their places in an atom's features.
const CARBON: usize = 0;
const NITROGEN: usize = 1;
const OXYGEN: usize = 2;
const ELEMENTS: usize = 3;
const TEST: usize = 400;
const BATCH: usize = 32;
const DRAWN: usize = 12;
const SMOKE_ACCURACY: f64 = 0.9;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

#[derive(Debug, Default)]
struct Molecule {
    atoms: Vec<usize>,
    bonds: Vec<(usize, usize)>,
    kind: usize,
}

impl Molecule {
    /// Grows a molecule at random.
    fn grow(kind: usize, draws: &Draws) -> Self {
        let mut molecule = Self {
            kind,
            ..Self::default()
        };
        let ring = if draws.chance(0.5) { 5 + draws.below(2) } else { 1 };
        let carbons = ring.max(4) + draws.below(10);
        molecule.atoms = vec![CARBON; ring];
        molecule.bonds = (1..ring).map(|i| (i - 1, i)).collect();
        if ring > 1 {
            molecule.bonds.push((ring - 1, 0));
        }
        while molecule.atoms.len() < carbons {
            let at = molecule.carbon(2, draws);
            molecule.attach(CARBON, at);
        }
        let one = molecule.carbon(2, draws);
        let oxygen = molecule.attach(OXYGEN, one);
        let second = match KINDS.get(kind).copied() {
            Some("diol") => Some((one + 1 + draws.below(carbons - 1)) % carbons),
            Some("geminal diol") => Some(one),
            Some("peroxide") => Some(oxygen),
            // Into a bond of the skeleton.
            _ => {
                let bond = molecule.bonds.get_mut(draws.below(carbons - 1));
                bond.map(|(_, end)| std::mem::replace(end, oxygen + 1))
            }
        };
        molecule.attach(OXYGEN, second.unwrap_or(one));
        for _ in 0..draws.below(3) {
            let at = molecule.carbon(3, draws);
            molecule.attach(NITROGEN, at);
        }
        molecule
    }

    /// A carbon with at most so many bonds.
    fn carbon(&self, most: usize, draws: &Draws) -> usize {
        let degree = |i| self.bonds.iter().filter(|&&(a, b)| a == i || b == i).count();
        let fits = |i: &usize| self.atoms.get(*i) == Some(&CARBON) && degree(*i) <= most;
        let all: Vec<usize> = (0..self.atoms.len()).filter(fits).collect();
        all.get(draws.below(all.len())).copied().unwrap_or(0)
    }

    /// Adds an atom, bound to another, and gives its number.
    fn attach(&mut self, element: usize, to: usize) -> usize {
        self.bonds.push((to, self.atoms.len()));
        self.atoms.push(element);
        self.atoms.len() - 1
    }

    /// Its atoms with their elements, and each bond both ways, or no bonds.
    fn graph(&self, bonds: bool, device: &Device) -> Result<Graph> {
        let bonds = if bonds { self.bonds.as_slice() } else { &[] };
        let (from, to): (Vec<i64>, Vec<i64>) = bonds.iter().map(|&(a, b)| (a as i64, b as i64)).unzip();
        let ends = [from.as_slice(), &to, &to, &from].concat();
        let edges = Tensor::from_vec(ends, (2, 2 * bonds.len()), &Device::Cpu)?;
        let elements = self
            .atoms
            .iter()
            .flat_map(|&atom| (0..ELEMENTS).map(move |i| f32::from(u8::from(i == atom))));
        let x = Tensor::from_iter(elements, device)?.reshape((self.atoms.len(), ELEMENTS))?;
        Ok(Graph::new(self.atoms.len(), &edges)?.with_x(&x)?)
    }
}

/// Convolutions, the sum over each molecule's atoms, and a linear layer.
struct Net<'a> {
    graphs: &'a [Graph],
    convs: Vec<GinConv<Sequential>>,
    head: Linear,
}

impl<'a> Net<'a> {
    fn new(flags: &Flags, graphs: &'a [Graph], store: &ParamStore) -> Result<Self> {
        let (vb, hidden) = (store.builder(), flags.hidden);
        let conv = |i: usize| {
            let inputs = if i == 0 { ELEMENTS } else { hidden };
            GinConv::new(&GinConvConfig::default(), vb.pp(format!("conv{}", i + 1)), |vb| {
                Ok(Sequential::new()
                    .push(Linear::new(&LinearConfig::new(inputs, hidden), vb.pp("0"))?)
                    .push(Relu)
                    .push(Linear::new(&LinearConfig::new(hidden, hidden), vb.pp("2"))?)
                    .push(Relu))
            })
        };
        Ok(Self {
            graphs,
            convs: (0..flags.layers).map(conv).collect::<Result<_, _>>()?,
            head: Linear::new(&LinearConfig::new(hidden, KINDS.len()), vb.pp("head"))?,
        })
    }
}

impl ModuleT for Net<'_> {
    /// The logits of the molecules of these numbers.
    fn forward_t(&self, ids: &Tensor, train: bool) -> CandleResult<Tensor> {
        let numbers = ids.to_vec1::<u32>()?;
        let chosen = numbers
            .iter()
            .filter_map(|&id| self.graphs.get(id as usize).cloned());
        let batch = GraphBatch::new(&chosen.collect::<Vec<_>>())?;
        let mut x = batch.graph().x().cloned();
        for conv in &self.convs {
            x = x.map(|x| conv.forward_t(batch.graph(), &x, train)).transpose()?;
        }
        let x = x.map_or_else(|| Tensor::zeros((0, 0), DType::F32, ids.device()), Ok)?;
        self.head.forward(&global_add_pool(&x, Some(batch.index()))?)
    }
}

/// Trains a network on the molecules but the last, and gives its accuracy on those and what it takes them for.
fn learn(flags: &Flags, molecules: &[Molecule], bonds: bool, device: &Device) -> Result<(f64, Vec<usize>)> {
    let graphs = molecules.iter().map(|molecule| molecule.graph(bonds, device));
    let graphs = graphs.collect::<Result<Vec<_>>>()?;
    let kinds = Tensor::from_iter(molecules.iter().map(|molecule| molecule.kind as u32), device)?;
    let ids = Tensor::arange(0u32, molecules.len() as u32, device)?;
    let part = |from, count| -> Result<_> {
        Ok(TensorDataset::new(
            &ids.narrow(0, from, count)?,
            &kinds.narrow(0, from, count)?,
        )?)
    };
    let train = molecules.len() - TEST;
    let (train, test) = (part(0, train)?, part(train, TEST)?);

    let store = ParamStore::new(DType::F32, device).seeded(flags.common.seed);
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let net = Net::new(flags, &graphs, &store)?;
    let adam = Box::new(Adam::new(&adam, &store)?);
    let loss = |logits: &Tensor, kinds: &Tensor| cross_entropy(logits, kinds, Reduction::Mean);
    let mut trainer = Trainer::new(net, &store, adam, loss)
        .with_metric(Accuracy::default())
        .with_callback(move |epoch: &EpochRecord| {
            let (i, loss) = (epoch.epoch, epoch.train_loss);
            if bonds {
                say(format_args!("epoch {i}: loss {loss:.4}"));
            }
            Ok(ControlFlow::Continue(()))
        });
    let epochs = flags.epochs.unwrap_or(if flags.common.smoke { 10 } else { 15 });
    let run = if bonds { "bonds" } else { "no-bonds" };
    let files = flags.saving.run::<Flags>(&[run])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(flags.common.seed),
        progress: Progress::Notices,
        ..FitConfig::new(epochs, BATCH)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;
    let scores = trainer.evaluate(&test, BATCH)?;
    let logits = trainer.predict(test.features(), BATCH)?;
    files.report(&format!("Molecules, {run}"), (&cfg, &history), |page| {
        let mut matrix = ConfusionMatrix::default();
        matrix.update(&logits, test.targets())?;
        Ok(page
            .with_scores("test", &scores)
            .with_chart(plot::confusion_matrix(&matrix, &[] as &[&str])?))
    })?;
    let taken = logits.argmax(1)?.to_vec1::<u32>()?;
    let accuracy = scores.metric("accuracy").unwrap_or(f64::NAN);
    Ok((accuracy, taken.into_iter().map(|kind| kind as usize).collect()))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let smoke = flags.common.smoke;
    let count = flags.molecules.unwrap_or(if smoke { 600 } else { 2000 });
    in_range("--molecules", count, 1..=MOST)?;
    in_range("--epochs", flags.epochs.unwrap_or(1), 1..=MOST)?;
    in_range("--layers", flags.layers, 1..=MOST_LAYERS)?;
    let picture = in_folder(flags.out.as_deref(), "molecules.png")?;
    let draws = Draws::new(flags.common.seed, "molecules");
    let molecules: Vec<Molecule> = (0..count + TEST)
        .map(|i| Molecule::grow(i % KINDS.len(), &draws))
        .collect();
    let sizes = molecules.iter().map(|molecule| molecule.atoms.len());
    say(format_args!(
        "{count} molecules to train with, {TEST} to test with, of {} to {} atoms",
        sizes.clone().min().unwrap_or(0),
        sizes.max().unwrap_or(0)
    ));
    let (blind, _) = learn(flags, &molecules, false, &device)?;
    let (accuracy, taken) = learn(flags, &molecules, true, &device)?;
    if let Some(path) = &picture {
        draw(path, molecules.get(count..).unwrap_or_default(), &taken)?;
        say(format_args!("wrote {}", path.display()));
    }
    if smoke {
        expect_at_least("the accuracy", accuracy, SMOKE_ACCURACY)?;
    }
    figure("accuracy without bonds", blind);
    figure("test accuracy", accuracy);
    Ok(())
}

/// A sheet of molecules; those that were taken for something else come first.
fn draw(path: &Path, molecules: &[Molecule], taken: &[usize]) -> Result<()> {
    let name = |kind: usize| KINDS.get(kind).unwrap_or(&"?");
    let (right, wrong): (Vec<_>, Vec<_>) = molecules
        .iter()
        .zip(taken)
        .partition(|(molecule, taken)| molecule.kind == **taken);
    let shown = wrong.into_iter().take(DRAWN / 2).chain(right).take(DRAWN);
    let sheet = shown.map(|(molecule, &taken)| Cloud {
        title: match taken == molecule.kind {
            true => format!("{}: found", name(taken)),
            false => format!("{}: taken for {}", name(molecule.kind), name(taken)),
        },
        points: spread(molecule.atoms.len(), &molecule.bonds, 1),
        // Grey carbon, blue nitrogen, red oxygen.
        kinds: molecule
            .atoms
            .iter()
            .map(|&atom| [7, 1, 0].get(atom).copied().unwrap_or(7))
            .collect(),
        marked: (0..molecule.atoms.len()).collect(),
        joined: molecule.bonds.clone(),
    });
    graphs(path, &sheet.collect::<Vec<_>>(), 4)
}
