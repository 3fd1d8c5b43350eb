//! A program that is killed, or asked to stop, and started again prints the figures of one that never was.

use crate::{fails, figures, printed, program};
use sconce::candle_core::DType;
use sconce::core::io;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const TERM: i32 = 15;

/// The flags of a run that goes on where it was stopped.
fn flags<'a>(arguments: &[&'a str], folder: &'a Path) -> Vec<&'a str> {
    let folder = folder.to_str().unwrap();
    let own = ["--checkpoint", folder, "--checkpoint-every", "2", "--resume"];
    [arguments, &own].concat()
}

/// A run that is sent a signal after this time, unless it is done before.
fn stopped(program: &str, arguments: &[&str], signal: &str, after: Duration) -> Output {
    let child = Command::new(program)
        .args(arguments)
        .env("SCONCE_DATA", "/no/such/folder")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let id = child.id().to_string();
    // It fails if the run is done already.
    _ = Command::new("kill")
        .args([signal, &id])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    child.wait_with_output().unwrap()
}

/// Whether there is a checkpoint in the folder, or in one below it.
fn any_checkpoint(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("step-") || (path.is_dir() && any_checkpoint(&path))
    })
}

/// What the pages about a program's runs show: for each folder with one, the scores and the curves.
fn pages(folder: &Path) -> Vec<(PathBuf, [String; 2])> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let below = pages(&path);
            let name = path.file_name().unwrap();
            found.extend(
                below
                    .into_iter()
                    .map(|(at, shows)| (Path::new(name).join(at), shows)),
            );
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with(io::TEMPORARY) {
            // Of a run that was killed while it wrote the page.
            continue;
        }
        assert_eq!(name, "report.html");
        let page = std::fs::read_to_string(&path).unwrap();
        let section = |heading: &str| {
            let (_, rest) = page
                .split_once(&format!("<h2>{heading}</h2>"))
                .unwrap_or_default();
            rest.split("</section>").next().unwrap().to_string()
        };
        assert!(section("Settings").contains("--report"), "{page}");
        assert!(section("Charts").contains("<svg"), "{page}");
        found.push((PathBuf::new(), [section("Scores"), section("Charts")]));
    }
    found.sort();
    found
}

/// The bits of all tensors in the last checkpoint of each of a program's runs: parameters, the optimiser's state and the rest.
fn bits(folder: &Path) -> BTreeMap<PathBuf, Vec<u64>> {
    let mut found = BTreeMap::new();
    let mut last = None;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            let below = bits(&path).into_iter();
            found.extend(below.map(|(at, bits)| (name.join(at), bits)));
        } else if name.to_str().unwrap().starts_with("step-") {
            last = last.max(Some(path));
        }
    }
    if let Some(path) = last {
        let tensors = io::load_tensors(&path).unwrap();
        let values = tensors.values().flat_map(|tensor| {
            let wide = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
            let values = wide.to_vec1::<f64>().unwrap();
            values.into_iter().map(f64::to_bits)
        });
        let name = PathBuf::from(path.file_name().unwrap());
        found.insert(name, values.collect());
    }
    found
}

fn goes_on(program: &str, arguments: &[&str]) {
    let written = tempfile::tempdir().unwrap();
    let [once, again] = ["once", "again"].map(|name| written.path().join(name));
    let start = Instant::now();
    let whole = printed(
        program,
        &[arguments, &["--report", once.to_str().unwrap()]].concat(),
    );
    let took = start.elapsed();
    assert!(!whole.contains("resumed"), "{whole}");
    let unstopped = written.path().join("checkpoints");
    printed(program, &flags(arguments, &unstopped));
    let unstopped = bits(&unstopped);
    assert!(unstopped.values().all(|bits| bits.len() > 1), "{unstopped:?}");
    for (i, part) in [0.2, 0.45, 0.7].into_iter().enumerate() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        let arguments = [arguments, &["--report", again.to_str().unwrap()]].concat();
        let arguments = flags(&arguments, &folder);
        let signal = if i == 1 { "-TERM" } else { "-KILL" };
        let before = stopped(program, &arguments, signal, took.mul_f64(part));
        let said = String::from_utf8(before.stdout).unwrap();
        let errors = String::from_utf8_lossy(&before.stderr);
        if i == 1 {
            // Before a training begins, and between two of them, nobody heeds the signal.
            let ended = before.status.success() || before.status.signal() == Some(TERM);
            assert!(ended, "{said} {errors}");
            if said.contains("interrupted after step") {
                assert!(figures(&said).is_empty(), "{said}");
                assert!(
                    said.ends_with("the same command with --resume goes on from there\n"),
                    "{said}"
                );
            }
        }
        let begun = any_checkpoint(&folder);
        let after = printed(program, &arguments);
        assert_eq!(
            after.contains("\nresumed at step: ") || after.starts_with("resumed"),
            begun,
            "{after}"
        );
        assert_eq!(
            figures(&after),
            figures(&whole),
            "after {part} of {took:?}: {said}"
        );
        assert_eq!(pages(&again), pages(&once));
        assert!(bits(&folder) == unstopped, "after {part} of {took:?}");
    }
}

/// A test for each program.
macro_rules! resumes {
    ($($test:ident, $name:literal, [$($argument:literal),*];)*) => {$(
        #[test]
        fn $test() {
            goes_on(program!($name), &[$($argument),*]);
        }
    )*};
}

resumes! {
    adding, "adding", ["--lengths", "6", "--steps", "60", "--hidden", "16"];
    bert, "bert", ["--seeds", "1", "--pretrain", "20", "--epochs", "2", "--hidden", "16"];
    descent, "descent", ["--epochs", "3"];
    filters, "filters", ["--epochs", "2"];
    gan, "gan", ["--epochs", "3"];
    gcn, "gcn", ["--seeds", "1", "--epochs", "20"];
    gpt, "gpt", ["--dataset", "sums", "--steps", "20", "--width", "16", "--layers", "1"];
    hetero, "hetero", ["--seeds", "1", "--epochs", "10"];
    karate, "karate", ["--steps", "60"];
    keypoints, "keypoints", ["--pictures", "40", "--epochs", "2", "--side", "24", "--width", "4"];
    lenet, "lenet", ["--epochs", "3"];
    molecules, "molecules", ["--molecules", "60", "--epochs", "2"];
    segment, "segment", ["--pictures", "40", "--epochs", "2", "--side", "16", "--width", "4"];
    traffic, "traffic", ["--epochs", "2", "--hidden", "8"];
    translate, "translate", ["--dates", "100", "--epochs", "2", "--width", "16"];
    vit, "vit", ["--epochs", "1", "--hidden", "16", "--layers", "1"];
}

/// Pictures of how training went show what came before a stop too.
#[test]
fn pictures_are_whole() {
    for (program, arguments, picture) in [
        (program!("karate"), ["--steps", "200"], "karate.png"),
        (program!("gan"), ["--epochs", "6"], "samples.png"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let drawn = |name: &str, more: &[&str]| {
            let out = place.path().join(name);
            printed(
                program,
                &[&arguments, &["--out", out.to_str().unwrap()], more].concat(),
            );
            std::fs::read(out.join(picture)).unwrap()
        };
        let whole = drawn("whole", &[]);
        let folder = place.path().join("run");
        let saving = flags(&[], &folder);
        let mut child = Command::new(program)
            .args(arguments)
            .args(&saving)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The networks that are drawn are the last to be trained.
        let begun =
            || any_checkpoint(&folder.join("gan")) || (picture == "karate.png" && any_checkpoint(&folder));
        while !begun() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(30));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(drawn("pieces", &saving) == whole, "{picture}");
    }
}

/// Two runs that end alike save the same bytes, whether or not one of them was stopped.
#[test]
fn models_are_equal_to_the_byte() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let saved = |name: &str| std::fs::read(path(name)).unwrap();
    let lenet = program!("lenet");
    let arguments = |name: &str| {
        ["--epochs", "3", "--save"]
            .map(str::to_string)
            .into_iter()
            .chain([path(name).display().to_string()])
            .collect::<Vec<_>>()
    };
    let (whole, pieces) = (arguments("whole"), arguments("pieces"));
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let start = Instant::now();
    printed(lenet, &whole);
    let folder = path("run");
    let pieces = flags(&pieces, &folder);
    stopped(lenet, &pieces, "-KILL", start.elapsed() / 2);
    printed(lenet, &pieces);
    assert_eq!(saved("whole"), saved("pieces"));
}

#[test]
fn what_is_wrong_is_one_line() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let karate = program!("karate");
    printed(karate, &["--steps", "3", "--checkpoint", folder]);
    fails(
        karate,
        &["--steps", "3", "--checkpoint", folder],
        "there from another run: resume it",
    );
    fails(
        karate,
        &["--checkpoint", folder, "--resume", "--hidden", "5"],
        "is of a run with hidden 16, and this one has 5",
    );
    // That is a matter of how it is called.
    let output = super::run(karate, &["--checkpoint", folder, "--checkpoint-every", "0"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("invalid value '0' for '--checkpoint-every <STEPS>'"),
        "{errors}"
    );
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails(karate, &["--checkpoint", file.to_str().unwrap()], "file");
    // Without a folder there is nothing to go on from.
    let usage = crate::run(karate, &["--resume"]);
    assert_eq!(usage.status.code(), Some(2));
    // Longer than before is the same run.
    let longer = printed(karate, &["--steps", "5", "--checkpoint", folder, "--resume"]);
    assert!(longer.contains("resumed at step: 3\n"), "{longer}");
}

/// What is shown may change, and a default may be spelled out.
#[test]
fn the_same_run_may_be_told_otherwise() {
    let place = tempfile::tempdir().unwrap();
    for (program, always, first, then) in [
        (
            program!("lenet"),
            &["--epochs", "1"][..],
            &[][..],
            &["--batch-size", "32", "--optimizer", "adam"][..],
        ),
        (program!("filters"), &["--epochs", "1"], &[], &["--digit", "4"]),
        (program!("gpt"), &["--steps", "3"], &[], &["--temperature", "0"]),
        (
            program!("gcn"),
            &["--epochs", "2", "--seeds", "1"],
            &["--dropout", "0.5"],
            &["--dropout", ".50"],
        ),
    ] {
        let folder = place.path().join(Path::new(program).file_name().unwrap());
        let folder = ["--checkpoint", folder.to_str().unwrap(), "--resume"];
        printed(program, &[always, first, &folder].concat());
        let again = printed(program, &[always, then, &folder].concat());
        assert!(again.contains("resumed at step: "), "{program}: {again}");
    }
}
