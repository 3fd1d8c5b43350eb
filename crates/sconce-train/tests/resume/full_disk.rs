//! A disk that is full: an error, and the last checkpoint stays whole.

use super::*;
use std::io::Write;

const PLACE: &str = "SCONCE_TEST_FULL_DISK";

/// What a child process does, whose folder is a disk of its own.
#[test]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (folder, ballast) = (Path::new(&place).join("run"), Path::new(&place).join("ballast"));
    let whole = run("adam", None, None, Duration::ZERO).unwrap();
    run("adam", Some(resuming(&folder)), Some(2), Duration::ZERO).unwrap_err();
    let files = || {
        let entries = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    // Two checkpoints, the lock and the epochs' times.
    assert_eq!(before.len(), 4);
    // Fill it, so that no further file has room.
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let error = run("adam", Some(resuming(&folder)), None, Duration::ZERO)
        .unwrap_err()
        .to_string();
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(files(), before);
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(
        run("adam", Some(resuming(&folder)), None, Duration::ZERO).unwrap(),
        whole
    );
    println!("went on");
}

#[cfg(target_os = "linux")]
#[test]
fn the_last_checkpoint_stays_whole() {
    let place = tempfile::tempdir().unwrap();
    // In a namespace of its own, so that nobody else sees the mount and it goes with the process.
    let script = format!(
        "mount -t tmpfs -o size=256k none '{}' && exec '{}' --exact full_disk::child --nocapture",
        place.path().display(),
        std::env::current_exe().unwrap().display()
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .env(PLACE, place.path())
        .output();
    let Ok(output) = output else {
        println!("skipped: there is no unshare");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !said.contains("running 1 test") {
        println!("skipped: a disk can't be mounted here: {errors}");
        return;
    }
    assert!(
        output.status.success() && said.contains("went on"),
        "{said} {errors}"
    );
}
