//! `cargo xtask lint`: what must hold before a change is taken over.
//!
//! cargo's own checks first, then the house's, which print every finding as `path:line: message`.

mod alone;
mod edges;
mod finding;
mod packages;
mod sections;
mod sizes;
mod tokens;

use crate::stages::{self, Stages};
use crate::workspace;

/// Options of `cargo xtask lint`.
#[derive(clap::Args)]
#[command(after_help = "\
Checks: cargo fmt, clippy and rustdoc without a warning; which crate may depend on which; that each crate builds
alone; one version of candle and gemm; no `unsafe` outside sconce-kernels; no #[ignore], todo!, dbg!; the doc
sections of layers and losses; no large files. All findings are reported, as path:line: message.")]
pub(crate) struct Args {
    /// Only the house's own checks of the sources, which need no build
    #[arg(long)]
    sources: bool,
}

pub(crate) fn run(args: Args) -> crate::Result<()> {
    let metadata = workspace::metadata()?;
    let mut stages = Stages::default();
    stages.run("dependency edges", || finding::report(edges::check(&metadata)?));
    stages.run("packages", || finding::report(packages::check(&metadata)));
    stages.run("sources", || finding::report(tokens::check()?));
    stages.run("doc sections", || finding::report(sections::check()?));
    stages.run("file sizes", || finding::report(sizes::check()?));
    if !args.sources {
        stages.run("format", || {
            stages::execute(workspace::cargo().args(["fmt", "--all", "--check"]))
        });
        stages.run("clippy", || {
            let arguments = [
                "clippy",
                "--quiet",
                "--keep-going",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ];
            stages::execute(workspace::cargo().args(arguments))
        });
        stages.run("rustdoc", || {
            let mut doc = workspace::cargo();
            doc.args(["doc", "--quiet", "--keep-going", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings");
            stages::execute(&mut doc)
        });
        stages.run("each crate alone", || finding::report(alone::check(&metadata)));
    }
    stages.finish()
}
