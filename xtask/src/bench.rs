//! `cargo xtask bench`: our time against PyTorch's, measured side by side.
//!
//! Each entry runs in three processes that live for the whole entry: ours with mimalloc, ours with the system's allocator,
//! and PyTorch's. They take turns, a block of steps each, in several rounds; a round's ratio compares blocks that ran next to
//! each other, so that a machine that slows down for a while slows all. The result is the median of the rounds. Before each
//! entry, with all three at rest, it is measured how busy the machine is with other things.

mod busy;
mod memory;
mod program;
mod python;
mod report;
mod rounds;
mod side;
mod trainer;

use std::path::PathBuf;
use std::process::Command;

use bench_rows::Entry;

use crate::output::{self, Align};
use crate::{stages, workspace};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(after_help = "\
The ratio is our time over PyTorch's: below 1 we are faster. Python is $SCONCE_PYTHON, or else python3; it needs the
packages of xtask/golden/requirements.txt. mnist-program measures whole programs for minutes, trainer our training loop
beside one written by hand; both run only when named.")]
pub(crate) struct Args {
    /// Rows (`linear`) or entries (`linear/64x256x128`) to measure (see --list); all rows if none is named
    names: Vec<String>,
    /// Write the results to this file too: [{name, ratio, ours_ms, peer_ms, ours_mb, peer_mb, …}]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List the rows and their entries
    #[arg(long)]
    list: bool,
    /// How long each side of an entry is measured
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    seconds: f64,
    /// Threads of each side
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    threads: u16,
}

/// What can go wrong before anything is measured.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("no row {name:?}; there are {known}")]
    Unknown { name: String, known: String },
    #[error("--seconds must be a positive number, not {0}")]
    Seconds(f64),
}

/// What was asked for.
enum Chosen {
    Entry(Entry),
    Program,
    Trainer,
}

pub(crate) fn run(args: Args) -> crate::Result<()> {
    if args.list {
        output::line(list().trim_end());
        return Ok(());
    }
    if !(args.seconds > 0. && args.seconds.is_finite()) {
        return Err(BenchError::Seconds(args.seconds).into());
    }
    let chosen = choose(&args.names)?;
    if let Some(path) = &args.json {
        output::check_writable(path)?;
    }
    build(&chosen)?;
    if chosen.iter().any(|one| matches!(one, Chosen::Trainer)) {
        trainer::measure(args.threads)?;
    }
    let chosen: Vec<_> = (chosen.into_iter())
        .filter(|one| !matches!(one, Chosen::Trainer))
        .collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let python = python::find()?;
    let mut measured = Vec::new();
    for one in chosen {
        let result = match one {
            Chosen::Entry(entry) => rounds::measure(&entry, &python, args.seconds, args.threads)?,
            Chosen::Program => program::measure(&python, args.threads)?,
            Chosen::Trainer => continue,
        };
        output::line(&result.line());
        measured.push(result);
    }
    output::line(&format!("\n{}", report::table(&measured)));
    if let Some(warning) = report::warning(&measured) {
        output::line(&format!("{warning}\n"));
    }
    output::line(report::figures(&measured).trim_end());
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&measured)? + "\n";
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<Chosen>, BenchError> {
    let all = bench_rows::entries();
    if names.is_empty() {
        return Ok(all.into_iter().map(Chosen::Entry).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        if name == program::NAME {
            chosen.push(Chosen::Program);
            continue;
        }
        if name == trainer::NAME {
            chosen.push(Chosen::Trainer);
            continue;
        }
        let matching: Vec<_> = all
            .iter()
            .filter(|e| e.row.name == name || e.name() == *name)
            .copied()
            .collect();
        if matching.is_empty() {
            let mut known: Vec<_> = bench_rows::ROWS.iter().map(|row| row.name).collect();
            known.extend([program::NAME, trainer::NAME]);
            return Err(BenchError::Unknown {
                name: name.clone(),
                known: known.join(", "),
            });
        }
        chosen.extend(matching.into_iter().map(Chosen::Entry));
    }
    Ok(chosen)
}

/// Builds what will be measured, with the optimiser on.
fn build(chosen: &[Chosen]) -> crate::Result<()> {
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--quiet"]);
    if chosen.iter().any(|one| matches!(one, Chosen::Entry(_))) {
        build.args([
            "--package",
            "xtask",
            "--bin",
            "bench-worker",
            "--bin",
            "bench-worker-system",
        ]);
    }
    if chosen.iter().any(|one| matches!(one, Chosen::Program)) {
        build.args(["--package", "sconce-examples", "--bin", program::OURS]);
    }
    if chosen.iter().any(|one| matches!(one, Chosen::Trainer)) {
        build.args(["--package", "xtask", "--bin", trainer::OURS]);
    }
    stages::execute(&mut build)
}

/// A program of the release build.
fn release(program: &str) -> crate::Result<Command> {
    let folder = workspace::target_dir(&workspace::metadata()?).join("release");
    Ok(Command::new(
        folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)),
    ))
}

fn list() -> String {
    let mut rows = vec![["row", "entries", "what a step is"].map(str::to_owned).to_vec()];
    for row in bench_rows::ROWS {
        let shapes: Vec<String> = row
            .shapes
            .iter()
            .map(|shape| Entry { row, shape }.name())
            .collect();
        rows.push(vec![
            row.name.to_owned(),
            shapes.len().to_string(),
            row.about.to_owned(),
        ]);
        if shapes.len() > 1 {
            rows.extend(
                shapes
                    .into_iter()
                    .map(|entry| vec![format!("  {entry}"), String::new(), String::new()]),
            );
        }
    }
    for (name, about) in [(program::NAME, program::ABOUT), (trainer::NAME, trainer::ABOUT)] {
        rows.push([name, "1", about].map(str::to_owned).to_vec());
    }
    output::table(&[Align::Left, Align::Right, Align::Left], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Result<Vec<String>, BenchError> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let name = |one: Chosen| match one {
            Chosen::Entry(entry) => entry.name(),
            Chosen::Program => program::NAME.to_owned(),
            Chosen::Trainer => trainer::NAME.to_owned(),
        };
        Ok(choose(&asked)?.into_iter().map(name).collect())
    }

    #[test]
    fn rows_and_entries_are_chosen_by_name() {
        let table: &[(&[&str], &[&str])] = &[
            (&["lenet"], &["lenet"]),
            (&["linear"], &["linear/2048x256x1024", "linear/64x256x128"]),
            (&["linear/64x256x128", "adam"], &["linear/64x256x128", "adam"]),
            (&["mnist-program"], &["mnist-program"]),
            (&["trainer", "lenet"], &["trainer", "lenet"]),
        ];
        for (asked, expected) in table {
            assert_eq!(names(asked).unwrap(), *expected);
        }
        let all = names(&[]).unwrap();
        assert!(all.contains(&"softmax".to_owned()) && !all.contains(&"mnist-program".to_owned()));
        assert!(!all.contains(&"trainer".to_owned()));
        let error = names(&["linaer"]).err().unwrap().to_string();
        assert!(
            error.starts_with("no row \"linaer\"; there are lenet, linear"),
            "{error}"
        );
    }

    #[test]
    fn no_two_entries_have_one_name() {
        let mut all: Vec<String> = bench_rows::entries().iter().map(Entry::name).collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
