//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn traffic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_traffic"))
        .args(arguments)
        .env("SCONCE_DATA", "/no/such/folder")
        .output()
        .unwrap()
}

#[test]
fn forecasts_beat_persistence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let first = traffic(&["--smoke", "--out", out.to_str().unwrap()]);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(
        first.stdout,
        traffic(&["--smoke", "--out", out.to_str().unwrap()]).stdout
    );
    let printed = String::from_utf8(first.stdout).unwrap();
    let figures: Vec<f64> = printed
        .lines()
        .rev()
        .zip(["persistence mae: ", "persistence rmse: ", "mae: ", "rmse: "])
        .map(|(line, name)| line.strip_prefix(name).unwrap().parse().unwrap())
        .collect();
    assert!(figures[2] < figures[0] && figures[3] < figures[1], "{printed}");
    assert_eq!(
        image::image_dimensions(out.join("traffic.png")).unwrap(),
        (900, 560)
    );
}

#[test]
fn the_papers_recipe_is_another() {
    let run = |recipe| traffic(&["--smoke", "--epochs", "1", "--recipe", recipe]);
    let paper = run("paper");
    let printed = String::from_utf8(paper.stdout).unwrap();
    assert!(printed.contains("epoch 1: loss "), "{printed}");
    assert_ne!(printed.as_bytes(), run("change").stdout);
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "below persistence's"),
        (&["--epochs", "0"], "is 0"),
        (&["--hidden", "0"], "is 0"),
        (&["--lr=-1"], "lr is -1"),
        (
            &["--dataset", "los-loop"],
            "los_speed.csv is missing: run `cargo xtask data los-loop`",
        ),
        (&["--device", "gpu"], "unknown device"),
    ] {
        let output = traffic(flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(errors.contains(message), "{flags:?}: {errors}");
    }
}
