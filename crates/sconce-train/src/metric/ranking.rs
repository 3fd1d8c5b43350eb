//! Scores and targets of a whole set, from which figures of their ranking are made.

use super::{Accumulator, inputs, state};
use candle_core::{Device, Result, Tensor};
use sconce_core::Error;

/// Options of [`Auroc`](crate::Auroc) and [`AveragePrecision`](crate::AveragePrecision).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankingConfig {
    /// Whether outputs of classes are logits, of which a softmax is taken; else they are ranked as they are. For labels it makes
    /// no difference, since a sigmoid leaves the order as it is.
    pub logits: bool,
    /// Whether each class's own figure is given too, as `auroc of class 3`.
    pub per_class: bool,
    /// The target of what doesn't count.
    pub ignore_index: i64,
}

impl Default for RankingConfig {
    /// Logits; without the classes' own figures; −100 is ignored.
    fn default() -> Self {
        Self {
            logits: true,
            per_class: false,
            ignore_index: -100,
        }
    }
}

/// Scores in falling order, each with whether it belongs to a positive. Equal ones come in any order.
pub(super) type Sorted = [(f64, bool)];

/// Steps through equal scores: for each, how many positives and how many negatives have it.
pub(super) fn steps(sorted: &Sorted) -> impl Iterator<Item = (u64, u64)> {
    sorted.chunk_by(|(a, _), (b, _)| a == b).map(|equal| {
        let positives = equal.iter().filter(|(_, positive)| *positive).count();
        (positives as u64, (equal.len() - positives) as u64)
    })
}

/// What the targets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For each score whether it should be high: 0 or 1, or −1 where that doesn't count.
    Labels,
    /// For each row of scores which of them should be high.
    Classes,
}

/// The accumulator of a figure.
pub(super) struct Ranking {
    name: &'static str,
    figure: fn(&Sorted) -> f64,
    cfg: RankingConfig,
    kind: Kind,
    /// Scores in a row; 0 before the first batch.
    columns: usize,
    scores: Vec<f64>,
    targets: Vec<i64>,
}

/// A batch, before it is taken in.
struct Batch {
    kind: Kind,
    columns: usize,
    scores: Vec<f64>,
    targets: Vec<i64>,
}

impl Ranking {
    pub(super) fn start(
        name: &'static str,
        figure: fn(&Sorted) -> f64,
        cfg: RankingConfig,
    ) -> Box<dyn Accumulator> {
        Box::new(Self {
            name,
            figure,
            cfg,
            kind: Kind::Labels,
            columns: 0,
            scores: Vec::new(),
            targets: Vec::new(),
        })
    }

    fn labels(&self, output: &Tensor, target: &Tensor) -> Result<Batch> {
        let (columns, positions) = inputs::label_axis(output);
        // A row for each position, as for classes.
        let in_rows = |x: &Tensor| match positions {
            1 => x.flatten_all(),
            _ => x.flatten_from(2)?.transpose(1, 2)?.flatten_all(),
        };
        let mut scores = inputs::values(&in_rows(output)?)?;
        let targets = inputs::labels(self.name, &in_rows(target)?, self.cfg.ignore_index)?;
        for (score, _) in scores
            .iter_mut()
            .zip(&targets)
            .filter(|(_, target)| target.is_none())
        {
            *score = 0.;
        }
        inputs::no_nan(self.name, 0, &scores)?;
        let number = |label: Option<bool>| label.map_or(-1, i64::from);
        Ok(Batch {
            kind: Kind::Labels,
            columns,
            scores,
            targets: targets.into_iter().map(number).collect(),
        })
    }

    fn classes(&self, output: &Tensor, target: &Tensor) -> Result<Batch> {
        let classes = inputs::classes(self.name, output, target)?;
        if classes < 2 {
            let expected = "[batch, classes ≥ 2, *positions], or the target's";
            return Err(Error::shape(self.name, "output", expected, output.dims()).into());
        }
        let ignore = self.cfg.ignore_index;
        let classes_of = inputs::class_numbers(self.name, target, classes, ignore)?;
        let (mut scores, mut targets) = (Vec::new(), Vec::new());
        inputs::each_position(output, |i, values| {
            if let Some(class) = classes_of.get(i).copied().flatten() {
                inputs::no_nan(self.name, i, values)?;
                let first = scores.len();
                match *values {
                    // Two classes are one label, that of class 1; the softmax grows with the difference.
                    [no, yes] if self.cfg.logits => scores.push(yes - no),
                    [_, yes] => scores.push(yes),
                    _ if self.cfg.logits => softmax(values, &mut scores),
                    _ => scores.extend_from_slice(values),
                }
                if scores.iter().skip(first).any(|score| score.is_nan()) {
                    return Err(self.no_softmax(i, values));
                }
                targets.push(class as i64);
            }
            Ok(())
        })?;
        Ok(match classes {
            2 => Batch {
                kind: Kind::Labels,
                columns: 1,
                scores,
                targets,
            },
            _ => Batch {
                kind: Kind::Classes,
                columns: classes,
                scores,
                targets,
            },
        })
    }

    /// Several infinite logits of a row, or nothing but −∞.
    fn no_softmax(&self, row: usize, values: &[f64]) -> candle_core::Error {
        let error = Error::Value {
            layer: self.name.to_owned(),
            argument: "output",
            index: row,
            value: format!("{values:?}"),
            expected: "logits that have a softmax".to_owned(),
        };
        error.into()
    }

    /// Each column's figure.
    fn figures(&self) -> Vec<f64> {
        let mut sorted = Vec::new();
        let figure = |column: usize| {
            sorted.clear();
            let scores = self.scores.iter().skip(column).step_by(self.columns);
            match self.kind {
                Kind::Labels => {
                    let targets = self.targets.iter().skip(column).step_by(self.columns);
                    let counted = scores.zip(targets).filter(|(_, target)| **target >= 0);
                    sorted.extend(counted.map(|(&score, &target)| (score, target == 1)));
                }
                Kind::Classes => {
                    let positive = |target: &i64| usize::try_from(*target) == Ok(column);
                    let pairs = scores.zip(&self.targets);
                    sorted.extend(pairs.map(|(&score, target)| (score, positive(target))));
                }
            }
            sorted.sort_unstable_by(|(a, _), (b, _)| b.total_cmp(a));
            match sorted.is_empty() {
                true => f64::NAN,
                false => (self.figure)(&sorted),
            }
        };
        (0..self.columns).map(figure).collect()
    }
}

/// Appends exp(xᵢ) / Σ exp(xⱼ): NaN if several are +∞ or all −∞.
fn softmax(x: &[f64], to: &mut Vec<f64>) {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::INFINITY && x.iter().filter(|x| **x == max).count() == 1 {
        // The limit, as this one grows: beside it all others are nothing.
        to.extend(x.iter().map(|x| f64::from(u8::from(*x == max))));
        return;
    }
    let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
    to.extend(x.iter().map(|x| (x - max).exp() / sum));
}

impl Accumulator for Ranking {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let batch = match output.dims() == target.dims() {
            true => self.labels(output, target)?,
            false => self.classes(output, target)?,
        };
        if self.columns > 0 && (batch.columns, batch.kind) != (self.columns, self.kind) {
            let what = |kind: Kind, columns: usize| match kind {
                Kind::Labels => format!("{columns} labels"),
                Kind::Classes => format!("{columns} classes"),
            };
            let expected = format!("{} as before", what(self.kind, self.columns));
            let got = what(batch.kind, batch.columns);
            return Err(Error::config(self.name, "batch", got, expected).into());
        }
        (self.kind, self.columns) = (batch.kind, batch.columns);
        self.scores.extend(batch.scores);
        self.targets.extend(batch.targets);
        Ok(())
    }

    fn value(&self) -> f64 {
        let figures = self.figures();
        figures.iter().sum::<f64>() / figures.len() as f64
    }

    fn details(&self) -> Vec<(String, f64)> {
        if !self.cfg.per_class {
            return Vec::new();
        }
        let figures = self.figures().into_iter().enumerate();
        figures
            .map(|(class, figure)| (format!("{} of class {class}", self.name), figure))
            .collect()
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let rows = self.scores.len().checked_div(self.columns).unwrap_or(0);
        let scores = Tensor::from_vec(self.scores.clone(), (rows, self.columns), &Device::Cpu)?;
        let dims = match self.kind {
            Kind::Labels => vec![rows, self.columns],
            Kind::Classes => vec![rows],
        };
        let targets = Tensor::from_vec(self.targets.clone(), dims, &Device::Cpu)?;
        Ok(state::named(
            self.name,
            [("scores", scores), ("targets", targets)],
        ))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [scores, targets] = state::fields(self.name, ["scores", "targets"], state)?;
        let (columns, kind) = match (scores.dims(), targets.dims()) {
            (&[rows, columns], &[also_rows, also_columns])
                if (rows, columns) == (also_rows, also_columns) =>
            {
                (columns, Kind::Labels)
            }
            (&[rows, columns], &[also_rows]) if rows == also_rows => (columns, Kind::Classes),
            (_, dims) => {
                let expected = format!("that of the scores {:?}, or of their rows", scores.dims());
                return Err(Error::shape(self.name, "state", expected, dims).into());
            }
        };
        let values = state::real(self.name, scores)?;
        inputs::no_nan(self.name, 0, &values)?;
        self.targets = state::whole(self.name, targets)?;
        (self.columns, self.kind, self.scores) = (columns, kind, values);
        Ok(())
    }
}
