//! BERT reads sentences that nobody labelled, and then needs few labels to tell what new ones speak of.

use clap::Parser;
use sconce::candle_core::{DType, Device, Tensor};
use sconce::candle_nn::func_t;
use sconce::core::{ParamStore, Parameters, parse_device};
use sconce::data::TensorDataset;
use sconce::losses::{Reduction, cross_entropy};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{Accuracy, FitConfig, Progress, Trainer};
use sconce::transformer::models::{BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs};
use sconce_examples::sentences::{KINDS, LENGTH, Language, PAD, Sentences};
use sconce_examples::{
    Common, Draws, Failure, MOST, MOST_LAYERS, Result, Saving, expect_at_least, figure, in_range, say,
    seed_for, warm_up_then_cosine, whole,
};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pre-trains a BERT on generated sentences without labels, fine-tunes it on few sentences with labels, and trains the same
/// network on these few alone.
///
/// The sentences speak of animals, tools, dishes and vehicles by made-up words, which don't show what they mean; only what a
/// thing does in the unlabelled sentences gives it away. A labelled sentence doesn't say what the thing does: "where is the
/// dobi". So few labels teach a few words, unless the words are known already. The last lines are its figures: the parts of
/// the test sentences that either network classifies rightly, as means over the seeds.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Steps of pre-training, each on fresh sentences; 0 for none [default: 1500; smoke: 1000]
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "1500")]
    pretrain: Option<usize>,
    /// Things of each kind
    #[arg(long, default_value_t = 20)]
    things: usize,
    /// Labelled sentences to fine-tune on
    #[arg(long, default_value_t = 32)]
    labelled: usize,
    /// How often to go through them
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// How often to do it all, with seeds that follow --seed [default: 3; smoke: 1]
    #[arg(long)]
    seeds: Option<u64>,
    /// Sentences in a step of pre-training
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Adam's learning rate in pre-training at its highest: it rises over the first tenth and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.003, allow_negative_numbers = true)]
    lr: f64,
    /// Width of the model
    #[arg(long, default_value_t = 48)]
    hidden: usize,
    /// Layers
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Heads of the attention, which divide the width
    #[arg(long, default_value_t = 4)]
    heads: usize,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const FINE_LR: f64 = 0.001;
const FINE_BATCH: usize = 16;
/// More words than these can't be made up.
const MOST_THINGS: usize = 1000;
const EVALUATION_BATCH: usize = 100;
const SMOKE_GAIN: f64 = 0.05;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let smoke = flags.common.smoke;
    let seeds = flags.seeds.unwrap_or(if smoke { 1 } else { 3 });
    for (flag, value, range) in [
        ("--seeds", seeds as usize, 1..=MOST),
        ("--things", flags.things, 1..=MOST_THINGS),
        ("--labelled", flags.labelled, 1..=MOST),
        ("--epochs", flags.epochs, 1..=MOST),
        ("--batch-size", flags.batch_size, 1..=MOST),
        ("--layers", flags.layers, 0..=MOST_LAYERS),
        (
            "--pretrain",
            flags.pretrain.unwrap_or(0),
            0..=MOST / flags.batch_size.max(1),
        ),
    ] {
        in_range(flag, value, range)?;
    }
    let (mut with, mut without) = (0., 0.);
    for seed in (0..seeds).map(|i| flags.common.seed.wrapping_add(i)) {
        let (pretrained, scratch) = compare(flags, seed, &device)?;
        say(format_args!(
            "seed {seed}: accuracy {pretrained:.4} after pre-training, {scratch:.4} from scratch"
        ));
        with += pretrained / seeds as f64;
        without += scratch / seeds as f64;
    }
    if smoke {
        expect_at_least(
            "what pre-training adds to the accuracy",
            with - without,
            SMOKE_GAIN,
        )?;
    }
    figure("scratch accuracy", without);
    figure("pretrained accuracy", with);
    Ok(())
}

/// The accuracies after pre-training and from scratch, in a language of the seed's.
fn compare(flags: &Flags, seed: u64, device: &Device) -> Result<(f64, f64)> {
    let draws = Draws::new(seed, "sentences");
    let language = Language::new(flags.things, &draws);
    let steps = flags
        .pretrain
        .unwrap_or(if flags.common.smoke { 1000 } else { 1500 });
    // Each sentence is either for learning or for the test.
    let questions = language.questions(&draws);
    let Some((few, rest)) = questions
        .split_at_checked(flags.labelled)
        .filter(|(_, rest)| !rest.is_empty())
    else {
        let message = format!(
            "--labelled is {}, expected less than all {} sentences",
            flags.labelled,
            questions.len()
        );
        return Err(Failure::new(message));
    };
    let (labelled, test) = (labelled(few)?, labelled(rest)?);
    let cfg = BertConfig {
        hidden_size: flags.hidden,
        num_hidden_layers: flags.layers,
        num_attention_heads: flags.heads,
        intermediate_size: flags.hidden.saturating_mul(2),
        hidden_dropout_prob: 0.,
        attention_probs_dropout_prob: 0.,
        max_position_embeddings: LENGTH,
        pad_token_id: Some(PAD as usize),
        num_labels: KINDS,
        initializer_range: 0.1,
        ..BertConfig::new(language.words())
    };
    let known = ParamStore::new(DType::F32, device).seeded(seed);
    if steps > 0 {
        pretrain(flags, &cfg, &language, steps, (&known, seed), &draws)?;
    }
    let run =
        |known: Option<(&ParamStore, usize)>| fine_tune(flags, &cfg, known, [&labelled, &test], seed, device);
    Ok((run(Some((&known, steps)))?, run(None)?))
}

/// Trains on sentences of which some words are hidden and must be guessed.
fn pretrain(
    flags: &Flags,
    cfg: &BertConfig,
    language: &Language,
    steps: usize,
    (store, seed): (&ParamStore, u64),
    draws: &Draws,
) -> Result<()> {
    let bert = BertForMaskedLm::new(cfg, store.builder())?;
    let model = func_t(|ids, train| {
        let kept = ids.ne(PAD)?;
        bert.forward_t(ids, &seeing(&kept), train)
    });
    let loss = |logits: &Tensor, hidden: &Tensor| {
        cross_entropy(&logits.flatten_to(1)?, &hidden.flatten_all()?, Reduction::Mean)
    };
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let mut trainer = Trainer::new(model, store, Box::new(Adam::new(&adam, store)?), loss)
        .with_schedule(warm_up_then_cosine(flags.lr));
    let count = steps.saturating_mul(flags.batch_size);
    say(format_args!(
        "pre-training on {count} sentences such as \"{}\"; {} parameters",
        language.text(&language.sentence(&Draws::new(0, "sentence"))),
        store.num_trainable()
    ));
    let Sentences { ids, hidden } = language.masked(count, draws);
    let shape = (count, LENGTH);
    let data = TensorDataset::new(
        &Tensor::from_vec(ids, shape, &Device::Cpu)?,
        &Tensor::from_vec(hidden, shape, &Device::Cpu)?,
    )?;
    let files = flags
        .saving
        .run::<Flags>(&[&format!("seed-{seed}"), "pretraining"])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: None,
        ..FitConfig::new(1, flags.batch_size)
    };
    let history = whole(trainer.fit(&data, &cfg)?)?;
    files.report("BERT guesses hidden words", (&cfg, &history), Ok)
}

/// Trains a classifier, which begins with what is known after so many steps if anything is; its accuracy on the test.
fn fine_tune(
    flags: &Flags,
    cfg: &BertConfig,
    known: Option<(&ParamStore, usize)>,
    [labelled, test]: [&TensorDataset; 2],
    seed: u64,
    device: &Device,
) -> Result<f64> {
    let store = ParamStore::new(DType::F32, device).seeded(seed_for(seed, "classifier"));
    let bert = BertForSequenceClassification::new(cfg, store.builder())?;
    let run = if known.is_some() { "pretrained" } else { "scratch" };
    let (known, steps) = known.map_or_else(Default::default, |(store, steps)| {
        (store.named_parameters(), steps)
    });
    for (name, var) in store.named_parameters() {
        // The head that guessed words stays behind; pooler and classifier are new.
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == name) {
            var.set(value)?;
        }
    }
    let model = func_t(|ids, train| {
        let kept = ids.ne(PAD)?;
        bert.forward_t(ids, &seeing(&kept), train)
    });
    let adam = AdamConfig {
        lr: FINE_LR,
        ..AdamConfig::default()
    };
    let loss = |logits: &Tensor, kinds: &Tensor| cross_entropy(logits, kinds, Reduction::Mean);
    let mut trainer = Trainer::new(model, &store, Box::new(Adam::new(&adam, &store)?), loss)
        .with_metric(Accuracy::default());
    let files = flags
        .saving
        .run::<Flags>(&[&format!("seed-{seed}"), run])?
        .with_setting("pretrain", steps.to_string());
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(seed),
        progress: Progress::Notices,
        ..FitConfig::new(flags.epochs, FINE_BATCH)
    };
    let history = whole(trainer.fit(labelled, &cfg)?)?;
    let scores = trainer.evaluate(test, EVALUATION_BATCH)?;
    files.report(
        &format!("BERT classifies questions, {run}"),
        (&cfg, &history),
        |page| Ok(page.with_scores("test", &scores)),
    )?;
    Ok(scores.metric("accuracy").unwrap_or(f64::NAN))
}

/// What the network takes besides the words: which of them aren't padding.
fn seeing(kept: &Tensor) -> BertInputs<'_> {
    BertInputs {
        attention_mask: Some(kept),
        ..BertInputs::default()
    }
}

/// Sentences `[count, length]` with what kind of thing they speak of.
fn labelled(questions: &[(Vec<u32>, usize)]) -> Result<TensorDataset> {
    let ids = questions
        .iter()
        .flat_map(|(ids, _)| ids.iter().copied())
        .collect();
    let ids = Tensor::from_vec(ids, (questions.len(), LENGTH), &Device::Cpu)?;
    let kinds = questions.iter().map(|(_, kind)| *kind as u32);
    Ok(TensorDataset::new(
        &ids,
        &Tensor::from_iter(kinds, &Device::Cpu)?,
    )?)
}
