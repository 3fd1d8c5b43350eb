//! The folder of a run's checkpoints.

use super::file::Unusable;
use super::{CheckpointConfig, Content, Parts, file};
use crate::{Error, Result};
use std::path::PathBuf;

const PREFIX: &str = "step-";
const ENDING: &str = ".safetensors";
const BEST: &str = "best.safetensors";

/// A folder that checkpoints are written to.
pub(crate) struct Folder {
    path: PathBuf,
    keep: usize,
}

impl Folder {
    /// Makes the folder if it isn't there, and clears away what writes that were cut off have left.
    pub(crate) fn open(cfg: &CheckpointConfig) -> Result<Self> {
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
        let best = self.path.join(BEST);
        match failure {
            Some(error) => Err(error),
            // The run would start afresh, and write over it.
            None if best.exists() => Err(Error::checkpoint(
                &best,
                "there from another run, whose other checkpoints are gone: choose another folder",
            )),
            None => Ok(None),
        }
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
    pub(crate) fn write(&self, parts: &Parts, content: &Content) -> Result<()> {
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
        Ok(())
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

/// Out of the way of the run's next files, but not gone.
fn put_aside(path: PathBuf) -> Result<()> {
    let mut aside = path.clone().into_os_string();
    aside.push(".damaged");
    std::fs::rename(&path, aside).map_err(|error| Error::checkpoint(&path, error))
}
