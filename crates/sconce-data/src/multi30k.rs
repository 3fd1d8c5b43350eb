//! Sentences in German and English.

use crate::{Error, Result, read_line_pairs};
use std::path::{Path, PathBuf};

const SET: &str = "multi30k";

/// Multi30k: what is seen in pictures, said in German and in English; 29 000 pairs to train with, 1 014 to validate, 1 000 to
/// test.
///
/// Each pair is (German, English), as they stand in the files: not split into words, not in lower case.
///
/// # Source
/// Elliott, Frank, Sima'an and Specia, "Multi30K: multilingual English-German image descriptions", 2016: task 1, raw, and its
/// test set of 2016
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multi30k {
    /// To train with.
    pub train: Vec<(String, String)>,
    /// To validate with.
    pub validation: Vec<(String, String)>,
    /// To test with.
    pub test: Vec<(String, String)>,
}

impl Multi30k {
    /// Reads the six files in a folder; each may be compressed (`.gz`) or not.
    ///
    /// # Errors
    /// The folder or a file is missing (the message says how to get it); those of [`read_line_pairs`].
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Multi30k, data_dir};
    /// let pairs = Multi30k::load(data_dir().unwrap().join("multi30k"))?;
    /// let (german, english) = &pairs.train[0];
    /// assert_eq!(german, "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.");
    /// assert_eq!(english, "Two young, White males are outside near many bushes.");
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        Ok(Self {
            train: part(folder, "train")?,
            validation: part(folder, "val")?,
            test: part(folder, "test_2016_flickr")?,
        })
    }
}

fn part(folder: &Path, part: &str) -> Result<Vec<(String, String)>> {
    let german = find(folder, &format!("{part}.de"))?;
    read_line_pairs(german, find(folder, &format!("{part}.en"))?)
}

fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let packed = folder.join(format!("{name}.gz"));
    [packed.clone(), folder.join(name)]
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| Error::Missing {
            path: packed.display().to_string(),
            set: SET,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) {
        for (name, text) in [
            ("train.de", "Ein Hund.\nEine Katze.\n"),
            ("train.en", "A dog.\nA cat.\n"),
            ("val.de", "Ein Haus.\n"),
            ("val.en", "A house.\n"),
            ("test_2016_flickr.de", "Ein Ball.\n"),
            ("test_2016_flickr.en", "A ball.\n"),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn six_files_become_three_parts() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let read = Multi30k::load(folder.path()).unwrap();
        let pair = |german: &str, english: &str| (german.to_string(), english.to_string());
        assert_eq!(
            read.train,
            [pair("Ein Hund.", "A dog."), pair("Eine Katze.", "A cat.")]
        );
        assert_eq!(read.validation, [pair("Ein Haus.", "A house.")]);
        assert_eq!(read.test, [pair("Ein Ball.", "A ball.")]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        std::fs::write(folder.path().join("val.en"), "A house.\nA garden.\n").unwrap();
        let error = Multi30k::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("/val.de") && error.contains("/val.en"), "{error}");
        std::fs::remove_file(folder.path().join("val.en")).unwrap();
        let error = Multi30k::load(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("/val.en.gz is missing: run `cargo xtask data multi30k`"),
            "{error}"
        );
    }

    #[test]
    fn the_real_sentences() {
        let Some(folder) = crate::folder::real(SET) else {
            return;
        };
        let read = Multi30k::load(folder).unwrap();
        assert_eq!(
            (read.train.len(), read.validation.len(), read.test.len()),
            (29_000, 1_014, 1_000)
        );
        let (german, english) = &read.test[0];
        assert_eq!(
            german,
            "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
        );
        assert_eq!(english, "A man in an orange hat starring at something.");
    }
}
