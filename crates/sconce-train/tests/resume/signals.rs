//! Signals when no run heeds them.

use super::*;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;

const CHILD: &str = "SCONCE_TEST_SIGNAL_CHILD";
const TERM: i32 = 15;

/// What a child process does: a run, and then nothing more.
#[test]
fn fitted_child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let cfg = CheckpointConfig {
        signals: true,
        ..resuming(Path::new(&folder))
    };
    run("adamw", Some(cfg), None, Duration::ZERO).unwrap();
    println!("\nfitted");
    std::thread::sleep(Duration::from_secs(60));
}

/// After a run, a signal ends the process as it would have without one.
#[test]
fn after_a_run_a_signal_ends_the_process() {
    let place = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "signals::fitted_child", "--nocapture"])
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "fitted"));
    let id = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(asked.success());
    assert_eq!(child.wait().unwrap().signal(), Some(TERM));
}
