//! Surnames by language.

use crate::{Error, Result, read_lines};
use std::path::Path;

const SET: &str = "names";

/// Surnames of 18 languages, most of them in Latin letters: PyTorch's tutorials tell the language by the name, and make up
/// new names.
///
/// # Source
/// The folder `data/names` of Robertson's "Practical PyTorch" (github spro/practical-pytorch): 20 050 names. The `data.zip` of
/// PyTorch's own tutorials has a version of 20 074.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The languages, in sorted order.
    pub languages: Vec<String>,
    /// Each name with its language's number, in the languages' order and in that of their files.
    pub names: Vec<(String, u32)>,
}

impl Names {
    /// Reads a folder's files `<language>.txt`, a name a line; space around a name is dropped, and empty lines are.
    ///
    /// # Errors
    /// The folder is missing or has no such file (the message says how to get them); a file can't be read, isn't UTF-8, or
    /// holds no name.
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Names, data_dir};
    /// let names = Names::load(data_dir().unwrap().join("names"))?;
    /// assert_eq!((names.languages.len(), names.names.len()), (18, 20_050));
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let missing = || Error::Missing {
            path: folder.display().to_string(),
            set: SET,
        };
        let mut files = Vec::new();
        if folder.is_dir() {
            let unreadable =
                |error: std::io::Error| Error::file(&folder.display().to_string(), error.to_string());
            for entry in std::fs::read_dir(folder).map_err(unreadable)? {
                files.push(entry.map_err(unreadable)?.path());
            }
        }
        files.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
        files.sort();
        if files.is_empty() {
            return Err(missing());
        }
        let (mut languages, mut names) = (Vec::new(), Vec::new());
        for (number, path) in (0..).zip(files) {
            let before = names.len();
            let lines = read_lines(&path)?;
            let trimmed = lines
                .iter()
                .map(|line| line.trim())
                .filter(|line| !line.is_empty());
            names.extend(trimmed.map(|name| (name.to_string(), number)));
            if names.len() == before {
                return Err(Error::file(&path.display().to_string(), "holds no name"));
            }
            languages.push(
                path.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        Ok(Self { languages, names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_a_language() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Irish.txt"), "Ó Néill\n").unwrap();
        std::fs::write(folder.path().join("Chinese.txt"), "See \n\nBai\r\nLi").unwrap();
        std::fs::write(folder.path().join("README.md"), "not a name").unwrap();
        let read = Names::load(folder.path()).unwrap();
        assert_eq!(read.languages, ["Chinese", "Irish"]);
        let names: Vec<(&str, u32)> = read.names.iter().map(|(name, k)| (name.as_str(), *k)).collect();
        assert_eq!(names, [("See", 0), ("Bai", 0), ("Li", 0), ("Ó Néill", 1)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = |folder: &Path| Names::load(folder).unwrap_err().to_string();
        let remedy = " is missing: run `cargo xtask data names`";
        for folder in [folder.path(), Path::new("/no/such/folder")] {
            let error = error(folder);
            assert!(
                error.starts_with(&format!("{}{remedy}", folder.display())),
                "{error}"
            );
        }
        std::fs::write(folder.path().join("Arabic.txt"), "Khoury\n").unwrap();
        for (bytes, message) in [
            (&b" \n\n"[..], "/Greek.txt: holds no name"),
            (b"", "/Greek.txt: is empty"),
            (b"Ga\xff", "/Greek.txt: line 1, column 3: byte 0xff isn't UTF-8"),
        ] {
            std::fs::write(folder.path().join("Greek.txt"), bytes).unwrap();
            let error = error(folder.path());
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn the_real_names() {
        let Some(folder) = crate::folder::real(SET) else {
            return;
        };
        let read = Names::load(folder).unwrap();
        assert_eq!((read.languages.len(), read.names.len()), (18, 20_050));
        assert_eq!(
            (&*read.languages[0], &*read.languages[17]),
            ("Arabic", "Vietnamese")
        );
        let russian = read
            .languages
            .iter()
            .position(|language| language == "Russian")
            .unwrap() as u32;
        assert_eq!(
            read.names
                .iter()
                .filter(|(_, language)| *language == russian)
                .count(),
            9384
        );
    }
}
