//! What a checkpoint holds beside tensors.

use super::file::Unusable;
use crate::{EpochRecord, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Of the format; another one is refused.
const VERSION: u32 = 5;

/// What a checkpoint holds beside tensors.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    version: u32,
    pub(crate) counts: Counts,
    pub(crate) recipe: Recipe,
    /// Of the trainer's own parameters and of each turn's, the names of those that aren't trained.
    pub(crate) frozen: BTreeMap<String, Vec<String>>,
    /// Of each generator, seed and position.
    pub(crate) generators: BTreeMap<String, (u64, u64)>,
    /// Sum, samples and steps of the epoch that is under way: the trainer's, then each turn's.
    pub(crate) losses: Vec<(Number, usize, usize)>,
    pub(crate) learning_rate: Number,
    /// Of the best epoch so far, the figure, less being better.
    pub(crate) best: Option<Number>,
    /// Whether a callback wanted no more.
    pub(crate) stopped: bool,
    /// Without what each epoch took: equal runs have equal checkpoints.
    pub(crate) history: Vec<EpochRecord>,
}

/// What a run's epochs took, in seconds. It stands beside the checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) epochs: Vec<f64>,
    /// What the epoch that is under way took so far, as of this step of the run.
    pub(crate) step: u64,
    pub(crate) seconds: f64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The epoch, from 0.
    pub(crate) epoch: usize,
    /// Batches of the epoch that are done.
    pub(crate) batch: usize,
    /// How many times the whole training set was gone through, and the batches of the next time that are done: the epoch and its
    /// batches, unless epochs end after a number of steps.
    pub(crate) pass: u64,
    pub(crate) next: usize,
    /// Steps that are done since the run began.
    pub(crate) step: u64,
}

/// What must be the same for a run to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) samples: usize,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: Option<u64>,
    pub(crate) drop_last: bool,
    /// What the sampler's options hash to.
    pub(crate) sampler: Option<String>,
    pub(crate) accumulate: usize,
    pub(crate) steps_per_epoch: Option<usize>,
    pub(crate) train_metrics: bool,
    /// Names of the rules: the trainer's, then each turn's.
    pub(crate) optimizers: Vec<String>,
    /// Of each rule, the rates that it was made with.
    pub(crate) rates: Vec<Rates>,
    /// Names of what changes the learning rate.
    pub(crate) schedules: Vec<String>,
    /// What the program says of itself.
    pub(crate) settings: BTreeMap<String, String>,
}

/// The numbers of a rule that schedules change, a value for each group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rates {
    pub(crate) learning_rates: Vec<Number>,
    pub(crate) momenta: Vec<Number>,
}

/// A number to the bit; JSON has no words for NaN and the infinities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(crate) struct Number(pub(crate) f64);

impl From<u64> for Number {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Number> for u64 {
    fn from(number: Number) -> Self {
        number.0.to_bits()
    }
}

impl Content {
    pub(crate) fn new(counts: Counts, recipe: Recipe, history: &[EpochRecord]) -> Self {
        let mut history = history.to_vec();
        for record in &mut history {
            record.seconds = 0.;
        }
        Self {
            version: VERSION,
            counts,
            recipe,
            frozen: BTreeMap::new(),
            generators: BTreeMap::new(),
            losses: Vec::new(),
            learning_rate: Number(f64::NAN),
            best: None,
            stopped: false,
            history,
        }
    }

    pub(super) fn text(&self) -> Result<String> {
        // Only numbers and strings, which JSON can say.
        serde_json::to_string(self).map_err(|error| candle_core::Error::wrap(error).into())
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Unusable> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Any {
            version: u32,
        }
        let damaged = |error| Unusable::damaged(path, error);
        let Any { version } = serde_json::from_str(text).map_err(damaged)?;
        if version != VERSION {
            let problem = format!("of format {version}, and this program reads {VERSION}");
            return Err(Unusable::other(path, problem));
        }
        let content: Self = serde_json::from_str(text).map_err(damaged)?;
        match content.contradiction() {
            Some(problem) => Err(Unusable::damaged(path, problem)),
            None => Ok(content),
        }
    }

    /// What no run can have come to, if there is such a thing in it. A checksum is easily put right.
    fn contradiction(&self) -> Option<String> {
        /// Far more than can be counted, and far from what counting on could overflow.
        const MOST: u64 = 1 << 53;
        let Counts {
            epoch,
            batch,
            pass,
            next,
            step,
        } = self.counts;
        if epoch != self.history.len() {
            let records = self.history.len();
            return Some(format!("{epoch} epochs are done, and {records} are recorded"));
        }
        if self.recipe.steps_per_epoch.is_none() && (pass, next) != (epoch as u64, batch) {
            return Some(format!(
                "epoch {epoch}, batch {batch} is said to be batch {next} of pass {pass}"
            ));
        }
        let sums = self.losses.iter();
        let sums = sums.flat_map(|&(_, samples, steps)| [samples as u64, steps as u64]);
        let most = MOST.min(usize::MAX as u64 / 2);
        let mut counts = [batch as u64, pass, next as u64, step].into_iter().chain(sums);
        let count = counts.find(|&count| count > most)?;
        Some(format!("counts up to {count}, expected at most {most}"))
    }
}
