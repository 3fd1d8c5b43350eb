//! The encoder–decoder Transformer translates dates: from the many ways in which they are written to ISO 8601.

use clap::Parser;
use sconce::candle_core::{D, DType, Device, Module, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, no_grad, parse_device};
use sconce::data::TensorDataset;
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{EpochRecord, FitConfig, Sample, Trainer};
use sconce::transformer::{
    DecoderMasks, EncoderMasks, GenerateConfig, PositionalEncoding, PositionalEncodingConfig, Transformer,
    TransformerConfig, TransformerEncoderLayerConfig, TransformerMasks, generate,
};
use sconce_examples::dates::{self, Date};
use sconce_examples::plot::matrix;
use sconce_examples::{
    Common, Draws, MOST, MOST_LAYERS, Result, Saving, expect_at_least, figure, in_folder, in_range, say,
    warm_up_then_cosine, whole,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains a Transformer to translate written dates, such as "3rd of March 2021" or "Mar 3, '21", to 2021-03-03.
///
/// It reads and writes characters, and learns from examples alone. The dates are generated, and those that it is tested on don't
/// occur in training, however written. The last line is its figure: the part of the test dates that it gets right to the last
/// character.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// How often to go through the training set [default: 8; smoke: 5]
    #[arg(long)]
    epochs: Option<usize>,
    /// Written dates to train with [default: 10000; smoke: 4000]
    #[arg(long)]
    dates: Option<usize>,
    /// Dates in a batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate at its highest: it rises over the first tenth of the run and falls to 0 along a cosine
    #[arg(long, default_value_t = 0.002, allow_negative_numbers = true)]
    lr: f64,
    /// Width of the model
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Layers of the encoder, and as many of the decoder
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Heads of the attention, which divide the width
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Draw where the decoder looks as it writes a date: attention.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    common: Common,
}

const DROPOUT: f64 = 0.;
const TEST: usize = 500;
/// Test dates that are shown after each epoch.
const SHOWN: usize = 3;
/// On the page about the run.
const SHOWN_ON_PAGE: usize = 12;
const SMOKE_MATCH: f64 = 0.5;

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    let (seed, smoke) = (flags.common.seed, flags.common.smoke);
    let picture = in_folder(flags.out.as_deref(), "attention.png")?;
    let count = flags.dates.unwrap_or(if smoke { 4000 } else { 10_000 });
    let epochs = flags.epochs.unwrap_or(if smoke { 5 } else { 8 });
    in_range("--dates", count, 1..=MOST)?;
    in_range("--epochs", epochs, 1..=MOST)?;
    in_range("--layers", flags.layers, 1..=MOST_LAYERS)?;
    let (train, test) = dates::drawn(count, TEST, &Draws::new(seed, "dates"));
    let store = ParamStore::new(DType::F32, &device).seeded(seed);
    let net = Net::new(flags, &store)?;
    let adam = AdamConfig {
        lr: flags.lr,
        ..AdamConfig::default()
    };
    let loss = |logits: &Tensor, next: &Tensor| {
        cross_entropy(&logits.flatten_to(1)?, &next.flatten_all()?, Reduction::Mean)
    };
    let shown = test.get(..SHOWN).unwrap_or_default();
    let show = |_: &EpochRecord| {
        for (date, translation) in shown.iter().zip(net.translate(shown, &device)?) {
            say(format_args!("  {} → {translation}", date.written));
        }
        Ok(ControlFlow::Continue(()))
    };
    let mut trainer = Trainer::new(&net, &store, Box::new(Adam::new(&adam, &store)?), loss)
        .with_schedule(warm_up_then_cosine(flags.lr))
        .with_callback(show);
    say(format_args!(
        "a Transformer of {} parameters; {count} written dates to train with, {TEST} to test",
        store.num_trainable()
    ));
    let files = flags.saving.run::<Flags>(&[])?;
    let cfg = FitConfig {
        checkpoints: files.checkpoints(),
        shuffle: Some(seed),
        ..FitConfig::new(epochs, flags.batch_size)
    };
    let history = whole(trainer.fit(&pairs(&train)?, &cfg)?)?;

    let translated = net.translate(&test, &device)?;
    let right = test
        .iter()
        .zip(&translated)
        .filter(|(date, translation)| date.iso == **translation);
    let matched = right.count() as f64 / TEST as f64;
    files.report("A Transformer rewrites dates", (&cfg, &history), |page| {
        let samples = test.iter().zip(&translated).take(SHOWN_ON_PAGE);
        let samples = samples.map(|(date, translation)| Sample::text(&date.written, translation, &date.iso));
        Ok(page.with_score("exact match", matched).with_samples(samples))
    })?;
    if let Some(path) = &picture {
        draw(&net, shown.first(), &device, path)?;
    }
    if smoke {
        expect_at_least("the part of the dates that is right", matched, SMOKE_MATCH)?;
    }
    figure("exact match", matched);
    Ok(())
}

/// What the network reads, `[dates, source + target]`: the written date, and the translation but for its last character; and
/// the translation from its first character on, `[dates, target]`.
fn pairs(all: &[Date]) -> Result<TensorDataset> {
    let (mut inputs, mut targets) = (Vec::<u32>::new(), Vec::<u32>::new());
    for date in all {
        let translation = date.target();
        inputs.extend(date.source());
        inputs.extend(translation.get(..dates::TARGET).unwrap_or_default());
        targets.extend(translation.get(1..).unwrap_or_default());
    }
    let inputs = Tensor::from_vec(inputs, (all.len(), dates::SOURCE + dates::TARGET), &Device::Cpu)?;
    let targets = Tensor::from_vec(targets, (all.len(), dates::TARGET), &Device::Cpu)?;
    Ok(TensorDataset::new(&inputs, &targets)?)
}

/// The Transformer between embeddings with sinusoidal positions and a linear layer that scores characters.
struct Net {
    embedding: Embedding,
    positions: PositionalEncoding,
    transformer: Transformer,
    head: Linear,
}

impl Net {
    fn new(flags: &Flags, store: &ParamStore) -> Result<Self> {
        let vb = store.builder();
        let width = flags.width;
        let positions = PositionalEncodingConfig {
            dropout: DROPOUT,
            max_len: dates::SOURCE.max(dates::TARGET),
            batch_first: true,
            ..PositionalEncodingConfig::new(width)
        };
        let layer = TransformerEncoderLayerConfig {
            dim_feedforward: width.saturating_mul(2),
            dropout: DROPOUT,
            batch_first: true,
            norm_first: true,
            ..TransformerEncoderLayerConfig::new(width, flags.heads)
        };
        let cfg = TransformerConfig {
            num_encoder_layers: flags.layers,
            num_decoder_layers: flags.layers,
            layer,
        };
        let characters = dates::VOCABULARY.chars().count();
        Ok(Self {
            transformer: Transformer::new(&cfg, vb.pp("transformer"))?,
            embedding: Embedding::new(&EmbeddingConfig::new(characters, width), vb.pp("embedding"))?,
            positions: PositionalEncoding::new(&positions)?,
            head: Linear::new(&LinearConfig::new(width, characters), vb.pp("head"))?,
        })
    }

    fn embed(&self, ids: &Tensor, first: usize, train: bool) -> CandleResult<Tensor> {
        self.positions
            .forward_from(&self.embedding.forward(ids)?, first, train)
    }

    /// What the encoder makes of written dates `[dates, source]`, and which characters of them are padding.
    fn memory(&self, source: &Tensor, train: bool) -> CandleResult<(Tensor, Tensor)> {
        let padding = source.eq(dates::PAD)?;
        let masks = EncoderMasks {
            src_key_padding_mask: Some(&padding),
            ..EncoderMasks::default()
        };
        let x = self.embed(source, 0, train)?;
        Ok((self.transformer.encoder().forward_t(&x, &masks, train)?, padding))
    }

    /// The likeliest translations, character by character.
    fn translate(&self, dates: &[Date], device: &Device) -> sconce::core::Result<Vec<String>> {
        let source = dates.iter().flat_map(Date::source).collect();
        let source = Tensor::from_vec(source, (dates.len(), dates::SOURCE), device)?;
        let (memory, padding) = no_grad(|| self.memory(&source, false))?;
        let prompt = Tensor::full(dates::START, (dates.len(), 1), device)?;
        let decoder = self.transformer.decoder();
        let cfg = GenerateConfig {
            eos_token_id: Some(dates::END),
            ..GenerateConfig::new(dates::TARGET)
        };
        let ids = generate(&prompt, &cfg, &mut decoder.cache(), None, |ids, cache| {
            let x = self.embed(ids, cache.len(), false)?;
            self.head
                .forward(&decoder.step(&x, &memory, Some(&padding), cache)?)
        })?;
        let rows = ids.to_dtype(DType::U32)?.to_vec2::<u32>()?;
        Ok(rows.iter().map(|ids| dates::decode(ids)).collect())
    }
}

impl ModuleT for &Net {
    fn forward_t(&self, x: &Tensor, train: bool) -> CandleResult<Tensor> {
        let source = self.embed(&x.narrow(1, 0, dates::SOURCE)?, 0, train)?;
        let target = self.embed(&x.narrow(1, dates::SOURCE, dates::TARGET)?, 0, train)?;
        let padding = x.narrow(1, 0, dates::SOURCE)?.eq(dates::PAD)?;
        let masks = TransformerMasks {
            tgt_is_causal: true,
            src_key_padding_mask: Some(&padding),
            memory_key_padding_mask: Some(&padding),
            ..TransformerMasks::default()
        };
        self.head
            .forward(&self.transformer.forward_t(&source, &target, &masks, train)?)
    }
}

/// Draws how much the decoder's last layer attends to each character that it reads, for each that it writes.
fn draw(net: &Net, date: Option<&Date>, device: &Device, path: &Path) -> Result<()> {
    let Some(date) = date else { return Ok(()) };
    let source = Tensor::from_vec(date.source(), (1, dates::SOURCE), device)?;
    let target = date.target();
    let target = Tensor::new(target.get(..dates::TARGET).unwrap_or_default(), device)?.unsqueeze(0)?;
    let weights = no_grad(|| {
        let (memory, padding) = net.memory(&source, false)?;
        let masks = DecoderMasks {
            tgt_is_causal: true,
            memory_key_padding_mask: Some(&padding),
            ..DecoderMasks::default()
        };
        let target = net.embed(&target, 0, false)?;
        net.transformer
            .decoder()
            .attention_to_memory(&target, &memory, &masks)
    })?;
    let Some(last) = weights.last() else { return Ok(()) };
    let (read, wrote) = (date.written.chars().count(), date.iso.chars().count());
    let last = last.reshape(((), dates::TARGET, dates::SOURCE))?.mean(0)?;
    let last = last
        .narrow(0, 0, wrote)?
        .narrow(D::Minus1, 0, read)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let names = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    matrix(
        path,
        "What is read for each character written",
        &names(&date.iso),
        &names(&date.written),
        &last,
    )?;
    say(format_args!("wrote {}", path.display()));
    Ok(())
}
