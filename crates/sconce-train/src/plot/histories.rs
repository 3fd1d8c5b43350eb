//! Learning curves.

use super::axis::{Kind, Scale, drawable};
use super::curves::{Axis, Curve, Panel};
use super::{Chart, Content};
use crate::history::Figure;
use crate::{Error, History, Result};

/// Losses of which the greatest is so many times the least are drawn on a logarithmic axis.
const WIDE: f64 = 100.;

/// The losses of training and of validation over the epochs, and those of further turns.
///
/// The axis is logarithmic if all are above 0 and the greatest is a hundred times the least.
///
/// # Errors
/// No loss is finite.
pub fn losses(history: &History) -> Result<Chart> {
    let name = |figure: &Figure| match figure {
        Figure::TrainLoss => Some("training".to_string()),
        Figure::Turn(name) => Some(name.clone()),
        Figure::ValidationLoss => Some("validation".to_string()),
        _ => None,
    };
    checked(panel(history, "Loss", "mean loss of a sample", true, name))
}

/// A metric over the epochs, on the training batches and on the validation set, where the history has it.
///
/// # Errors
/// The history has no metric of this name, or no value of it is finite.
pub fn metric(history: &History, name: &str) -> Result<Chart> {
    let of = |figure: &Figure| match figure {
        Figure::TrainMetric(own) if own == name => Some("training".to_string()),
        Figure::Metric(own) if own == name => Some("validation".to_string()),
        _ => None,
    };
    let panel = panel(history, name, name, false, of);
    if panel.curves.is_empty() {
        return Err(Error::chart(name, "the history has no metric of this name"));
    }
    checked(panel)
}

/// The learning rate at the end of each epoch.
///
/// # Errors
/// No rate is finite.
pub fn learning_rate(history: &History) -> Result<Chart> {
    let name = |figure: &Figure| (*figure == Figure::LearningRate).then(|| "last step".to_string());
    checked(panel(history, "Learning rate", "learning rate", true, name))
}

/// All of a run's curves in one picture, a panel each: the losses, every metric, and the learning rate if it changes.
///
/// Figures of single classes are left out, as `f1 of class 3`; [`metric`] draws them. So are metrics without a finite value.
///
/// # Errors
/// No loss is finite.
///
/// # Example
/// ```
/// use sconce_train::{EpochRecord, History, Scores, plot};
/// let record = |epoch: usize| EpochRecord {
///     epoch,
///     train_loss: 1. / epoch as f64,
///     train_metrics: vec![],
///     turns: vec![],
///     validation: Some(Scores { loss: 1.1 / epoch as f64, metrics: vec![("accuracy".to_owned(), 0.9)] }),
///     learning_rate: 1e-3,
///     seconds: 2.,
/// };
/// let history = History { epochs: (1..9).map(record).collect(), ..History::default() };
/// let svg = plot::learning_curves(&history)?.to_svg()?;
/// assert!(svg.contains("height=\"1000\"") && svg.contains("accuracy"));
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub fn learning_curves(history: &History) -> Result<Chart> {
    let panels = single_charts(history)?.into_iter();
    let panels = panels.flat_map(|chart| match chart.content {
        Content::Panels(panels) => panels,
        Content::Matrix(_) => Vec::new(),
    });
    Ok(Chart::panels(panels.collect()))
}

/// The panels of [`learning_curves`], each by itself.
pub(crate) fn single_charts(history: &History) -> Result<Vec<Chart>> {
    let mut charts = vec![losses(history)?];
    let mut names: Vec<String> = Vec::new();
    for column in history.columns() {
        if let Figure::TrainMetric(name) | Figure::Metric(name) = column.figure
            && !name.contains(" of class ")
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    charts.extend(names.iter().filter_map(|name| metric(history, name).ok()));
    let mut rates = history.epochs.iter().map(|record| record.learning_rate);
    let first = rates.next();
    if rates.any(|rate| Some(rate) != first) {
        charts.extend(learning_rate(history).ok());
    }
    Ok(charts)
}

/// Of the history's figures, those that `name` has a name for.
fn panel(
    history: &History,
    title: &str,
    axis: &str,
    wide: bool,
    name: impl Fn(&Figure) -> Option<String>,
) -> Panel {
    let epochs: Vec<f64> = history.epochs.iter().map(|record| record.epoch as f64).collect();
    let mut curves: Vec<Curve> = Vec::new();
    for column in history.columns() {
        if let Some(name) = name(&column.figure) {
            let values = epochs.iter().zip(&column.values);
            // Epochs without a validation are no gaps.
            let points = values.filter_map(|(epoch, value)| Some((*epoch, (*value)?)));
            curves.push(Curve::new(name, points));
        }
    }
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let finite = || values().filter(|value| drawable(Kind::Linear, *value));
    let (least, greatest) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
        (least.min(value), greatest.max(value))
    });
    let log = wide && least > 0. && drawable(Kind::Log, least) && greatest / least >= WIDE;
    let (kind, scale) = if log {
        (Kind::Log, ", log scale")
    } else {
        (Kind::Linear, "")
    };
    Panel {
        title: title.to_string(),
        x: Axis {
            name: "epoch".to_string(),
            kind: Kind::Whole,
        },
        y: Axis {
            name: format!("{axis}{scale}"),
            kind,
        },
        curves,
        mark: None,
    }
}

/// A chart of one panel, which has something to show.
pub(super) fn checked(panel: Panel) -> Result<Chart> {
    let values = panel.curves.iter().flat_map(|curve| &curve.points);
    let values = values
        .filter(|point| drawable(panel.x.kind, point.0))
        .map(|point| point.1);
    match Scale::over(panel.y.kind, values) {
        Some(_) => Ok(Chart::panels(vec![panel])),
        None => Err(Error::chart(
            panel.title,
            "there is nothing to draw: no value is finite",
        )),
    }
}
