//! Counts of each class, and the figures that are made of them.

use super::{Accumulator, inputs, state};
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// What a model's output predicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// At each position one of several classes, that of the largest output; of equal ones, the first.
    ///
    /// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
    Largest,
    /// Every label whose output lies above this: 0 for logits, 0.5 for probabilities.
    ///
    /// output `[batch, labels, *positions]`, or `[batch]` for a single label; target the same, 0 or 1
    Above(f64),
}

/// How the classes' figures become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The mean over the classes. One of [`Decision::Largest`]'s that neither stands in the targets nor was predicted doesn't
    /// count, as in scikit-learn; of [`Decision::Above`]'s, all count.
    Macro,
    /// The figure of all classes' counts together. With [`Decision::Largest`], it is the accuracy.
    Micro,
    /// The mean over the classes, each weighted by how often it stands in the targets.
    Weighted,
}

impl Average {
    /// The name that belongs to it.
    pub(super) fn of(self, [by_macro, by_micro, by_weighted]: [&'static str; 3]) -> &'static str {
        match self {
            Self::Macro => by_macro,
            Self::Micro => by_micro,
            Self::Weighted => by_weighted,
        }
    }
}

/// Options of [`Precision`](crate::Precision), [`Recall`](crate::Recall) and [`F1`](crate::F1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScoreConfig {
    /// What an output predicts.
    pub decision: Decision,
    /// How the classes' figures become one. It makes no difference to a single label.
    pub average: Average,
    /// Whether each class's own figure is given too, as `f1 of class 3`.
    pub per_class: bool,
    /// The target of what doesn't count.
    pub ignore_index: i64,
}

impl Default for ClassScoreConfig {
    /// The largest output; the mean over the classes, without their own figures; −100 is ignored.
    fn default() -> Self {
        Self {
            decision: Decision::Largest,
            average: Average::Macro,
            per_class: false,
            ignore_index: -100,
        }
    }
}

/// One class's positions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Where it is and was predicted.
    both: f64,
    predicted: f64,
    actual: f64,
}

/// The figure of a class; 0 where it would be 0/0.
pub(super) type Figure = fn(&Counts) -> f64;

pub(super) fn precision(counts: &Counts) -> f64 {
    ratio(counts.both, counts.predicted)
}

pub(super) fn recall(counts: &Counts) -> f64 {
    ratio(counts.both, counts.actual)
}

pub(super) fn f1(counts: &Counts) -> f64 {
    ratio(2. * counts.both, counts.predicted + counts.actual)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0. { part / whole } else { 0. }
}

/// The accumulator of a figure.
pub(super) struct ClassCounts {
    name: &'static str,
    /// What the figures of single classes are called.
    part: &'static str,
    figure: Figure,
    cfg: ClassScoreConfig,
    classes: Vec<[u64; 3]>,
    /// Positions, or labels of positions.
    seen: u64,
}

impl ClassCounts {
    pub(super) fn start(
        names: [&'static str; 3],
        figure: Figure,
        cfg: ClassScoreConfig,
    ) -> Box<dyn Accumulator> {
        let [part, ..] = names;
        Box::new(Self {
            name: cfg.average.of(names),
            part,
            figure,
            cfg,
            classes: Vec::new(),
            seen: 0,
        })
    }

    /// Each class's counts. Whole numbers stay whole in f64 up to 2⁵³.
    fn counts(&self) -> impl Iterator<Item = Counts> {
        self.classes.iter().map(|counts| {
            let [both, predicted, actual] = counts.map(|count| count as f64);
            Counts {
                both,
                predicted,
                actual,
            }
        })
    }

    fn count(&mut self, class: usize, predicted: bool, actual: bool) {
        if let Some(counts) = self.classes.get_mut(class) {
            let add = [predicted && actual, predicted, actual];
            for (count, add) in counts.iter_mut().zip(add) {
                *count += u64::from(add);
            }
        }
    }

    fn room_for(&mut self, classes: usize) -> Result<()> {
        if self.classes.is_empty() {
            self.classes = vec![[0; 3]; classes];
        }
        if self.classes.len() == classes {
            return Ok(());
        }
        let expected = format!("{} as before", self.classes.len());
        Err(Error::config(self.name, "number of classes", classes, expected).into())
    }
}

impl Accumulator for ClassCounts {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let ignore = self.cfg.ignore_index;
        match self.cfg.decision {
            Decision::Largest => {
                let classes = inputs::classes(self.name, output, target)?;
                let targets = inputs::class_numbers(self.name, target, classes, ignore)?;
                let predicted = inputs::largest(self.name, output, &targets)?;
                self.room_for(classes)?;
                for (predicted, target) in predicted.into_iter().zip(targets) {
                    if let Some(target) = target {
                        self.count(predicted, true, predicted == target);
                        if predicted != target {
                            self.count(target, false, true);
                        }
                        self.seen += 1;
                    }
                }
            }
            Decision::Above(threshold) => {
                inputs::same_shape(self.name, output, target)?;
                let (labels, positions) = inputs::label_axis(output);
                let targets = inputs::labels(self.name, target, ignore)?;
                let above = inputs::above(self.name, output, threshold, &targets)?;
                self.room_for(labels)?;
                for (i, (above, target)) in above.into_iter().zip(targets).enumerate() {
                    if let Some(target) = target {
                        self.count(i / positions % labels, above, target);
                        self.seen += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&self) -> f64 {
        if self.seen == 0 {
            return f64::NAN;
        }
        let mean = |weight: &dyn Fn(&Counts) -> f64| {
            let (sum, all) = self.counts().fold((0., 0.), |(sum, all), counts| {
                let weight = weight(&counts);
                (sum + weight * (self.figure)(&counts), all + weight)
            });
            ratio(sum, all)
        };
        match (self.cfg.average, self.cfg.decision) {
            (Average::Macro, Decision::Largest) => {
                mean(&|counts| f64::from(counts.predicted + counts.actual > 0.))
            }
            (Average::Macro, Decision::Above(_)) => mean(&|_| 1.),
            (Average::Weighted, _) => mean(&|counts| counts.actual),
            (Average::Micro, _) => {
                let all = self.counts().fold(Counts::default(), |all, counts| Counts {
                    both: all.both + counts.both,
                    predicted: all.predicted + counts.predicted,
                    actual: all.actual + counts.actual,
                });
                (self.figure)(&all)
            }
        }
    }

    fn details(&self) -> Vec<(String, f64)> {
        if !self.cfg.per_class {
            return Vec::new();
        }
        let name = |class: usize| format!("{} of class {class}", self.part);
        let figures = self.counts().enumerate();
        figures
            .map(|(class, counts)| (name(class), (self.figure)(&counts)))
            .collect()
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let counts = state::from_counts(self.classes.concat(), &[self.classes.len(), 3])?;
        let seen = state::from_counts(vec![self.seen], &[1])?;
        Ok(state::named(self.name, [("counts", counts), ("seen", seen)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [counts, seen] = state::fields(self.name, ["counts", "seen"], state)?;
        if !matches!(counts.dims(), [_, 3]) {
            return Err(Error::shape(self.name, "state", "[classes, 3]", counts.dims()).into());
        }
        let counts = state::to_counts(self.name, counts)?;
        let [seen] = state::to_counts_of(self.name, seen)?;
        let (classes, _) = counts.as_chunks();
        (self.classes, self.seen) = (classes.to_vec(), seen);
        Ok(())
    }
}
