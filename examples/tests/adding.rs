//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn adding(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_adding"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn short_sums_are_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let output = adding(&["--smoke", "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let last: Vec<&str> = printed.lines().rev().take(3).collect();
    for (line, name) in last.iter().zip(["gru mse", "lstm mse", "rnn mse"]) {
        let (found, value) = line.rsplit_once(": ").unwrap();
        assert_eq!(found, name);
        assert!(value.parse::<f64>().unwrap() < 0.3, "{line}");
    }
    assert_eq!(image::open(out.join("adding.png")).unwrap().width(), 900);
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (vec!["--lengths", "100,1"], "--lengths has 1"),
        (vec!["--steps", "0"], "expected at least 1"),
        (vec!["--hidden", "0"], "hidden_size"),
        (vec!["--smoke", "--steps", "1"], "below 0.05 was expected"),
    ] {
        let output = adding(&flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert!(
            errors.starts_with("error: ") && errors.contains(message) && errors.lines().count() == 1,
            "{errors}"
        );
    }
}
