//! The folder of a run's checkpoints.

use super::file::Unusable;
use super::{CheckpointConfig, Content, Parts, Recipe, Times, file};
use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

const PREFIX: &str = "step-";
const ENDING: &str = ".safetensors";
const BEST: &str = "best.safetensors";
const TIMES: &str = "seconds.json";
const LOCK: &str = ".lock";

/// A folder that checkpoints are written to, by one run at a time.
pub(crate) struct Folder {
    path: PathBuf,
    keep: usize,
    /// Locked as long as it is open.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it isn't there, and clears away what writes that were cut off have left. An error if another run has it
    /// open, or if nothing can be written there: it would be one after an epoch as well.
    pub(crate) fn open(cfg: &CheckpointConfig) -> Result<Self> {
        if cfg.folder.as_os_str().is_empty() {
            let expected = "a path; the folder that the program runs in is \".\"";
            return Err(sconce_core::Error::config("CheckpointConfig", "folder", "empty", expected).into());
        }
        for (field, value) in [("keep", cfg.keep as u64), ("every", cfg.every.unwrap_or(1))] {
            if value == 0 {
                return Err(sconce_core::Error::config("CheckpointConfig", field, 0, "at least 1").into());
            }
        }
        let path = &cfg.folder;
        std::fs::create_dir_all(path).map_err(|error| Error::checkpoint(path, error))?;
        let folder = Self {
            path: path.clone(),
            keep: cfg.keep,
            _lock: lock(path)?,
        };
        for name in folder.names()? {
            if name.starts_with(sconce_core::io::TEMPORARY) {
                // If it can't be removed it is no harm either.
                _ = std::fs::remove_file(path.join(name));
            }
        }
        Ok(folder)
    }

    /// The newest checkpoint that is whole. `tell` is told of newer ones that are damaged, which are put aside under another
    /// name. One that can't be read, or is of another version, is an error: there may be nothing wrong with it.
    pub(crate) fn newest(&self, mut tell: impl FnMut(&str)) -> Result<Option<(PathBuf, Parts, Content)>> {
        let (mut failure, mut damaged) = (None, Vec::new());
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            let read = file::read(&path).and_then(|(parts, text)| Ok((parts, Content::parse(&path, &text)?)));
            match read {
                Ok((parts, content)) => {
                    for path in damaged {
                        put_aside(path)?;
                    }
                    return Ok(Some((path, parts, content)));
                }
                Err(Unusable::Damaged(error)) => {
                    tell(&format!("WARNING: {error}; looking for an older one"));
                    failure.get_or_insert(error);
                    damaged.push(path);
                }
                Err(Unusable::Other(error)) => return Err(error),
            }
        }
        match failure {
            Some(error) => {
                tell("there is no whole checkpoint: move these away to start afresh");
                Err(error)
            }
            None => Ok(None),
        }
    }

    /// An error if the best epoch's checkpoint is all that is here, and this run would write over it as if it were another's. A
    /// run of this recipe that was killed before its first epoch's own checkpoint leaves such a one too.
    pub(crate) fn expect_own_best(&self, recipe: &Recipe) -> Result<()> {
        let best = self.path.join(BEST);
        if !best.exists() {
            return Ok(());
        }
        let (_, text) = file::read(&best)?;
        let content = Content::parse(&best, &text)?;
        if content.counts.epoch == 1 && content.recipe == *recipe {
            return Ok(());
        }
        Err(Error::checkpoint(
            &best,
            "there from another run, whose other checkpoints are gone: choose another folder",
        ))
    }

    /// An error if there are checkpoints already.
    pub(crate) fn expect_none(&self) -> Result<()> {
        let best = Some(self.path.join(BEST)).filter(|best| best.exists());
        let last = self.checkpoints()?.pop().map(|(_, path)| path);
        match last.or(best) {
            Some(path) => Err(Error::checkpoint(
                &path,
                "there from another run: resume it, or choose another folder",
            )),
            None => Ok(()),
        }
    }

    /// Writes a checkpoint, then removes the oldest of those that are too many.
    pub(crate) fn write(&self, parts: &Parts, content: &Content, times: &Times) -> Result<()> {
        let now = content.counts.step;
        file::write(
            &self.path.join(format!("{PREFIX}{now:010}{ENDING}")),
            parts,
            &content.text()?,
        )?;
        let mut old = self.checkpoints()?;
        old.retain(|(step, _)| *step <= now);
        old.truncate(old.len().saturating_sub(self.keep));
        for (_, path) in old {
            std::fs::remove_file(&path).map_err(|error| Error::checkpoint(&path, error))?;
        }
        if let Ok(text) = serde_json::to_string(times) {
            // No run needs to know them to go on.
            _ = sconce_core::io::write_atomically(self.path.join(TIMES), text.as_bytes());
        }
        Ok(())
    }

    /// What the run's epochs took, as far as that is known.
    pub(crate) fn times(&self) -> Times {
        let text = std::fs::read_to_string(self.path.join(TIMES)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes the checkpoint of the best epoch so far.
    pub(crate) fn write_best(&self, parts: &Parts, content: &Content) -> Result<()> {
        file::write(&self.path.join(BEST), parts, &content.text()?)
    }

    /// By step, the oldest first.
    fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let step = |name: &str| {
            let digits = name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?;
            digits.parse::<u64>().ok()
        };
        let mut all: Vec<_> = (self.names()?.iter())
            .filter_map(|name| Some((step(name)?, self.path.join(name))))
            .collect();
        all.sort_unstable();
        Ok(all)
    }

    fn names(&self) -> Result<Vec<String>> {
        let error = |error| Error::checkpoint(&self.path, error);
        let entries = std::fs::read_dir(&self.path).map_err(error)?;
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(error)?.file_name().into_string());
        }
        Ok(names)
    }
}

/// Where a file system knows no locks, nobody is kept out.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = file.map_err(|error| Error::checkpoint(folder, format!("can't be written to: {error}")))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::checkpoint(folder, "in use by another run")),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Out of the way of the run's next files, but not gone.
fn put_aside(path: PathBuf) -> Result<()> {
    let mut aside = path.clone().into_os_string();
    aside.push(".damaged");
    std::fs::rename(&path, aside).map_err(|error| Error::checkpoint(&path, error))
}
