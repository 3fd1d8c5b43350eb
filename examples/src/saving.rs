//! The flags of programs that write checkpoints.

use crate::{Failure, Result};
use sconce::train::{CheckpointConfig, End, History};
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
}

impl Saving {
    /// For the one run of a program.
    pub fn checkpoints(&self) -> Option<CheckpointConfig> {
        self.of(&[])
    }

    /// For one of several runs, in a folder of its own below that of the others.
    pub fn of(&self, run: &[&str]) -> Option<CheckpointConfig> {
        let mut folder = self.checkpoint.clone()?;
        folder.extend(run);
        Some(CheckpointConfig {
            every: self.checkpoint_every,
            resume: self.resume,
            ..CheckpointConfig::new(folder)
        })
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
