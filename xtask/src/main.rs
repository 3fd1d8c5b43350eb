//! `cargo xtask`: the workspace's own commands.
//!
//! One file a command. A command returns an error that prints as one line; the status is then 1 (clap's is 2).

mod bench;
mod conformance;
mod data;
mod golden;
mod lint;
mod output;
mod stages;
mod test_all;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// What a command hands back.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Anything that prints as one line.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The workspace's own commands: tests, lints, data, golden files, benchmarks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run every test, doctest, example smoke run and golden case of the workspace
    TestAll(test_all::Args),
    /// Check format, lints, docs, the dependency edges and the house rules
    Lint(lint::Args),
    /// Download public data sets and check them
    Data(data::Args),
    /// Regenerate the golden files with PyTorch
    Golden(golden::Args),
    /// Run a folder of golden cases through the public API
    Conformance(conformance::Args),
    /// Measure against PyTorch, side by side
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::TestAll(args) => test_all::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Data(args) => data::run(args),
        Command::Golden(args) => golden::run(args),
        Command::Conformance(args) => conformance::run(args),
        Command::Bench(args) => bench::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error_line(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
