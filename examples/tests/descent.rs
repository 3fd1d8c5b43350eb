//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn descent(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_descent"))
        .args(arguments)
        .output()
        .unwrap()
}

fn figures(output: &Output) -> Vec<(String, f64)> {
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let last: Vec<&str> = printed.lines().rev().take(18).collect();
    let figure = |line: &&str| {
        let (name, value) = line.rsplit_once(": ").unwrap();
        (name.to_string(), value.parse().unwrap())
    };
    last.iter().map(figure).collect()
}

#[test]
fn rules_differ_where_the_surfaces_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    let all = figures(&descent(&["--smoke", "--out", out.to_str().unwrap()]));
    let reached = |name: &str| all.iter().find(|(n, _)| n == name).unwrap().1;
    assert!(reached("plateau gradient descent") > 0.9 && reached("plateau adam") < 0.01);
    assert!(reached("saddle momentum") < -0.99);
    assert!(reached("double well gradient descent") > 0.2 && reached("double well momentum") < -0.3);
    // As many looks at the points: one step, or 256.
    assert!(
        reached("batch loss") > 1. && reached("mini-batch loss") < 0.02 && reached("stochastic loss") < 0.02
    );
    let picture = image::open(out.join("descent.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (1380, 520));
}

#[test]
fn what_is_wrong_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (flags, message) in [
        (vec!["--out", file.to_str().unwrap()], "file: "),
        (vec!["--device", "gpu"], "unknown device"),
        (vec!["--lr-scale", "-1"], "lr is -"),
        (vec!["--smoke", "--steps", "1"], "below 0.01 was expected"),
    ] {
        let output = descent(&flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert!(
            errors.starts_with("error: ") && errors.contains(message) && errors.lines().count() == 1,
            "{errors}"
        );
    }
}
