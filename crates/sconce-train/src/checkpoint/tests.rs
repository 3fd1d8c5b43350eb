//! Damage, versions and what is kept.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use super::*;
use crate::{EpochRecord, Error};
use candle_core::{DType, Device, Tensor};

fn recipe() -> Recipe {
    Recipe {
        samples: 10,
        batch_size: 2,
        shuffle: Some(1),
        drop_last: false,
        sampler: None,
        accumulate: 1,
        steps_per_epoch: None,
        train_metrics: false,
        optimizers: vec!["Adam".to_string()],
        rates: Vec::new(),
        schedules: Vec::new(),
        settings: BTreeMap::new(),
    }
}

/// A checkpoint of so many steps, whose tensor holds that number.
fn write(folder: &Folder, step: u64) {
    let counts = Counts {
        epoch: 0,
        batch: step as usize,
        step,
        pass: 0,
        next: step as usize,
    };
    let mut parts = Parts::default();
    let value = Tensor::new(&[step as f64, f64::NAN], &Device::Cpu).unwrap();
    parts.add("model", [("w".to_string(), value)]);
    folder
        .write(&parts, &Content::new(counts, recipe(), &[]), &Times::default())
        .unwrap();
}

fn names(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| ![".lock", "seconds.json"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// The step of the newest whole one, and how often something was told on the way to it.
fn newest(folder: &Folder) -> (Option<u64>, usize) {
    let mut told = 0;
    let found = folder.newest(|_| told += 1).unwrap();
    let step = found.map(|(_, mut parts, content)| {
        let w = &parts.take("model")[0];
        assert_eq!((w.0.as_str(), w.1.dtype()), ("w", DType::F64));
        assert_eq!(w.1.to_vec1::<f64>().unwrap()[0], content.counts.step as f64);
        assert!(parts.rest().is_none());
        content.counts.step
    });
    (step, told)
}

#[test]
fn the_last_ones_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let cfg = CheckpointConfig {
        keep: 2,
        ..CheckpointConfig::new(place.path())
    };
    std::fs::write(place.path().join(".sconce-left"), "x").unwrap();
    std::fs::write(place.path().join("notes.txt"), "x").unwrap();
    let folder = Folder::open(&cfg).unwrap();
    folder.expect_none().unwrap();
    assert_eq!(newest(&folder), (None, 0));
    for step in [5, 10, 15] {
        write(&folder, step);
    }
    assert_eq!(
        names(place.path()),
        [
            "notes.txt",
            "step-0000000010.safetensors",
            "step-0000000015.safetensors"
        ]
    );
    assert_eq!(newest(&folder), (Some(15), 0));
    let error = folder.expect_none().unwrap_err().to_string();
    assert!(
        error.contains("0000000015.safetensors: there from another run"),
        "{error}"
    );
}

#[test]
fn equal_contents_give_equal_files() {
    let place = tempfile::tempdir().unwrap();
    let bytes = |sub: &str| {
        let folder = Folder::open(&CheckpointConfig::new(place.path().join(sub))).unwrap();
        write(&folder, 7);
        std::fs::read(place.path().join(sub).join("step-0000000007.safetensors")).unwrap()
    };
    assert!(bytes("a") == bytes("b"));
}

/// Whichever byte of the newest is wrong, and wherever it is cut off, the one before it is used, and damage is never read.
#[test]
fn damage_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    write(&folder, 1);
    write(&folder, 2);
    let path = place.path().join("step-0000000002.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for i in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[i] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(newest(&folder), (Some(1), 1), "byte {i}");
        if i % 7 == 0 {
            std::fs::write(&path, &whole[..i]).unwrap();
            assert_eq!(newest(&folder), (Some(1), 1), "cut at {i}");
        }
    }
    // What is damaged is kept under another name, in nobody's way.
    std::fs::write(place.path().join("step-0000000009.safetensors"), &whole[..50]).unwrap();
    assert_eq!(newest(&folder), (Some(1), 1));
    write(&folder, 3);
    assert_eq!(newest(&folder), (Some(3), 0));
    assert_eq!(
        names(place.path()),
        [
            "step-0000000001.safetensors",
            "step-0000000002.safetensors.damaged",
            "step-0000000003.safetensors",
            "step-0000000009.safetensors.damaged"
        ]
    );
}

/// There may be nothing wrong with what another program wrote, or can't be read just now: nothing older is used, and nothing is
/// touched.
#[test]
fn what_is_not_damaged_is_not_passed_over() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    write(&folder, 1);
    let later = place.path().join("step-0000000002.safetensors");
    file::write(&later, &Parts::default(), r#"{"version":99}"#).unwrap();
    let mut told = 0;
    let error = folder.newest(|_| told += 1).unwrap_err().to_string();
    assert!(error.contains("0000000002.safetensors: of format 99"), "{error}");
    std::fs::remove_file(&later).unwrap();
    std::fs::create_dir(&later).unwrap();
    let error = folder.newest(|_| told += 1).unwrap_err().to_string();
    assert!(error.contains("step-0000000002.safetensors: "), "{error}");
    assert_eq!(told, 0);
    assert_eq!(
        names(place.path()),
        ["step-0000000001.safetensors", "step-0000000002.safetensors"]
    );
}

#[test]
fn the_best_of_another_run_is_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    let content = Content::new(Counts::default(), recipe(), &[]);
    folder.write_best(&Parts::default(), &content).unwrap();
    let error = folder.expect_none().unwrap_err().to_string();
    assert!(
        error.contains("best.safetensors: there from another run"),
        "{error}"
    );
    let error = folder.expect_own_best(&recipe()).unwrap_err().to_string();
    assert!(error.contains("whose other checkpoints are gone"), "{error}");
    // As a run leaves it that is killed before its first epoch's own.
    let record = EpochRecord {
        epoch: 1,
        train_loss: 1.,
        train_metrics: Vec::new(),
        turns: Vec::new(),
        validation: None,
        learning_rate: 0.1,
        seconds: 2.,
    };
    let counts = Counts {
        epoch: 1,
        pass: 1,
        ..Counts::default()
    };
    let first = Content::new(counts, recipe(), &[record]);
    folder.write_best(&Parts::default(), &first).unwrap();
    folder.expect_own_best(&recipe()).unwrap();
    let other = Recipe {
        samples: 11,
        ..recipe()
    };
    assert!(folder.expect_own_best(&other).is_err());
    write(&folder, 1);
    assert_eq!(newest(&folder), (Some(1), 0));
}

#[test]
fn a_folder_is_one_runs_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let cfg = CheckpointConfig::new(place.path());
    let folder = Folder::open(&cfg).unwrap();
    std::fs::write(place.path().join(".sconce-half"), "x").unwrap();
    let error = Folder::open(&cfg).err().unwrap().to_string();
    assert!(error.ends_with(": in use by another run"), "{error}");
    assert!(
        place.path().join(".sconce-half").exists(),
        "what the other writes"
    );
    drop(folder);
    Folder::open(&cfg).unwrap();
}

#[test]
fn times_are_no_part_of_a_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    assert_eq!(folder.times(), Times::default());
    let times = Times {
        epochs: vec![2.5],
        step: 3,
        seconds: 0.25,
    };
    let content = Content::new(Counts::default(), recipe(), &[]);
    folder.write(&Parts::default(), &content, &times).unwrap();
    assert_eq!(folder.times(), times);
    std::fs::write(place.path().join("seconds.json"), "{").unwrap();
    assert_eq!(folder.times(), Times::default());
}

#[test]
fn where_none_is_whole_that_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    std::fs::write(place.path().join("step-0000000001.safetensors"), "").unwrap();
    std::fs::write(place.path().join("step-0000000002.safetensors"), "").unwrap();
    let mut told = Vec::new();
    let error = folder
        .newest(|line| told.push(line.to_string()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("step-0000000002.safetensors: damaged"), "{error}");
    assert_eq!(told.len(), 3);
    assert!(told[2].contains("move these away to start afresh"), "{told:?}");
}

#[test]
fn another_file_and_another_format_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("step-0000000001.safetensors");
    let folder = Folder::open(&CheckpointConfig::new(place.path())).unwrap();
    let w = Tensor::new(&[1f32], &Device::Cpu).unwrap();
    sconce_core::io::save_tensors(&path, [("w", &w)], None).unwrap();
    let error = folder.newest(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("no checkpoint, but another safetensors file"),
        "{error}"
    );
    let text = r#"{"version":99}"#;
    file::write(&path, &Parts::default(), text).unwrap();
    let error = folder.newest(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("of format 99, and this program reads 5"),
        "{error}"
    );
}

/// Whoever changes a text can put its checksum right.
#[test]
fn counts_that_no_run_comes_to_are_refused() {
    let path = std::path::Path::new("x.safetensors");
    let text = Content::new(Counts::default(), recipe(), &[]).text().unwrap();
    Content::parse(path, &text).unwrap();
    for (was, is, problem) in [
        ("epoch\":0", "epoch\":3", "3 epochs are done, and 0 are recorded"),
        (
            "next\":0",
            "next\":2",
            "epoch 0, batch 0 is said to be batch 2 of pass 0",
        ),
        (
            "step\":0",
            "step\":18446744073709551615",
            "counts up to 18446744073709551615, expected at most 9007199254740992",
        ),
        (
            "losses\":[]",
            "losses\":[[0,1,9007199254740993]]",
            "counts up to 9007199254740993, expected",
        ),
    ] {
        let changed = text.replacen(was, is, 1);
        assert_ne!(changed, text);
        let error = Error::from(Content::parse(path, &changed).unwrap_err()).to_string();
        assert!(
            error.contains(&format!("x.safetensors: damaged: {problem}")),
            "{error}"
        );
    }
}

#[test]
fn counts_of_none_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let error = Folder::open(&CheckpointConfig::new(""))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("CheckpointConfig: folder is empty, expected a path"),
        "{error}"
    );
    let base = CheckpointConfig::new(place.path());
    let none = CheckpointConfig {
        keep: 0,
        ..base.clone()
    };
    let never = CheckpointConfig {
        every: Some(0),
        ..base
    };
    for (cfg, field) in [(none, "keep"), (never, "every")] {
        let error = Folder::open(&cfg).err().unwrap().to_string();
        assert_eq!(
            error,
            format!("CheckpointConfig: {field} is 0, expected at least 1")
        );
    }
}
