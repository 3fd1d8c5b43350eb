//! Model files: safetensors, written atomically and read with suspicion.

use crate::params::Parameters;
use crate::{Error, Result, cast};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

/// What [`load`] does about names that don't fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// File and store must hold the same names and shapes; otherwise nothing is loaded.
    Strict,
    /// What fits is loaded, and the report names the rest: for fine-tuning and partial checkpoints.
    Lenient,
}

/// How a file's tensors and a store's compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names that were loaded.
    pub loaded: Vec<String>,
    /// Names in the store that the file lacks.
    pub missing: Vec<String>,
    /// Names in the file that the store lacks.
    pub unexpected: Vec<String>,
    /// Name, the store's shape, the file's shape.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Those of the unexpected names whose dtype candle lacks, each with that dtype.
    pub unreadable: Vec<(String, String)>,
}

impl LoadReport {
    /// Whether file and store fit in every name and shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} loaded", self.loaded.len())?;
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            for (i, name) in names.iter().enumerate() {
                match i {
                    0 => write!(f, "; {} {what}: {name}", names.len())?,
                    _ => write!(f, ", {name}")?,
                }
                let found = self.unreadable.iter().find(|(other, _)| other == name);
                if let Some((_, dtype)) = found.filter(|_| what == "unexpected") {
                    write!(f, " (of {dtype}, which candle lacks)")?;
                }
            }
        }
        if !self.mismatched.is_empty() {
            write!(f, "; {} of another shape:", self.mismatched.len())?;
            for (name, expected, got) in &self.mismatched {
                write!(f, " {name} (expected {expected:?}, file has {got:?})")?;
            }
        }
        Ok(())
    }
}

/// Writes a store's parameters and buffers to a safetensors file under their names.
///
/// The file appears whole or not at all: it is written beside its place, flushed to the disk, then renamed.
///
/// # Errors
/// The folder can't be written to.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, io, param};
/// use sconce_core::candle_core::{DType, Device};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&store.builder(), 3, "w", &Init::Normal { mean: 0., std: 1. })?;
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// io::save(&path, &store)?;
///
/// let other = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&other.builder(), 3, "w", &Init::Const(0.))?;
/// let report = io::load(&path, &other, io::Strictness::Strict)?;
/// assert_eq!(report.loaded, ["w"]);
/// assert_eq!(other.get("w")?.to_vec1::<f32>()?, store.get("w")?.to_vec1::<f32>()?);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn save(path: impl AsRef<Path>, store: &(impl Parameters + ?Sized)) -> Result<()> {
    let tensors = store.named_tensors();
    save_tensors(
        path,
        tensors.iter().map(|(name, var)| (name.as_str(), var.as_tensor())),
        None,
    )
}

/// Writes named tensors to a safetensors file, atomically as [`save`], with one optional metadata entry (a key and its
/// text; several would be written in random order, and equal contents should give equal files).
///
/// # Errors
/// The folder can't be written to.
pub fn save_tensors<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: Option<(&str, &str)>,
) -> Result<()> {
    let path = path.as_ref();
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text.to_string())]));
    let contiguous = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name.to_string(), tensor.contiguous()?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let bytes = safetensors::serialize(&contiguous, metadata).map_err(|error| file_error(path, error))?;
    write_atomically(path, &bytes)
}

/// How far a file is on its way to its place, for tests that end a process there.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The temporary file is there, and empty.
    Created,
    /// Everything is written to it.
    Written,
    /// It is on the disk.
    Synced,
    /// It is in its place.
    Renamed,
}

static WATCH: OnceLock<fn(Stage)> = OnceLock::new();

/// Has a function called at each stage of every file that this process writes from now on. Only the first is taken.
#[doc(hidden)]
pub fn watch_stages(watch: fn(Stage)) {
    _ = WATCH.set(watch);
}

fn reached(stage: Stage) {
    if let Some(watch) = WATCH.get() {
        watch(stage);
    }
}

/// How the names of temporary files begin that [`write_atomically`] leaves behind where the process ends meanwhile.
pub const TEMPORARY: &str = ".sconce-";

/// Puts a file in place whole or not at all: a temporary one in the same folder, flushed to the disk and renamed.
///
/// # Errors
/// The folder is missing or can't be written to; what stood at `path` is untouched then, unless it was the last step that
/// failed, in which the folder is flushed.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    // A link stays one; what it leads to is replaced.
    let given = path.as_ref();
    let target = std::fs::canonicalize(given).unwrap_or_else(|_| given.to_path_buf());
    let path = target.as_path();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        #[cfg(unix)]
        {
            // Temporary files are private; a model file has the permissions of any new file, less the process's mask.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        // The error would name the temporary file.
        let file = builder.tempfile_in(folder);
        let mut file = file.map_err(|error| std::io::Error::from(error.kind()))?;
        reached(Stage::Created);
        file.write_all(bytes)?;
        reached(Stage::Written);
        if let Ok(before) = std::fs::metadata(path) {
            file.as_file().set_permissions(before.permissions())?;
        }
        file.as_file().sync_all()?;
        reached(Stage::Synced);
        file.persist(path).map_err(|error| error.error)?;
        reached(Stage::Renamed);
        #[cfg(unix)]
        // The rename itself lasts only once the folder is on the disk.
        std::fs::File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| file_error(given, error))
}

/// Reads a safetensors file into a store that layers have been built on.
///
/// The whole file is checked before the first value is written, so an error leaves the store untouched. Values are
/// converted to the store's dtypes.
///
/// # Errors
/// The file can't be read, is truncated or contradicts itself; a tensor that the store has is of a dtype that candle lacks;
/// under [`Strictness::Strict`], a name is missing, unexpected or of another shape (the error holds the report).
pub fn load(
    path: impl AsRef<Path>,
    store: &(impl Parameters + ?Sized),
    strictness: Strictness,
) -> Result<LoadReport> {
    load_renamed(path, store, str::to_owned, strictness)
}

/// [`load`] for a file whose names differ: `rename` makes a name in the store of one in the file. The report has the file's
/// own names where it says what is unexpected, and the store's elsewhere.
///
/// # Errors
/// Those of [`load`]; two names in the file become the same one in the store.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, io, param};
/// use sconce_core::candle_core::{DType, Device};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.safetensors");
/// // PyTorch's DistributedDataParallel puts `module.` before every name.
/// let wrapped = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&wrapped.builder().pp("module"), 3, "w", &Init::Const(1.))?;
/// io::save(&path, &wrapped)?;
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&store.builder(), 3, "w", &Init::Const(0.))?;
/// let bare = |name: &str| name.trim_start_matches("module.").to_string();
/// io::load_renamed(&path, &store, bare, io::Strictness::Strict)?;
/// assert_eq!(store.get("w")?.to_vec1::<f32>()?, [1.; 3]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn load_renamed(
    path: impl AsRef<Path>,
    store: &(impl Parameters + ?Sized),
    rename: impl Fn(&str) -> String,
    strictness: Strictness,
) -> Result<LoadReport> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|error| file_error(path, error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, error))?;
    // Sorted by the file's names, so that reports are the same every time.
    let mut views: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    let mut sources = HashMap::<String, Vec<&str>>::new();
    for &name in views.keys() {
        sources.entry(rename(name)).or_default().push(name);
    }
    let (mut report, mut updates) = (LoadReport::default(), Vec::new());
    for (name, var) in store.named_tensors() {
        let found = match sources.get(&name).map(Vec::as_slice) {
            Some([first, second, ..]) => {
                let problem = format!("both {first} and {second} would be loaded into {name}");
                return Err(file_error(path, problem));
            }
            Some([one]) => views.remove(one).map(|view| (*one, view)),
            _ => None,
        };
        let Some((source, view)) = found else {
            report.missing.push(name);
            continue;
        };
        // Only what the store has is read: a mask of booleans that nobody wants is no obstacle.
        let tensor = tensor(path, source, &view)?;
        if tensor.shape() == var.shape() {
            let value = cast(&tensor, var.dtype())?.to_device(var.device())?;
            updates.push((var, value));
            report.loaded.push(name);
        } else {
            let (expected, got) = (var.dims().to_vec(), tensor.dims().to_vec());
            report.mismatched.push((name, expected, got));
        }
    }
    for (name, view) in views {
        report.unexpected.push(name.to_string());
        if known(view.dtype()).is_none() {
            let dtype = format!("{:?}", view.dtype());
            report.unreadable.push((name.to_string(), dtype));
        }
    }
    if strictness == Strictness::Strict && !report.is_complete() {
        return Err(Error::Load {
            path: path.display().to_string(),
            report: Box::new(report),
        });
    }
    for (var, value) in updates {
        var.set(&value)?;
    }
    Ok(report)
}

/// The text that a safetensors file holds under a key, as [`save_tensors`] writes it; `None` if it has no such key.
///
/// # Errors
/// The file can't be read, is truncated or contradicts itself.
///
/// # Example
/// ```
/// use sconce_core::io;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.safetensors");
/// io::save_tensors(&path, [], Some(("made by", "an example")))?;
/// assert_eq!(io::metadata(&path, "made by")?.as_deref(), Some("an example"));
/// assert_eq!(io::metadata(&path, "made for")?, None);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn metadata(path: impl AsRef<Path>, key: &str) -> Result<Option<String>> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|error| file_error(path, error))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(path, error))?;
    let texts = header.metadata().as_ref();
    Ok(texts.and_then(|texts| texts.get(key)).cloned())
}

/// The tensors of a safetensors file by name, on the CPU.
///
/// # Errors
/// The file can't be read, is truncated, contradicts itself, or holds a dtype that candle lacks.
pub fn load_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    tensors_of(
        path,
        &std::fs::read(path).map_err(|error| file_error(path, error))?,
    )
}

/// [`load_tensors`] of a file's bytes, for those who look at more of it; `path` is for errors.
///
/// # Errors
/// The bytes are truncated, contradict themselves, or hold a dtype that candle lacks.
pub fn tensors_of(path: impl AsRef<Path>, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(path, error))?;
    file.iter()
        .map(|(name, view)| Ok((name.to_string(), tensor(path, name, &view)?)))
        .collect()
}

fn tensor(path: &Path, name: &str, view: &TensorView<'_>) -> Result<Tensor> {
    let dtype = known(view.dtype()).ok_or_else(|| {
        let problem = format!("{name} has dtype {:?}, which candle lacks", view.dtype());
        file_error(path, problem)
    })?;
    Ok(Tensor::from_raw_buffer(
        view.data(),
        dtype,
        view.shape(),
        &Device::Cpu,
    )?)
}

/// candle's own, of those that it computes with: of the dummy types of candle 0.11.1 it knows nothing but the names.
fn known(dtype: safetensors::Dtype) -> Option<DType> {
    DType::try_from(dtype)
        .ok()
        .filter(|dtype| !matches!(dtype, DType::F4 | DType::F6E2M3 | DType::F6E3M2 | DType::F8E8M0))
}

fn damaged(path: &Path, error: impl fmt::Display) -> Error {
    file_error(
        path,
        format!("not a safetensors file, or a damaged one ({error})"),
    )
}

fn file_error(path: &Path, problem: impl fmt::Display) -> Error {
    Error::File {
        path: path.display().to_string(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests;
