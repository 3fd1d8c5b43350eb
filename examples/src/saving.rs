//! The flags of programs that train: where checkpoints and the page about a run go.

use crate::{Failure, Result, in_folder};
use clap::CommandFactory;
use sconce::train::{CheckpointConfig, End, FitConfig, History, RunReport};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
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
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    checkpoint_every: Option<u64>,
    /// Write report.html into this folder: a page with the run's settings, curves and results
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl Saving {
    /// The one run of a program of these flags, or one of several, whose files go into a folder of its own below the flags'
    /// folders.
    ///
    /// # Errors
    /// No page can be written there.
    pub fn run<F: CommandFactory>(&self, folder: &[&str]) -> Result<Run> {
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
                settings: settings(&F::command(), std::env::args_os()),
                ..CheckpointConfig::new(folder)
            }),
        })
    }
}

/// Flags that say how long a run is, how fast it goes or what is shown of it, but not which run it is.
const SAME_RUN: [&str; 10] = [
    "resume",
    "device",
    "epochs",
    "steps",
    "lr",
    "lengths",
    "lr_scale",
    "seeds",
    "digit",
    "temperature",
];

/// What a program was told that makes its run another one: the values of all other flags that have a default. Of those without
/// one, some say where files are, and what the rest say shows in shapes, in the batches or in the optimiser, or is a setting of
/// the program's own, by [`Run::with_setting`].
fn settings(program: &clap::Command, args: impl IntoIterator<Item = OsString>) -> BTreeMap<String, String> {
    // They were read once already.
    let Ok(matches) = program.clone().try_get_matches_from(args) else {
        return BTreeMap::new();
    };
    let flags = program.get_arguments().filter(|flag| {
        let switch = !flag.get_action().takes_values();
        (switch || !flag.get_default_values().is_empty()) && !SAME_RUN.contains(&flag.get_id().as_str())
    });
    let told = flags.filter_map(|flag| {
        let name = flag.get_id().as_str();
        let values = matches.try_get_raw(name).ok().flatten()?;
        let values: Vec<_> = values.map(plain).collect();
        Some((name.replace('_', "-"), values.join(",")))
    });
    told.collect()
}

/// A number in the same way however it was written.
fn plain(value: &OsStr) -> String {
    let text = value.to_string_lossy();
    // Seeds have more digits than there is room for.
    if let Ok(number) = text.parse::<u64>() {
        return number.to_string();
    }
    text.parse::<f64>()
        .map_or_else(|_| text.into_owned(), |number| number.to_string())
}

/// Where the files of a run go.
#[derive(Debug, Clone)]
pub struct Run {
    checkpoints: Option<CheckpointConfig>,
    page: Option<PathBuf>,
}

impl Run {
    /// Has a checkpoint tell this run from others by what its flags don't show.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: String) -> Self {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.settings.insert(name.to_string(), value);
        }
        self
    }

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
        let flags = std::env::args_os().skip(1);
        let flags: Vec<String> = flags.map(|flag| flag.to_string_lossy().into_owned()).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[arg(long, default_value_t = 4)]
        heads: usize,
        #[arg(long)]
        drop_last: bool,
        #[arg(long, default_value_t = 0.1)]
        dropout: f64,
        #[arg(long)]
        dataset: Option<String>,
        #[command(flatten)]
        saving: Saving,
        #[command(flatten)]
        common: crate::Common,
    }

    #[test]
    fn a_run_is_told_by_what_shapes_it() {
        let of = |args: &[&str]| {
            let args = ["x"].iter().chain(args).map(OsString::from);
            settings(&Flags::command(), args)
        };
        let plain = of(&[]);
        let pairs: Vec<_> = plain.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expected = [
            ("drop-last", "false"),
            ("dropout", "0.1"),
            ("heads", "4"),
            ("seed", "0"),
            ("smoke", "false"),
        ];
        assert_eq!(pairs, expected);
        let same = [
            "--checkpoint",
            "a",
            "--checkpoint-every",
            "3",
            "--resume",
            "--device",
            "cpu",
        ];
        assert_eq!(of(&same), plain);
        for (one, other) in [
            (&["--dropout", "0.5"], &["--dropout", ".50"]),
            (&["--dataset", "cora"], &["--dataset", "citeseer"]),
            (&["--heads", "4"], &["--heads", "04"]),
            (&["--heads", "4"], &["--dropout", "0.1"]),
        ] {
            assert_eq!(of(one), of(other));
        }
        for (args, name, value) in [
            (&["--heads", "2"][..], "heads", "2"),
            (&["--dropout", "0.2"], "dropout", "0.2"),
            (
                &["--seed", "18446744073709551615"],
                "seed",
                "18446744073709551615",
            ),
            (&["--drop-last"], "drop-last", "true"),
            (&["--seed", "7"], "seed", "7"),
        ] {
            assert_eq!(of(args)[name], value);
        }
        assert!(Flags::try_parse_from(["x", "--checkpoint", "a", "--checkpoint-every", "0"]).is_err());
    }
}
