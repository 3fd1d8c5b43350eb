//! `cargo xtask test-all`: everything that tests the workspace, with a summary of what ran and how long it took.

mod asan;
mod golden_cases;
mod smoke;

use std::process::Stdio;

use sconce_kernels::simd::Level;

use crate::stages::{self, Stages};
use crate::workspace;

/// Options of `cargo xtask test-all`.
#[derive(clap::Args)]
#[command(after_help = "\
Stages: every test of the workspace (with cargo nextest where it is installed), the doctests, the tests of
sconce-kernels once for each instruction set that this machine has, each example program's --smoke run, and the
golden cases of every crate. A stage that fails doesn't stop the others.")]
pub(crate) struct Args {
    /// Run the tests of sconce-kernels under AddressSanitizer too (needs a nightly toolchain)
    #[arg(long)]
    asan: bool,
    /// Leave out the doctests
    #[arg(long)]
    no_doctests: bool,
    /// Leave out the example programs
    #[arg(long)]
    no_smoke: bool,
}

pub(crate) fn run(args: Args) -> crate::Result<()> {
    let metadata = workspace::metadata()?;
    let mut stages = Stages::default();
    stages.run("tests", || stages::execute(test_command().arg("--workspace")));
    if !args.no_doctests {
        stages.run("doctests", || {
            stages::execute(workspace::cargo().args(["test", "--doc", "--workspace", "--no-fail-fast"]))
        });
    }
    for level in Level::available().map(Level::name) {
        stages.run(&format!("sconce-kernels, {level}"), || {
            stages::execute(
                test_command()
                    .args(["--package", "sconce-kernels"])
                    .env("SCONCE_SIMD", level),
            )
        });
    }
    if args.asan {
        asan::stages(&mut stages, &workspace::target_dir(&metadata).join("asan"));
    }
    if !args.no_smoke {
        stages.run("smoke runs", || smoke::run(&metadata));
    }
    stages.run("golden cases", golden_cases::run);
    stages.finish()
}

/// nextest where it is installed: it runs all tests side by side.
fn test_command() -> std::process::Command {
    let mut nextest = workspace::cargo();
    let installed = nextest
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let mut command = workspace::cargo();
    if installed.is_ok_and(|status| status.success()) {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.args(["test", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    command
}
