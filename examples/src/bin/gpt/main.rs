//! A GPT that writes characters: Shakespeare's, or sums that come out right.

mod text;

use clap::{Parser, ValueEnum};
use sconce::candle_core::{DType, Device, Tensor};
use sconce::core::{Generator, ParamStore, parse_device};
use sconce::losses::{Reduction, cross_entropy};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{EpochRecord, FitConfig, Progress, Trainer, Validation, summary};
use sconce::transformer::models::{Gpt, GptConfig};
use sconce::transformer::{GenerateConfig, Sampling, generate};
use sconce_examples::{
    Common, Failure, MOST, MOST_LAYERS, Result, Saving, expect_at_least, figure, in_range, say, seed_for,
    warm_up_then_cosine, whole,
};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use text::{Text, Windows};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a GPT to say which character comes next, and has it write.
///
/// On tiny Shakespeare (from `cargo xtask data shakespeare`) it learns to write plays; on generated sums, which need no
/// download, it learns to add, and is asked for sums that it never saw. The last lines are its figures: the validation loss a
/// character, in nats, and on sums the part of the unseen ones that it gets right.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// What to learn; auto: shakespeare where its text is found, else sums
    #[arg(long, value_enum, default_value_t = Set::Auto)]
    dataset: Set,
    /// Where data sets lie [default: $SCONCE_DATA, or the user's cache folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Steps of training [default: shakespeare 1200, sums 1000; smoke: 300]
    #[arg(long)]
    steps: Option<usize>,
    /// Windows of text in a step [default: shakespeare 16, sums 32]
    #[arg(long)]
    batch_size: Option<usize>,
    /// Characters in a window [default: shakespeare 64, sums 30: three lines]
    #[arg(long)]
    block: Option<usize>,
    /// Adam's learning rate at its highest: it rises over the first tenth of the run and falls to 0 along a cosine [default:
    /// shakespeare 0.002, sums 0.006]
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Width of the model [default: shakespeare 128, sums 64]
    #[arg(long)]
    width: Option<usize>,
    /// Layers [default: shakespeare 4, sums 3]
    #[arg(long)]
    layers: Option<usize>,
    /// Heads of the attention, which divide the width
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// What the model writes is drawn from its probabilities^(1/T): a lower T is bolder, 0 takes the likeliest
    #[arg(long, default_value_t = 0.8, value_name = "T", allow_negative_numbers = true)]
    temperature: f64,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Shakespeare's plays where their text is found, else sums
    Auto,
    /// From the data folder, by `cargo xtask data shakespeare`
    Shakespeare,
    /// Made up
    Sums,
}

/// How often the model is looked at, validated and made to write.
const ROUNDS: usize = 5;
const WRITTEN: usize = 200;
/// Sums that are shown.
const SHOWN: usize = 10;
const SMOKE_STEPS: usize = 300;
const SMOKE_MATCH: f64 = 0.5;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let seed = flags.common.seed;
    let set = if flags.common.smoke {
        Set::Sums
    } else {
        flags.dataset
    };
    let text = Text::load(set, flags.data.as_deref(), seed)?;
    let is_sums = !text.asked.is_empty();
    let pick = |shakespeare, sums| if is_sums { sums } else { shakespeare };
    let block = flags.block.unwrap_or(pick(64, 30));
    let batch_size = flags.batch_size.unwrap_or(pick(16, 32));
    let steps = match flags.common.smoke {
        true => SMOKE_STEPS,
        false => pick(1200, 1000),
    };
    let steps = flags.steps.unwrap_or(steps);
    in_range("--steps", steps, 1..=MOST)?;
    in_range("--batch-size", batch_size, 1..=MOST)?;
    in_range("--layers", flags.layers.unwrap_or(1), 0..=MOST_LAYERS)?;
    if !(flags.temperature >= 0. && flags.temperature.is_finite()) {
        let message = format!(
            "--temperature is {}, expected a number of at least 0",
            flags.temperature
        );
        return Err(Failure::new(message));
    }
    // A sum must fit in.
    let least = text
        .asked
        .first()
        .map_or(1, |(question, answer)| question.len() + answer.len());
    in_range("--block", block, least..=text.validation.len() - 1)?;

    let store = ParamStore::new(DType::F32, &device).seeded(seed);
    let cfg = GptConfig {
        n_positions: block,
        n_embd: flags.width.unwrap_or(pick(128, 64)),
        n_layer: flags.layers.unwrap_or(pick(4, 3)),
        n_head: flags.heads,
        resid_pdrop: 0.,
        embd_pdrop: 0.,
        attn_pdrop: 0.,
        initializer_range: if is_sums { 0.1 } else { 0.02 },
        ..GptConfig::new(text.vocabulary.len())
    };
    let gpt = Gpt::new(&cfg, store.builder())?;
    let lr = flags.lr.unwrap_or(if is_sums { 0.006 } else { 0.002 });
    let adam = AdamConfig {
        lr,
        betas: (0.9, 0.99),
        ..AdamConfig::default()
    };
    let adam = Adam::new(&adam, &store)?;
    let loss = |logits: &Tensor, next: &Tensor| {
        cross_entropy(&logits.flatten_to(1)?, &next.flatten_all()?, Reduction::Mean)
    };
    say(format_args!(
        "{} characters to train with, {} to validate; a GPT of {} parameters, {block} characters at a time",
        text.train.len(),
        text.validation.len(),
        store.num_trainable()
    ));

    // Each round is an epoch to the trainer.
    let in_round = steps.div_ceil(ROUNDS);
    let rounds = steps.div_ceil(in_round);
    let steps = in_round * rounds;
    let train = Windows::drawn(&text, block, steps.saturating_mul(batch_size), seed);
    let validation = Windows::spread(&text, block);
    let look = |record: &EpochRecord| {
        let reached = record.validation.as_ref().map_or(f64::NAN, |scores| scores.loss);
        say(format_args!(
            "step {}/{steps}: loss {:.4}, validation loss {reached:.4}, {:.0} ms a step",
            record.epoch * in_round,
            record.train_loss,
            1000. * record.seconds / in_round as f64
        ));
        if is_sums {
            let matched = exact_match(&gpt, &text, &device)?;
            say(format_args!("unseen sums right: {matched:.4}"));
        }
        let writer = Writer {
            gpt: &gpt,
            block,
            sampling: sampling(flags.temperature),
            random: Generator::new(seed_for(seed, "samples")),
        };
        let written = match is_sums {
            true => writer.answer(&text, &device)?,
            false => writer.write(&text, &device)?,
        };
        say(format_args!("| {}", written.trim().replace('\n', "\n| ")));
        Ok(ControlFlow::Continue(()))
    };
    let mut trainer = Trainer::new(gpt.clone(), &store, Box::new(adam), loss)
        .with_schedule(warm_up_then_cosine(lr))
        .with_callback(look);
    let files = flags
        .saving
        .run::<Flags>(&[])?
        .with_setting("text", text.checksum());
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: None,
        steps_per_epoch: Some(in_round),
        validation: Validation::Set(&validation),
        progress: Progress::Notices,
        ..FitConfig::new(rounds, batch_size)
    };
    let history = whole(trainer.fit(&train, &cfg)?)?;
    files.report("A GPT", (&cfg, &history), |page| {
        Ok(page.with_summary(&summary(&store)))
    })?;
    let last = history.epochs.last().and_then(|epoch| epoch.validation.as_ref());
    let reached = last.map_or(f64::NAN, |scores| scores.loss);
    let matched = match is_sums {
        true => exact_match(&gpt, &text, &device)?,
        false => f64::NAN,
    };
    if flags.common.smoke {
        expect_at_least("the part of the unseen sums that is right", matched, SMOKE_MATCH)?;
    }
    figure("validation loss", reached);
    if is_sums {
        figure("exact match", matched);
    }
    Ok(())
}

fn sampling(temperature: f64) -> Sampling {
    match temperature {
        0. => Sampling::Greedy,
        temperature => Sampling::Random {
            temperature,
            top_k: None,
            top_p: None,
        },
    }
}

/// Has the model go on by itself.
struct Writer<'a> {
    gpt: &'a Gpt,
    block: usize,
    sampling: Sampling,
    random: Generator,
}

impl Writer<'_> {
    /// Answers to the first unseen questions.
    fn answer(&self, text: &Text, device: &Device) -> sconce::core::Result<String> {
        let asked: Vec<_> = text.asked.iter().take(SHOWN).collect();
        let prompts: Vec<_> = asked.iter().map(|(question, _)| text.encode(question)).collect();
        let cfg = GenerateConfig {
            sampling: self.sampling,
            ..GenerateConfig::new(asked.first().map_or(0, |(_, answer)| answer.len()))
        };
        let written = continued(self.gpt, &prompts, &cfg, &self.random, device)?;
        Ok(written.iter().map(|ids| text.decode(ids) + "\n").collect())
    }

    /// Some lines from a line's start on. When the model's window is full, it goes on from its second half.
    fn write(&self, text: &Text, device: &Device) -> sconce::core::Result<String> {
        let mut written = text.encode("\n");
        while written.len() < WRITTEN {
            let known = written.len().min(self.block.div_ceil(2));
            let prompt = written.split_off(written.len() - known);
            let cfg = GenerateConfig {
                sampling: self.sampling,
                ..GenerateConfig::new((self.block + 1 - known).min(WRITTEN))
            };
            written.extend(continued(self.gpt, &[prompt], &cfg, &self.random, device)?.concat());
        }
        Ok(text.decode(&written))
    }
}

/// Prompts of the same length with what the model puts behind them.
fn continued(
    gpt: &Gpt,
    prompts: &[Vec<u32>],
    cfg: &GenerateConfig,
    random: &Generator,
    device: &Device,
) -> sconce::core::Result<Vec<Vec<u32>>> {
    let prompts = Tensor::new(prompts.to_vec(), device)?;
    let step = |ids: &Tensor, cache: &mut _| gpt.step(ids, cache);
    let ids = generate(&prompts, cfg, &mut gpt.cache(), Some(random), step)?;
    Ok(ids.to_dtype(DType::U32)?.to_vec2()?)
}

/// The part of the unseen sums whose every digit is right, the likeliest character taken each time.
fn exact_match(gpt: &Gpt, text: &Text, device: &Device) -> sconce::core::Result<f64> {
    let prompts: Vec<_> = text
        .asked
        .iter()
        .map(|(question, _)| text.encode(question))
        .collect();
    let answer = text.asked.first().map_or(0, |(_, answer)| answer.len());
    let cfg = GenerateConfig::new(answer);
    let written = continued(gpt, &prompts, &cfg, &Generator::new(0), device)?;
    let is_right = |(ids, (question, answer)): &(&Vec<u32>, &(String, String))| {
        text.decode(ids) == format!("{question}{answer}")
    };
    let right = written.iter().zip(&text.asked).filter(is_right).count();
    Ok(right as f64 / text.asked.len() as f64)
}
