//! What a person sees of a run.

use crate::EpochRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, Once, PoisonError};
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
/// The text's share of the time is one in so many, where metrics over all that was seen take long.
const SHARE: u32 = 50;
const TEMPLATE: &str = "{prefix} {bar:10} {pos}/{len}  {rate}  {eta} left  {wide_msg}";
const DEBUG: &str =
    "WARNING: this is a debug build, which may be ten times slower: use `cargo run --release`";

pub(crate) struct Report {
    progress: Progress,
    epochs: usize,
    steps: usize,
    /// The bar that is to be seen, which lines go above.
    bar: Mutex<Option<ProgressBar>>,
}

impl Report {
    pub(crate) fn start(progress: Progress, epochs: usize, steps: usize) -> Self {
        let report = Self {
            progress,
            epochs,
            steps,
            bar: Mutex::new(None),
        };
        if cfg!(debug_assertions) && progress != Progress::Quiet {
            static ONCE: Once = Once::new();
            let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            ONCE.call_once(|| report.line(&loud(DEBUG, colours)));
        }
        report
    }

    pub(crate) fn line(&self, text: &str) {
        if self.progress == Progress::Quiet {
            return;
        }
        // A reader that went away is no reason to lose a run.
        let write = || _ = writeln!(std::io::stdout(), "{text}");
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) if !bar.is_finished() => bar.suspend(write),
            _ => write(),
        }
    }

    /// The bar of an epoch of which so many steps are done, with the figures of the epoch before on the validation set.
    pub(crate) fn epoch(&self, epoch: usize, done: usize, before: Option<&EpochRecord>) -> EpochBar {
        if self.progress != Progress::Auto || !std::io::stdout().is_terminal() {
            return EpochBar::none();
        }
        let name = format!("epoch {epoch}/{}", self.epochs);
        let bar = EpochBar::on(ProgressDrawTarget::stdout(), name, (done, self.steps), before);
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar.bar.clone();
        bar
    }

    pub(crate) fn epoch_end(&self, record: &EpochRecord) {
        if self.progress == Progress::Auto {
            self.line(&line(record, self.epochs));
        }
    }
}

/// What a bar says of its epoch.
pub(crate) struct Running {
    /// The mean so far.
    pub(crate) loss: f64,
    /// Over the batches so far, where they are computed.
    pub(crate) metrics: Vec<(String, f64)>,
}

/// The bar of one epoch, if there is one to be seen; it vanishes when dropped.
pub(crate) struct EpochBar {
    bar: Option<ProgressBar>,
    /// What the message ends with.
    validated: String,
    /// When the message was made, and how long to leave it.
    renewed: Option<(Instant, Duration)>,
}

impl EpochBar {
    fn none() -> Self {
        Self {
            bar: None,
            validated: String::new(),
            renewed: None,
        }
    }

    fn on(
        target: ProgressDrawTarget,
        name: String,
        (done, steps): (usize, usize),
        before: Option<&EpochRecord>,
    ) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target)
            .with_style(style.with_key("rate", rate))
            .with_prefix(name)
            .with_message("loss …");
        // What was done before this start says nothing of how fast it goes.
        bar.set_position(done as u64);
        bar.reset_eta();
        let mut validated = String::new();
        if let Some(scores) = before.and_then(|record| record.validation.as_ref()) {
            validated = format!(
                "; validated: loss {}{}",
                number(scores.loss),
                listed("", &scores.metrics)
            );
        }
        Self {
            bar: Some(bar),
            validated,
            renewed: None,
        }
    }

    pub(crate) fn step(&mut self, running: impl FnOnce() -> Running) {
        let Some(bar) = &self.bar else { return };
        bar.inc(1);
        if self.renewed.is_none_or(|(at, pause)| at.elapsed() >= pause) {
            let begun = Instant::now();
            let Running { loss, metrics } = running();
            let metrics = listed("", &metrics);
            bar.set_message(format!("loss {}{metrics}{}", number(loss), self.validated));
            self.renewed = Some((Instant::now(), RENEWAL.max(begun.elapsed() * SHARE)));
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

/// Steps a second.
fn rate(state: &ProgressState, text: &mut dyn std::fmt::Write) {
    let rate = state.per_sec();
    _ = match rate.is_finite() {
        true => write!(text, "{rate:.1}/s"),
        false => text.write_str("–/s"),
    };
}

/// As terminals show what must not be overlooked.
fn loud(text: &str, colours: bool) -> String {
    match colours {
        true => format!("\x1b[1;33m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

/// Figures behind others.
fn listed(prefix: &str, figures: &[(String, f64)]) -> String {
    let mut text = String::new();
    for (name, value) in figures {
        _ = write!(text, ", {prefix}{name} {}", number(*value));
    }
    text
}

fn line(record: &EpochRecord, epochs: usize) -> String {
    let mut text = format!(
        "epoch {}/{epochs}: loss {}",
        record.epoch,
        number(record.train_loss)
    );
    text += &listed("", &record.train_metrics);
    for (name, loss) in &record.turns {
        text += &format!(", {name} loss {}", number(*loss));
    }
    if let Some(scores) = &record.validation {
        text += &format!(", validation loss {}", number(scores.loss));
        text += &listed("validation ", &scores.metrics);
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
mod tests;
