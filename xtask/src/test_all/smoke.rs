//! Each example program's `--smoke` run: a short training on embedded data that must reach a stated result.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use cargo_metadata::Metadata;

use crate::{output, stages, workspace};

const PACKAGE: &str = "sconce-examples";

pub(super) fn run(metadata: &Metadata) -> crate::Result<()> {
    let programs = programs(metadata)?;
    stages::execute(workspace::cargo().args(["build", "--quiet", "--package", PACKAGE, "--bins"]))?;
    let folder = workspace::target_dir(metadata).join("debug");
    let mut failed = Vec::new();
    for program in programs {
        if !smoke(&folder, &program)? {
            failed.push(program);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

/// The binaries of the examples' package.
fn programs(metadata: &Metadata) -> crate::Result<Vec<String>> {
    let package = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name == PACKAGE);
    let package = package.ok_or_else(|| format!("no package {PACKAGE}"))?;
    Ok(package
        .targets
        .iter()
        .filter(|target| target.is_bin())
        .map(|target| target.name.clone())
        .collect())
}

/// Runs one program and prints a line about it, or all that it printed if it failed.
fn smoke(folder: &Path, program: &str) -> crate::Result<bool> {
    let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    // What a program writes without being told where must not land among the sources.
    let scratch = tempfile::tempdir()?;
    let start = Instant::now();
    let result = Command::new(&path)
        .arg("--smoke")
        .current_dir(scratch.path())
        .output()
        .map_err(|e| format!("cannot start {}: {e}", path.display()))?;
    let seconds = start.elapsed().as_secs_f64();
    let printed = String::from_utf8_lossy(&result.stdout);
    if result.status.success() {
        let figure = printed.lines().last().unwrap_or_default();
        output::line(&format!("{program} --smoke: ok in {seconds:.1} s, {figure}"));
    } else {
        output::line(&format!(
            "{program} --smoke: {} after {seconds:.1} s",
            result.status
        ));
        output::line(printed.trim_end());
        output::line(String::from_utf8_lossy(&result.stderr).trim_end());
    }
    Ok(result.status.success())
}
