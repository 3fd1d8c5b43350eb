//! The programs as wholes: what they print and draw, and how they fail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod adding;
mod bert;
mod descent;
mod filters;
mod gan;
mod gcn;
mod gpt;
mod hetero;
mod karate;
mod keypoints;
mod lenet;
mod losses;
mod molecules;
#[cfg(unix)]
mod resume;
mod segment;
mod traffic;
mod translate;
mod vit;

use std::path::Path;
use std::process::{Command, Output};

/// The path of a program.
macro_rules! program {
    ($name:literal) => {
        env!(concat!("CARGO_BIN_EXE_", $name))
    };
}
use program;

/// A run that finds no data.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .env("SCONCE_DATA", "/no/such/folder")
        .output()
        .unwrap()
}

/// What a run that succeeds prints.
fn printed(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines `name: value` at the end.
fn figures(printed: &str) -> Vec<(&str, f64)> {
    let figure = |line| {
        let (name, value): (&str, &str) = str::rsplit_once(line, ": ")?;
        // What a run that was finished before has to say stands right above.
        if name == "resumed at step" {
            return None;
        }
        Some((name, value.parse().ok()?))
    };
    let mut figures: Vec<_> = printed.lines().rev().map_while(figure).collect();
    figures.reverse();
    figures
}

/// One of the figures.
fn figure(printed: &str, name: &str) -> f64 {
    let figures = figures(printed);
    let found = figures.iter().find(|(found, _)| *found == name);
    found.unwrap_or_else(|| panic!("no {name} in {printed}")).1
}

/// A smoke run that draws: what it printed, and the size of each of the pictures.
fn smoke(program: &str, pictures: &[&str]) -> (String, Vec<(u32, u32)>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let printed = printed(program, &["--smoke", "--out", out.to_str().unwrap()]);
    let sizes = pictures.iter().map(|name| size(&out.join(name))).collect();
    (printed, sizes)
}

fn size(picture: &Path) -> (u32, u32) {
    image::image_dimensions(picture).unwrap()
}

/// The program ends with status 1 after one line that holds this message.
fn fails(program: &str, arguments: &[&str], message: &str) {
    let output = run(program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert!(
        errors.starts_with("error: ") && errors.contains(message) && errors.lines().count() == 1,
        "{arguments:?}: {errors}"
    );
}
