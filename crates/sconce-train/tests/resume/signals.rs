//! Signals when no run heeds them.

use super::*;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const CHILD: &str = "SCONCE_TEST_SIGNAL_CHILD";
const OWN: &str = "SCONCE_TEST_SIGNAL_OWN";
const TERM: i32 = 15;

/// What a child process does: a run, and then nothing more.
#[test]
fn fitted_child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let own = Arc::new(AtomicBool::new(false));
    if std::env::var(OWN).is_ok() {
        signal_hook::flag::register(TERM, Arc::clone(&own)).unwrap();
    }
    let cfg = CheckpointConfig {
        signals: true,
        ..resuming(Path::new(&folder))
    };
    run("adamw", Some(cfg), None, Duration::ZERO).unwrap();
    println!("\nfitted");
    for _ in 0..6000 {
        std::thread::sleep(Duration::from_millis(10));
        if own.load(Ordering::SeqCst) {
            println!("\nserved");
            return;
        }
    }
}

/// A child that has fitted, and what it says from then on.
fn fitted(
    own: bool,
) -> (
    std::process::Child,
    impl Iterator<Item = String>,
    tempfile::TempDir,
) {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "signals::fitted_child", "--nocapture"])
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if own {
        command.env(OWN, "1");
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| line.unwrap());
    assert!(lines.any(|line| line == "fitted"));
    let id = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(asked.success());
    (child, lines, place)
}

/// After a run, a signal ends the process as it would have without one.
#[test]
fn after_a_run_a_signal_ends_the_process() {
    let (mut child, _, _place) = fitted(false);
    assert_eq!(child.wait().unwrap().signal(), Some(TERM));
}

/// And what the program had it do otherwise is done.
#[cfg(target_os = "linux")]
#[test]
fn after_a_run_the_programs_own_handler_has_its_say() {
    let (mut child, mut lines, _place) = fitted(true);
    assert!(lines.any(|line| line == "served"));
    assert!(child.wait().unwrap().success());
}
