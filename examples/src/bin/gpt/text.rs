//! Texts as numbers: plays, and sums.

use crate::Set;
use sconce::candle_core::{Device, Result as CandleResult, Tensor};
use sconce::data::{Dataset, data_dir};
use sconce_examples::{Draws, Failure, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Windows of the validation text that are looked at, evenly spread.
const EVALUATED: usize = 256;
/// Numbers in sums are below this.
const NUMBERS: u32 = 100;
const LINES: usize = 40_000;
/// One pair of numbers in this many is never seen in training.
const HELD_OUT: usize = 10;
const ASKED: usize = 500;

/// Characters as numbers, and what is held out.
pub(crate) struct Text {
    pub(crate) vocabulary: Vec<char>,
    pub(crate) train: Vec<u32>,
    pub(crate) validation: Vec<u32>,
    /// Windows start at multiples of this: sums at a line's start.
    unit: usize,
    /// Questions that training never saw, with their answers; none for Shakespeare.
    pub(crate) asked: Vec<(String, String)>,
}

impl Text {
    /// The text that the flags name. With auto, sums where there is no Shakespeare.
    pub(crate) fn load(set: Set, folder: Option<&Path>, seed: u64) -> Result<Self> {
        let folder = folder.map(Path::to_path_buf).or_else(data_dir);
        let path = folder.map(|folder| folder.join("shakespeare").join("input.txt"));
        match (set, path) {
            (Set::Auto, Some(path)) if path.exists() => Self::shakespeare(&path),
            (Set::Shakespeare, Some(path)) => Self::shakespeare(&path),
            (Set::Shakespeare, None) => Err(Failure::new(
                "no folder for data is known: set SCONCE_DATA, run `cargo xtask data shakespeare`, or give it by --data",
            )),
            (Set::Auto | Set::Sums, _) => Self::sums(seed),
        }
    }

    /// The first nine tenths to train with.
    fn shakespeare(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::at(path, format!("{error}; `cargo xtask data shakespeare` gets it")))?;
        let cut = text.char_indices().nth(text.chars().count() * 9 / 10);
        let (train, validation) = text.split_at(cut.map_or(0, |(at, _)| at));
        Self::new(train, validation, 1, Vec::new())
    }

    /// To train with, and to validate by sums that training never saw, all as frequent.
    ///
    /// Lines such as 07+35=240 for 42, the last digit first: so each digit of the sum depends on what is already there.
    fn sums(seed: u64) -> Result<Self> {
        let random = Draws::new(seed, "sums");
        let question = |pair: usize| {
            let (a, b) = (pair as u32 / NUMBERS, pair as u32 % NUMBERS);
            let answer: String = format!("{:03}", a + b).chars().rev().collect();
            (format!("{a:02}+{b:02}="), answer)
        };
        let line = |pair: usize| {
            let (question, answer) = question(pair);
            format!("{question}{answer}\n")
        };
        let pairs = random.permutation((NUMBERS * NUMBERS) as usize);
        let (unseen, _) = pairs.split_at(pairs.len() / HELD_OUT);
        let is_unseen: BTreeSet<usize> = unseen.iter().copied().collect();
        // If all digits were as frequent, one of two would say nothing about the last digit of their sum, and a network has
        // nothing to begin with. So smaller ones are more frequent: the lesser of two draws.
        let pair = || {
            let digit = || random.below(10).min(random.below(10));
            (0..4).fold(0, |pair, _| 10 * pair + digit())
        };
        let drawn = std::iter::repeat_with(pair).filter(|pair| !is_unseen.contains(pair));
        let train: String = drawn.take(LINES).map(line).collect();
        let validation: String = unseen.iter().copied().map(line).collect();
        let asked = unseen.iter().take(ASKED).copied().map(question).collect();
        Self::new(&train, &validation, line(0).len(), asked)
    }

    fn new(train: &str, validation: &str, unit: usize, asked: Vec<(String, String)>) -> Result<Self> {
        let mut vocabulary: Vec<char> = train.chars().chain(validation.chars()).collect();
        vocabulary.sort_unstable();
        vocabulary.dedup();
        if train.is_empty() || validation.chars().count() < 2 {
            return Err(Failure::new("the text is too short to train and validate with"));
        }
        let mut text = Self {
            vocabulary,
            train: Vec::new(),
            validation: Vec::new(),
            unit,
            asked,
        };
        text.train = text.encode(train);
        text.validation = text.encode(validation);
        Ok(text)
    }

    /// A few digits that tell it from other texts.
    pub(crate) fn checksum(&self) -> String {
        let all = self.train.iter().chain(&self.validation);
        let text: String = self.decode(&all.copied().collect::<Vec<_>>());
        format!("{:08x}", crc32fast::hash(text.as_bytes()))
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let place = |char| {
            self.vocabulary
                .binary_search(&char)
                .ok()
                .map(|place| place as u32)
        };
        text.chars().filter_map(place).collect()
    }

    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let char = |&id: &u32| self.vocabulary.get(id as usize);
        ids.iter().filter_map(char).collect()
    }
}

/// Pieces of a text, each with itself one character on.
pub(crate) struct Windows<'a> {
    text: &'a [u32],
    length: usize,
    count: usize,
    start: Box<dyn Fn(usize) -> usize + Send + Sync + 'a>,
}

impl<'a> Windows<'a> {
    /// So many pieces from anywhere in the text to train with.
    pub(crate) fn drawn(text: &'a Text, length: usize, count: usize, seed: u64) -> Self {
        let last = text.train.len().saturating_sub(length + 1) / text.unit;
        Self {
            text: &text.train,
            length,
            count,
            start: Box::new(move |i| Draws::at(seed, "windows", i).below(last + 1) * text.unit),
        }
    }

    /// Pieces from all over the text to validate with.
    pub(crate) fn spread(text: &'a Text, length: usize) -> Self {
        let last = text.validation.len().saturating_sub(length + 1) / text.unit;
        Self {
            text: &text.validation,
            length,
            count: EVALUATED,
            start: Box::new(move |i| i * last / EVALUATED * text.unit),
        }
    }
}

impl Dataset for Windows<'_> {
    fn len(&self) -> usize {
        self.count
    }

    fn get(&self, index: usize) -> CandleResult<(Tensor, Tensor)> {
        let start = (self.start)(index);
        let piece = |from: usize| {
            let piece = self.text.get(from..from.saturating_add(self.length));
            Tensor::new(piece.unwrap_or_default(), &Device::Cpu)
        };
        Ok((piece(start)?, piece(start.saturating_add(1))?))
    }
}
