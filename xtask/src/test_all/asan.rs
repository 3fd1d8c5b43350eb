//! The tests of sconce-kernels under AddressSanitizer, which only a nightly compiler has.

use std::path::Path;
use std::process::Command;

use sconce_kernels::simd::Level;

use crate::stages::{self, Stages};
use crate::workspace;

/// One stage for each instruction set.
pub(super) fn stages(stages: &mut Stages, target_dir: &Path) {
    let host = match host() {
        Ok(host) => host,
        Err(missing) => return stages.run("address sanitizer", || Err(missing.into())),
    };
    for level in Level::available().map(Level::name) {
        stages.run(&format!("address sanitizer, {level}"), || {
            let mut command = nightly("cargo");
            command
                .args([
                    "test",
                    "--package",
                    "sconce-kernels",
                    "--lib",
                    "--tests",
                    "--no-fail-fast",
                ])
                .args(["--target", &host, "--target-dir"])
                .arg(target_dir)
                .env("RUSTFLAGS", "-Zsanitizer=address")
                .env("SCONCE_SIMD", level);
            stages::execute(&mut command)
        });
    }
}

/// The nightly's target triple; a `--target` keeps the sanitizer out of build scripts and macros.
fn host() -> Result<String, String> {
    let missing = "no nightly toolchain: rustup toolchain install nightly";
    let output = nightly("rustc")
        .arg("-vV")
        .output()
        .map_err(|e| format!("{missing} (rustup: {e})"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) if output.status.success() => Ok(host.to_owned()),
        _ => Err(missing.to_owned()),
    }
}

/// A program of the nightly toolchain; without --install, rustup would only say that it is missing.
fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", program])
        .current_dir(workspace::root());
    // cargo names its own compiler to what it starts.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}
