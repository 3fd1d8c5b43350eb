//! What tests do with a fuzzer's inputs.

use std::path::{Path, PathBuf};

type Run = fn(&[u8]) -> Result<(), String>;

/// Where seeds are written to if it is set: the folder of a fuzzer's corpus.
const FOLDER: &str = "SCONCE_SEEDS";

/// Runs every file in a folder of fuzz/seeds, each of which may be read or refused; of those whose names begin with `good-` or
/// `bad-` it is known which.
pub(crate) fn folder(target: &str, run: Run) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<_> = files
        .iter()
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_string(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect();
    check(&seeds, run);
}

/// Does the same with inputs that are made.
pub(crate) fn seeds(target: &str, seeds: &[(String, Vec<u8>)], run: Run) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    check(seeds, run);
}

fn check(seeds: &[(String, Vec<u8>)], run: Run) {
    let (mut good, mut bad) = (0, 0);
    for (name, bytes) in seeds {
        println!("{name}");
        let outcome = run(bytes);
        if name.starts_with("good-") {
            assert_eq!(outcome, Ok(()), "{name}");
            good += 1;
        } else if name.starts_with("bad-") {
            assert!(outcome.is_err_and(|error| !error.is_empty()), "{name}");
            bad += 1;
        }
    }
    assert!(good > 0 && bad > 0, "{good} good and {bad} bad ones");
}
