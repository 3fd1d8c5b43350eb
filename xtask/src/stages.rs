//! A command that does several things in turn, goes on after one that fails, and ends with a summary.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::output::{self, Align};

/// What has run so far.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<Stage>,
}

struct Stage {
    name: String,
    outcome: crate::Result<()>,
    time: Duration,
}

/// Some stages failed; their own messages stand above.
#[derive(Debug, thiserror::Error)]
#[error("failed: {0}")]
pub(crate) struct Failed(String);

impl Stages {
    /// Runs one stage under a heading. What it prints goes out as it comes.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> crate::Result<()>) {
        output::line(&format!("\n=== {name}"));
        let start = Instant::now();
        let outcome = work();
        if let Err(error) = &outcome {
            output::line(&format!("{name}: {}", output::one_line(&error.to_string())));
        }
        let time = start.elapsed();
        self.done.push(Stage {
            name: name.to_owned(),
            outcome,
            time,
        });
    }

    /// Prints what ran, how it ended and how long it took; an error if anything failed.
    pub(crate) fn finish(self) -> crate::Result<()> {
        let row = |name: &str, outcome: &str, time: Duration| {
            vec![
                name.to_owned(),
                outcome.to_owned(),
                format!("{:.1} s", time.as_secs_f64()),
            ]
        };
        let mut rows = Vec::new();
        for stage in &self.done {
            rows.push(row(
                &stage.name,
                if stage.outcome.is_ok() { "ok" } else { "FAILED" },
                stage.time,
            ));
        }
        rows.push(row("total", "", self.done.iter().map(|stage| stage.time).sum()));
        output::line("\n=== summary");
        output::line(output::table(&[Align::Left, Align::Left, Align::Right], &rows).trim_end());
        let failed: Vec<_> = self
            .done
            .iter()
            .filter(|stage| stage.outcome.is_err())
            .map(|stage| stage.name.as_str())
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failed(failed.join(", ")).into())
        }
    }
}

/// Runs a command, its output shown as it comes; an error if it can't be started or fails.
pub(crate) fn execute(command: &mut Command) -> crate::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|e| format!("cannot start {program}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", spelled(command)).into())
    }
}

/// A command as one would type it, without the folders of its program.
pub(crate) fn spelled(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program
        .file_stem()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    std::iter::once(name)
        .chain(command.get_args().map(|arg| arg.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stages_run_and_the_failed_ones_are_named() {
        let mut stages = Stages::default();
        let mut ran = Vec::new();
        stages.run("first", || Err("broken".into()));
        stages.run("second", || {
            ran.push("second");
            Ok(())
        });
        assert_eq!(ran, ["second"]);
        assert_eq!(stages.finish().unwrap_err().to_string(), "failed: first");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = execute(&mut Command::new("no-such-program-here"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot start no-such-program-here: "),
            "{error}"
        );
    }
}
