//! A classifier that tells how many samples pass for digits.

use crate::{DIGITS, PIXELS};
use sconce::candle_core::{DType, Device, ModuleT, Result as CandleResult, Tensor};
use sconce::core::{ParamStore, no_grad};
use sconce::data::{Dataset, TensorDataset};
use sconce::losses::{Reduction, cross_entropy};
use sconce::nn::{Mlp, MlpConfig, softmax};
use sconce::optim::{Adam, AdamConfig};
use sconce::train::{Accuracy, FitConfig, Progress, Trainer};
use sconce_examples::{Draws, Result, Run, seed_for, whole};

/// The probability from which on a sample counts as recognised.
const SURE: f32 = 0.9;
const EPOCHS: usize = 20;
const LR: f64 = 0.002;
const BATCH: usize = 32;
const EVALUATION_BATCH: usize = 64;

/// A classifier of ten digits and of what is none.
pub(crate) struct Judge {
    net: Mlp,
    /// On real digits that it wasn't trained on.
    pub(crate) accuracy: f64,
}

/// What samples were taken for: the digit and its probability.
pub(crate) struct Verdict(Vec<(usize, f32)>);

impl Judge {
    /// Trains it.
    pub(crate) fn new(
        train: &dyn Dataset,
        test: &dyn Dataset,
        seed: u64,
        files: &Run,
        device: &Device,
    ) -> Result<Self> {
        let store = ParamStore::new(DType::F32, device).seeded(seed_for(seed, "judge"));
        let net = Mlp::new(&MlpConfig::new(PIXELS, [128], DIGITS + 1), store.builder())?;
        let adam = AdamConfig {
            lr: LR,
            ..AdamConfig::default()
        };
        let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);
        let adam = Adam::new(&adam, &store)?;
        let mut trainer =
            Trainer::new(net.clone(), &store, Box::new(adam), loss).with_metric(Accuracy::default());
        let cfg = FitConfig {
            checkpoints: files.checkpoints(),
            progress: Progress::Notices,
            shuffle: Some(seed),
            ..FitConfig::new(EPOCHS, BATCH)
        };
        let history = whole(trainer.fit(&with_none(train, seed)?, &cfg)?)?;
        let scores = trainer.evaluate(test, EVALUATION_BATCH)?;
        files.report("The judge of digits made of noise", (&cfg, &history), |page| {
            Ok(page.with_scores("test", &scores))
        })?;
        drop(trainer);
        let accuracy = scores.metric("accuracy").unwrap_or(f64::NAN);
        Ok(Self { net, accuracy })
    }

    /// What it takes pictures `[count, 64]` for.
    pub(crate) fn judge(&self, samples: &Tensor) -> CandleResult<Verdict> {
        let probabilities = no_grad(|| softmax(&self.net.forward_t(samples, false)?, 1))?;
        let best = |row: &Vec<f32>| {
            let best = row.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            best.unwrap_or((DIGITS, 0.))
        };
        Ok(Verdict(
            probabilities.to_vec2::<f32>()?.iter().map(best).collect(),
        ))
    }
}

/// Pictures and their digits, and as many of class 10 in which each pixel comes from another picture.
fn with_none(data: &dyn Dataset, seed: u64) -> Result<TensorDataset> {
    let count = data.len();
    let (pictures, labels) = data.batch(&(0..count).collect::<Vec<_>>())?;
    let random = Draws::new(seed, "no digits");
    let values = pictures.to_vec2::<f32>()?;
    let pixel = |i: usize| {
        values
            .get(random.below(count))
            .and_then(|row| row.get(i % PIXELS))
    };
    let mixed: Vec<f32> = (0..count * PIXELS).filter_map(pixel).copied().collect();
    let mixed = Tensor::from_vec(mixed, (count, PIXELS), pictures.device())?;
    let none = Tensor::full(DIGITS as u32, count, labels.device())?;
    let pictures = Tensor::cat(&[pictures, mixed], 0)?;
    Ok(TensorDataset::new(&pictures, &Tensor::cat(&[labels, none], 0)?)?)
}

impl Verdict {
    /// The surest sample of a digit, if one is recognised.
    pub(crate) fn surest(&self, digit: usize) -> Option<(usize, f32)> {
        let of = self.0.iter().enumerate().filter(|(_, taken)| taken.0 == digit);
        let of = of
            .map(|(i, taken)| (i, taken.1))
            .filter(|(_, sure)| *sure >= SURE);
        of.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The share of samples that are taken for a digit for sure.
    pub(crate) fn recognised(&self) -> f64 {
        let is = |taken: &&(usize, f32)| taken.0 < DIGITS && taken.1 >= SURE;
        self.0.iter().filter(is).count() as f64 / self.0.len().max(1) as f64
    }

    /// How many of the ten digits are recognised in some sample.
    pub(crate) fn covered(&self) -> usize {
        (0..DIGITS).filter(|&digit| self.surest(digit).is_some()).count()
    }
}
