//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn hetero(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hetero"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn types_of_nodes_and_edges_are_worth_something() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let first = hetero(&["--smoke", "--out", out.to_str().unwrap()]);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(
        first.stdout,
        hetero(&["--smoke", "--out", out.to_str().unwrap()]).stdout
    );
    let printed = String::from_utf8(first.stdout).unwrap();
    let figures: Vec<f64> = printed
        .lines()
        .rev()
        .zip(["test accuracy: ", "homogeneous accuracy: "])
        .map(|(line, name)| line.strip_prefix(name).unwrap().parse().unwrap())
        .collect();
    assert!(figures[0] >= 0.7 && figures[0] > figures[1] + 0.1, "{printed}");
    assert_eq!(
        image::image_dimensions(out.join("hetero.png")).unwrap(),
        (900, 560)
    );
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "at least 0.7 and more than"),
        (&["--seeds", "0"], "is 0"),
        (&["--hidden", "0"], "is 0"),
        (&["--lr=-1"], "lr is -1"),
        (&["--device", "gpu"], "unknown device"),
    ] {
        let output = hetero(flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(errors.contains(message), "{flags:?}: {errors}");
    }
}
