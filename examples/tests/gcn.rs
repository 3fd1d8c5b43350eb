//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn gcn(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gcn"))
        .args(arguments)
        .env("SCONCE_DATA", "/no/such/folder")
        .output()
        .unwrap()
}

#[test]
fn citations_tell_more_than_words() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let first = gcn(&["--smoke", "--seeds", "2", "--out", out.to_str().unwrap()]);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(
        first.stdout,
        gcn(&["--smoke", "--seeds", "2", "--out", out.to_str().unwrap()]).stdout
    );
    let printed = String::from_utf8(first.stdout).unwrap();
    let figures: Vec<f64> = printed
        .lines()
        .rev()
        .zip(["test accuracy: ", "accuracy without citations: "])
        .map(|(line, name)| line.strip_prefix(name).unwrap().parse().unwrap())
        .collect();
    assert!(figures[0] >= 0.8 && figures[0] > figures[1] + 0.2, "{printed}");
    assert_eq!(image::image_dimensions(out.join("gcn.png")).unwrap(), (900, 560));
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "at least 0.8 and more than"),
        (&["--seeds", "0"], "is 0"),
        (&["--hidden", "0"], "is 0"),
        (&["--dropout", "1.5"], "p is 1.5"),
        (
            &["--weight-decay=-1"],
            "--weight-decay is -1, expected at least 0",
        ),
        (
            &["--dataset", "cora"],
            "ind.cora.test.index: is missing: run `cargo xtask data cora`",
        ),
        (&["--device", "gpu"], "unknown device"),
    ] {
        let output = gcn(flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(errors.contains(message), "{flags:?}: {errors}");
    }
}
