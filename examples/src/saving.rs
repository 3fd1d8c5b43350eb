//! The flags of programs that train: where checkpoints and the page about a run go.

use crate::{Failure, Result, in_folder};
use sconce::train::{CheckpointConfig, End, FitConfig, History, RunReport};
use std::path::PathBuf;

/// Flags of every program that trains.
#[derive(Debug, Clone, clap::Args)]
pub struct Saving {
    /// Write checkpoints into this folder, one an epoch, and one when Ctrl-C or SIGTERM ends the run
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Go on from the last checkpoint, or start afresh where there is none yet
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Write one after every so many steps too
    #[arg(
        long,
        value_name = "STEPS",
        requires = "checkpoint",
        allow_negative_numbers = true
    )]
    checkpoint_every: Option<u64>,
    /// Write report.html into this folder: a page with the run's settings, curves and results
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl Saving {
    /// The one run of a program, or one of several, whose files go into a folder of its own below the flags' folders.
    ///
    /// # Errors
    /// No page can be written there.
    pub fn run(&self, folder: &[&str]) -> Result<Run> {
        let below = |of: &Option<PathBuf>| {
            let mut whole = of.clone()?;
            whole.extend(folder);
            Some(whole)
        };
        Ok(Run {
            page: in_folder(below(&self.report).as_deref(), "report.html")?,
            checkpoints: below(&self.checkpoint).map(|folder| CheckpointConfig {
                every: self.checkpoint_every,
                resume: self.resume,
                ..CheckpointConfig::new(folder)
            }),
        })
    }
}

/// Where the files of a run go.
#[derive(Debug, Clone)]
pub struct Run {
    checkpoints: Option<CheckpointConfig>,
    page: Option<PathBuf>,
}

impl Run {
    /// For its [`FitConfig`].
    pub fn checkpoints(&self) -> Option<CheckpointConfig> {
        self.checkpoints.clone()
    }

    /// Writes the page about it, if one was asked for; `add` adds what the program knows.
    ///
    /// # Errors
    /// Those of `add`; the file can't be written.
    pub fn report(
        &self,
        title: &str,
        (cfg, history): (&FitConfig<'_>, &History),
        add: impl FnOnce(RunReport) -> Result<RunReport>,
    ) -> Result<()> {
        let Some(path) = &self.page else {
            return Ok(());
        };
        let flags: Vec<String> = std::env::args().skip(1).collect();
        let page = RunReport::new(title)
            .with_setting("flags", flags.join(" "))
            .with_fit_config(cfg)
            .with_history(history);
        Ok(add(page)?.save(path)?)
    }
}

/// The history of a run that came to its end.
///
/// # Errors
/// It was interrupted: there is no result to go on with, and the program ends without an error.
pub fn whole(history: History) -> Result<History> {
    match history.end {
        End::Completed | End::Stopped => Ok(history),
        End::Interrupted | End::TimeLimit => Err(Failure::interrupted(
            "the same command with --resume goes on from there",
        )),
    }
}
