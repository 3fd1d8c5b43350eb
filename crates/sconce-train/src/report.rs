//! What a person sees of a run.

use crate::EpochRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Once;
use std::time::{Duration, Instant};

/// What a run shows while it goes on, all of it on the standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// On a terminal a bar an epoch, and everywhere a line after each.
    #[default]
    Auto,
    /// Only what is out of the ordinary: warnings, and that a run was resumed or interrupted.
    Notices,
    /// Nothing.
    Quiet,
}

/// How often a bar's text is renewed; making it costs more than a small step's bookkeeping.
const RENEWAL: Duration = Duration::from_millis(100);

pub(crate) struct Report {
    progress: Progress,
    epochs: usize,
    steps: usize,
}

impl Report {
    pub(crate) fn start(progress: Progress, epochs: usize, steps: usize) -> Self {
        let report = Self {
            progress,
            epochs,
            steps,
        };
        if cfg!(debug_assertions) && progress != Progress::Quiet {
            static ONCE: Once = Once::new();
            let warning =
                "WARNING: this is a debug build, which may be ten times slower: use `cargo run --release`";
            ONCE.call_once(|| report.line(warning));
        }
        report
    }

    pub(crate) fn line(&self, text: &str) {
        if self.progress != Progress::Quiet {
            // A reader that went away is no reason to lose a run.
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// The bar of an epoch of which so many steps are done.
    pub(crate) fn epoch(&self, epoch: usize, done: usize) -> EpochBar {
        let visible = self.progress == Progress::Auto && std::io::stdout().is_terminal();
        let bar = visible.then(|| {
            let target = ProgressDrawTarget::stdout();
            let template = "{prefix} {wide_bar} {pos}/{len}  loss {msg}  {eta} left";
            let style = ProgressStyle::with_template(template);
            ProgressBar::with_draw_target(Some(self.steps as u64), target)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_prefix(format!("epoch {epoch}/{}", self.epochs))
                .with_position(done as u64)
                .with_message("…")
        });
        EpochBar { bar, renewed: None }
    }

    pub(crate) fn epoch_end(&self, record: &EpochRecord) {
        if self.progress == Progress::Auto {
            self.line(&line(record, self.epochs));
        }
    }
}

/// The bar of one epoch, if there is one to be seen; it vanishes when dropped.
pub(crate) struct EpochBar {
    bar: Option<ProgressBar>,
    renewed: Option<Instant>,
}

impl EpochBar {
    pub(crate) fn step(&mut self, loss: impl FnOnce() -> f64) {
        let Some(bar) = &self.bar else { return };
        bar.inc(1);
        if self.renewed.is_none_or(|at| at.elapsed() >= RENEWAL) {
            bar.set_message(number(loss()));
            self.renewed = Some(Instant::now());
        }
    }
}

impl Drop for EpochBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(record: &EpochRecord, epochs: usize) -> String {
    let mut text = format!(
        "epoch {}/{epochs}: loss {}",
        record.epoch,
        number(record.train_loss)
    );
    for (name, loss) in &record.turns {
        text += &format!(", {name} loss {}", number(*loss));
    }
    if let Some(scores) = &record.validation {
        text += &format!(", validation loss {}", number(scores.loss));
        for (name, value) in &scores.metrics {
            text += &format!(", validation {name} {}", number(*value));
        }
    }
    text += &format!(", {:.2} s", record.seconds);
    text
}

/// Four decimals, or the order of magnitude of what is far from 1.
fn number(value: f64) -> String {
    if value.abs() < 1e6 {
        format!("{value:.4}")
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scores;

    #[test]
    fn an_epoch_is_one_line() {
        let mut record = EpochRecord {
            epoch: 2,
            train_loss: 0.51234,
            train_metrics: vec![],
            turns: vec![],
            validation: None,
            learning_rate: 0.1,
            seconds: 1.234,
        };
        assert_eq!(line(&record, 5), "epoch 2/5: loss 0.5123, 1.23 s");
        record.turns.push(("generator".to_string(), 1.5));
        assert_eq!(
            line(&record, 5),
            "epoch 2/5: loss 0.5123, generator loss 1.5000, 1.23 s"
        );
        record.turns.clear();
        assert_eq!(
            (number(1e30), number(f64::NAN)),
            ("1.000e30".into(), "NaN".into())
        );
        record.validation = Some(Scores {
            loss: 0.4,
            metrics: vec![("accuracy".to_owned(), 0.875)],
        });
        assert_eq!(
            line(&record, 5),
            "epoch 2/5: loss 0.5123, validation loss 0.4000, validation accuracy 0.8750, 1.23 s"
        );
    }
}
