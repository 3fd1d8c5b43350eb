//! Golden files: cases that a reference implementation computed, and the rule by which tensors agree with them.
//!
//! A set is two files. `<family>.json` is a list of configurations; case i's tensors stand in `<family>.safetensors` under
//! `i/NAME`:
//!
//! | name | meaning |
//! |---|---|
//! | `in.NAME` | an input (f64; indices i64; masks u8) |
//! | `param.NAME` | the module's state after the run, by PyTorch's names |
//! | `before.NAME` | running statistics before the run |
//! | `out.K` | output K |
//! | `cot.K` | the weights of the loss Σ_K ⟨out.K, cot.K⟩ |
//! | `grad.in.NAME`, `grad.param.NAME` | that loss's gradients; absent where there is none |

mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{Device, Tensor};
use serde_json::Value;

pub use compare::{Bound, Difference, Mismatch, compare};

/// Why a golden set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// A file can't be opened or read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The list of configurations is not a JSON list.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The tensors' file is not in the safetensors format.
    #[error("{}: {source}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// candle's reason.
        source: candle_core::Error,
    },
    /// A case has no tensor of this name, or it can't be read.
    #[error("{family} case {index}: no tensor `{name}`")]
    Missing {
        /// The set's family.
        family: String,
        /// The case.
        index: usize,
        /// The tensor's name.
        name: String,
    },
}

impl From<GoldenError> for candle_core::Error {
    fn from(error: GoldenError) -> Self {
        Self::Io(std::io::Error::other(error))
    }
}

/// One family's golden set.
pub struct Cases {
    family: String,
    configs: Vec<Value>,
    tensors: BufferedSafetensors,
    names: BTreeMap<usize, BTreeSet<String>>,
    tensors_path: PathBuf,
}

impl Cases {
    /// Reads `<family>.json` and `<family>.safetensors` in `folder`.
    ///
    /// # Errors
    /// A file is missing or malformed.
    pub fn open(folder: impl AsRef<Path>, family: &str) -> Result<Self, GoldenError> {
        let path = |extension: &str| folder.as_ref().join(format!("{family}.{extension}"));
        let read = |path: PathBuf| match std::fs::read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(source) => Err(GoldenError::Read { path, source }),
        };
        let (json_path, json) = read(path("json"))?;
        let configs: Vec<Value> = serde_json::from_slice(&json).map_err(|e| GoldenError::Config {
            path: json_path,
            message: e.to_string(),
        })?;
        let (tensors_path, bytes) = read(path("safetensors"))?;
        let tensors = BufferedSafetensors::new(bytes).map_err(|source| GoldenError::Tensors {
            path: tensors_path.clone(),
            source,
        })?;
        let mut names: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (key, _) in tensors.tensors() {
            if let Some((index, name)) = key.split_once('/')
                && let Ok(index) = index.parse()
            {
                names.entry(index).or_default().insert(name.to_owned());
            }
        }
        Ok(Self {
            family: family.to_owned(),
            configs,
            tensors,
            names,
            tensors_path,
        })
    }

    /// The families that have a set in `folder`, by name.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn families(folder: impl AsRef<Path>) -> Result<Vec<String>, GoldenError> {
        let folder = folder.as_ref();
        let fail = |source| GoldenError::Read {
            path: folder.to_owned(),
            source,
        };
        let mut families = BTreeSet::new();
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|e| e == "json")
                && path.with_extension("safetensors").is_file()
                && let Some(stem) = path.file_stem().and_then(|s| s.to_str())
            {
                families.insert(stem.to_owned());
            }
        }
        Ok(families.into_iter().collect())
    }

    /// The set's name.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.configs.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    /// The cases in their order.
    pub fn iter(&self) -> impl Iterator<Item = Case<'_>> {
        self.configs.iter().enumerate().map(|(index, config)| Case {
            cases: self,
            index,
            config,
        })
    }
}

/// One configuration and its tensors.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    cases: &'a Cases,
    index: usize,
    config: &'a Value,
}

impl<'a> Case<'a> {
    /// Its place in the list.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The configuration, a JSON object.
    pub fn config(&self) -> &'a Value {
        self.config
    }

    /// The configuration's `kind`; empty where there is none.
    pub fn kind(&self) -> &'a str {
        self.config
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The tensor `name`, for instance `in.x`, as it is stored.
    ///
    /// # Errors
    /// [`GoldenError::Missing`]; [`GoldenError::Tensors`] if its type is none of candle's.
    pub fn tensor(&self, name: &str) -> Result<Tensor, GoldenError> {
        self.get(name)?.ok_or_else(|| GoldenError::Missing {
            family: self.cases.family.clone(),
            index: self.index,
            name: name.to_owned(),
        })
    }

    /// The tensor `name`, if the case has one.
    ///
    /// # Errors
    /// [`GoldenError::Tensors`] if its type is none of candle's.
    pub fn get(&self, name: &str) -> Result<Option<Tensor>, GoldenError> {
        if !self.names("").any(|known| known == name) {
            return Ok(None);
        }
        let key = format!("{}/{name}", self.index);
        let path = || self.cases.tensors_path.clone();
        let load = self.cases.tensors.load(&key, &Device::Cpu);
        load.map(Some)
            .map_err(|source| GoldenError::Tensors { path: path(), source })
    }

    /// Names of the tensors that begin with `prefix`, without it, sorted: `names("grad.param.")` gives `bias`, `weight`.
    pub fn names(&self, prefix: &str) -> impl Iterator<Item = &'a str> {
        let names = self.cases.names.get(&self.index);
        names
            .into_iter()
            .flatten()
            .filter_map(move |name| name.strip_prefix(prefix))
    }

    /// The tensors whose name begins with `prefix`, by the rest of their name.
    ///
    /// # Errors
    /// As [`Case::get`].
    pub fn tensors(&self, prefix: &str) -> Result<Vec<(String, Tensor)>, GoldenError> {
        let rest: Vec<&str> = self.names(prefix).collect();
        rest.into_iter()
            .map(|rest| Ok((rest.to_owned(), self.tensor(&format!("{prefix}{rest}"))?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    type Check = std::result::Result<(), Box<dyn std::error::Error>>;

    fn write_set(folder: &Path) -> Check {
        let device = &Device::Cpu;
        std::fs::write(
            folder.join("act.json"),
            r#"[{"kind": "relu"}, {"kind": "embedding", "num": 3}]"#,
        )?;
        let tensors = HashMap::from([
            ("0/in.x".to_owned(), Tensor::new(&[-1f64, 2.], device)?),
            ("0/out.0".to_owned(), Tensor::new(&[0f64, 2.], device)?),
            ("1/in.ids".to_owned(), Tensor::new(&[2i64, 0], device)?),
            ("1/in.mask".to_owned(), Tensor::new(&[1u8, 0], device)?),
            (
                "1/grad.param.weight".to_owned(),
                Tensor::new(&[[1f64], [0.], [1.]], device)?,
            ),
            ("1/grad.param.bias".to_owned(), Tensor::new(1f64, device)?),
        ]);
        candle_core::safetensors::save(&tensors, folder.join("act.safetensors"))?;
        Ok(())
    }

    #[test]
    fn a_set_is_read() -> Check {
        let folder = tempfile::tempdir()?;
        write_set(folder.path())?;
        assert_eq!(Cases::families(folder.path())?, ["act"]);
        let cases = Cases::open(folder.path(), "act")?;
        assert_eq!((cases.family(), cases.len(), cases.is_empty()), ("act", 2, false));
        let list: Vec<Case<'_>> = cases.iter().collect();
        assert_eq!(list[0].kind(), "relu");
        compare(
            "out.0",
            &list[0].tensor("in.x")?.relu()?,
            &list[0].tensor("out.0")?,
            Bound::F64,
        )?;
        assert_eq!(list[1].config()["num"], 3);
        assert_eq!(list[1].index(), 1);
        assert_eq!(list[1].tensor("in.ids")?.to_vec1::<i64>()?, [2, 0]);
        assert_eq!(list[1].tensor("in.mask")?.to_vec1::<u8>()?, [1, 0]);
        assert_eq!(
            list[1].names("grad.param.").collect::<Vec<_>>(),
            ["bias", "weight"]
        );
        let gradients = list[1].tensors("grad.param.")?;
        assert_eq!(
            gradients
                .iter()
                .map(|(name, t)| (name.as_str(), t.rank()))
                .collect::<Vec<_>>(),
            [("bias", 0), ("weight", 2)]
        );
        assert!(list[1].get("in.x")?.is_none());
        let missing = list[1].tensor("in.x").err().ok_or("there is no in.x")?;
        assert_eq!(missing.to_string(), "act case 1: no tensor `in.x`");
        Ok(())
    }

    #[test]
    fn a_bad_set_is_an_error() -> Check {
        let folder = tempfile::tempdir()?;
        let open = |family: &str| {
            Cases::open(folder.path(), family)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        assert!(open("conv").contains("conv.json: No such file"));
        std::fs::write(folder.path().join("conv.json"), "{}")?;
        assert!(open("conv").contains("conv.json: invalid type"));
        std::fs::write(folder.path().join("conv.json"), "[]")?;
        assert!(open("conv").contains("conv.safetensors: No such file"));
        std::fs::write(folder.path().join("conv.safetensors"), "short")?;
        assert!(open("conv").contains("conv.safetensors: "));
        assert!(Cases::families(folder.path().join("nowhere")).is_err());
        Ok(())
    }
}
