//! A history by figures instead of by epochs.

use crate::{EpochRecord, History};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Figure {
    TrainLoss,
    /// A metric over the training batches, by its name.
    TrainMetric(String),
    /// The loss of a further turn, by its name.
    Turn(String),
    ValidationLoss,
    /// A metric on the validation set, by its name.
    Metric(String),
    LearningRate,
    Seconds,
}

/// One figure over all epochs; `None` where an epoch doesn't have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) figure: Figure,
    /// Which one it is of several of the same name in one epoch, from 0.
    occurrence: usize,
    pub(crate) values: Vec<Option<f64>>,
}

impl EpochRecord {
    /// All of its figures, in the order in which they are shown.
    pub(crate) fn figures(&self) -> Vec<(Figure, f64)> {
        let mut all = vec![(Figure::TrainLoss, self.train_loss)];
        let metrics = self.train_metrics.iter();
        all.extend(metrics.map(|(name, value)| (Figure::TrainMetric(name.clone()), *value)));
        all.extend(
            self.turns
                .iter()
                .map(|(name, loss)| (Figure::Turn(name.clone()), *loss)),
        );
        if let Some(scores) = &self.validation {
            all.push((Figure::ValidationLoss, scores.loss));
            let metrics = scores.metrics.iter();
            all.extend(metrics.map(|(name, value)| (Figure::Metric(name.clone()), *value)));
        }
        all.push((Figure::LearningRate, self.learning_rate));
        all.push((Figure::Seconds, self.seconds));
        all
    }
}

impl History {
    /// The figures that any epoch has: losses, metrics, learning rate, time.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for (row, record) in self.epochs.iter().enumerate() {
            for (figure, value) in record.figures() {
                let filled = |column: &Column| column.values.get(row).is_some_and(Option::is_some);
                // Of several of one name, the first that this epoch hasn't filled yet.
                let same = |column: &Column| column.figure == figure;
                let occurrence = columns.iter().filter(|c| same(c) && filled(c)).count();
                let open = columns.iter_mut().find(|c| same(c) && c.occurrence == occurrence);
                if let Some(cell) = open.and_then(|column| column.values.get_mut(row)) {
                    *cell = Some(value);
                    continue;
                }
                let mut values = vec![None; self.epochs.len()];
                if let Some(cell) = values.get_mut(row) {
                    *cell = Some(value);
                }
                columns.push(Column {
                    figure,
                    occurrence,
                    values,
                });
            }
        }
        // Figures that began later than the first epoch stand with their kind.
        columns.sort_by_key(|column| column.figure.rank());
        columns
    }
}

impl Figure {
    fn rank(&self) -> usize {
        match self {
            Self::TrainLoss => 0,
            Self::TrainMetric(_) => 1,
            Self::Turn(_) => 2,
            Self::ValidationLoss => 3,
            Self::Metric(_) => 4,
            Self::LearningRate => 5,
            Self::Seconds => 6,
        }
    }

    /// As a column's head.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::TrainLoss => "train loss".into(),
            Self::TrainMetric(name) => format!("train {name}"),
            Self::Turn(name) => format!("{name} loss"),
            Self::ValidationLoss => "validation loss".into(),
            Self::Metric(name) => format!("validation {name}"),
            Self::LearningRate => "learning rate".into(),
            Self::Seconds => "seconds".into(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Scores;

    pub(crate) fn record(epoch: usize, train_loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss,
            train_metrics: vec![],
            turns: vec![],
            validation: None,
            learning_rate: 0.1,
            seconds: 1.5,
        }
    }

    pub(crate) fn scores(loss: f64, metrics: &[(&str, f64)]) -> Scores {
        let metrics = metrics.iter().map(|&(name, value)| (name.to_string(), value));
        Scores {
            loss,
            metrics: metrics.collect(),
        }
    }

    pub(crate) fn history(epochs: Vec<EpochRecord>) -> History {
        History {
            epochs,
            ..History::default()
        }
    }

    #[test]
    fn epochs_may_have_different_figures_and_names_may_recur() {
        let mut first = record(1, 3.);
        first.turns.push(("critic".to_string(), 7.));
        let mut second = record(2, 2.);
        second.train_metrics.push(("f1".to_string(), 0.4));
        second.validation = Some(scores(2.5, &[("f1", 0.5), ("f1", 0.6)]));
        let history = history(vec![first, second]);
        let columns = history.columns();
        let titles: Vec<String> = columns.iter().map(|column| column.figure.title()).collect();
        let expected = [
            "train loss",
            "train f1",
            "critic loss",
            "validation loss",
            "validation f1",
            "validation f1",
            "learning rate",
            "seconds",
        ];
        assert_eq!(titles, expected);
        assert_eq!(columns[1].values, [None, Some(0.4)]);
        assert_eq!(columns[2].values, [Some(7.), None]);
        assert_eq!(columns[4].values, [None, Some(0.5)]);
        assert_eq!(columns[5].values, [None, Some(0.6)]);
        assert!(History::default().columns().is_empty());
    }
}
