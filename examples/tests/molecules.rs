//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn molecules(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_molecules"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn bonds_tell_molecules_of_the_same_atoms_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let first = molecules(&["--smoke", "--out", out.to_str().unwrap()]);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(
        first.stdout,
        molecules(&["--smoke", "--out", out.to_str().unwrap()]).stdout
    );
    let printed = String::from_utf8(first.stdout).unwrap();
    let figures: Vec<f64> = printed
        .lines()
        .rev()
        .zip(["test accuracy: ", "accuracy without bonds: "])
        .map(|(line, name)| line.strip_prefix(name).unwrap().parse().unwrap())
        .collect();
    assert!(figures[0] >= 0.9 && figures[1] < 0.4, "{printed}");
    assert_eq!(
        image::image_dimensions(out.join("molecules.png")).unwrap(),
        (1200, 900)
    );
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "at least 0.9 was expected"),
        (&["--layers", "0"], "is 0"),
        (&["--hidden", "0"], "is 0"),
        (&["--lr=-1"], "lr is -1"),
        (&["--device", "gpu"], "unknown device"),
    ] {
        let output = molecules(flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(errors.contains(message), "{flags:?}: {errors}");
    }
}
