//! The program as a whole: what it prints and draws, and how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::process::{Command, Output};

fn karate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_karate"))
        .args(arguments)
        .output()
        .unwrap()
}

fn accuracy(output: &Output) -> f64 {
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let last = printed.lines().last().unwrap();
    last.strip_prefix("test accuracy: ").unwrap().parse().unwrap()
}

#[test]
fn two_members_give_away_all_others() {
    for seed in ["0", "1", "2", "3", "4"] {
        let first = karate(&["--seed", seed]);
        assert!(accuracy(&first) >= 0.94, "seed {seed}: {first:?}");
        assert_eq!(first.stdout, karate(&["--seed", seed]).stdout);
        let printed = String::from_utf8(first.stdout).unwrap();
        assert!(printed.contains("34 members, 78 friendships"), "{printed}");
    }
}

#[test]
fn the_embedding_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    accuracy(&karate(&["--smoke", "--out", out.to_str().unwrap()]));
    let picture = image::open(out.join("karate.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (1140, 760));
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "at least 0.94 was expected"),
        (&["--hidden", "0"], "is 0"),
        (&["--lr=-1"], "lr is -1"),
        (&["--device", "gpu"], "unknown device"),
    ] {
        let output = karate(flags);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{flags:?}: {errors}");
        assert!(errors.contains(message), "{flags:?}: {errors}");
    }
}
