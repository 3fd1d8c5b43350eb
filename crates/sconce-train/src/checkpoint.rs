//! Checkpoints: what a run needs to go on as if it had never stopped.

mod content;
mod file;
mod folder;
#[cfg(test)]
mod tests;

use crate::{Result, Watched};
pub(crate) use content::{Content, Counts, Number, Rates, Recipe, Times};
pub(crate) use file::{MODEL, Parts, TURN, fitting, other, set};
pub(crate) use folder::Folder;
use sconce_core::Parameters;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where, when and how many checkpoints [`Trainer::fit`](crate::Trainer::fit) writes.
///
/// A checkpoint is one safetensors file with the model and its buffers, the optimiser's state, schedules, the position in the
/// epoch, generators, callbacks and the history. A run that goes on from one ends with the same bits as one that was never
/// stopped, on the CPU: kill it anywhere, start it again. Files are written beside their place, flushed to the disk and renamed,
/// so there is always a whole one, and each has a checksum: a damaged newest one is named, and the one before it is used.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_data::TensorDataset;
/// use sconce_optim::{Adam, AdamConfig};
/// use sconce_train::{CheckpointConfig, FitConfig, Progress, Trainer};
///
/// /// A run of so many epochs, which goes on where the last one in this folder stopped.
/// fn run(epochs: usize, folder: &std::path::Path) -> sconce_train::Result<Vec<f32>> {
///     let x = (Tensor::arange(0f32, 30., &Device::Cpu)?.reshape((30, 1))? / 30.)?;
///     let data = TensorDataset::new(&x, &(&x * 3.)?)?;
///     let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
///     let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
///     let adam = Adam::new(&AdamConfig { lr: 0.1, ..AdamConfig::default() }, &store)?;
///     let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
///     let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(adam), loss);
///     let cfg = FitConfig {
///         checkpoints: Some(CheckpointConfig { resume: true, ..CheckpointConfig::new(folder) }),
///         progress: Progress::Quiet,
///         ..FitConfig::new(epochs, 10)
///     };
///     let history = trainer.fit(&data, &cfg)?;
///     assert_eq!(history.epochs.len(), epochs);
///     Ok(w.value().flatten_all()?.to_vec1()?)
/// }
///
/// let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
/// run(2, one.path())?;
/// assert_eq!(run(5, one.path())?, run(5, other.path())?);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointConfig {
    /// The folder, which belongs to one run; it is made if it isn't there. Another run that wants it meanwhile is refused.
    pub folder: PathBuf,
    /// Steps from one checkpoint to the next, within epochs; at the end of each epoch there is one in any case.
    pub every: Option<u64>,
    /// How many of the last are kept, at least 1.
    pub keep: usize,
    /// Keep the best epoch's too, as `best.safetensors`, by this figure.
    pub best: Option<Watched>,
    /// Go on from the last one, or start afresh where there is none. Without it a folder that has checkpoints is refused.
    pub resume: bool,
    /// Whether Ctrl-C and SIGTERM write a checkpoint after the step that is under way and end the run. A second one ends the
    /// process at once.
    pub signals: bool,
    /// What makes a run another one though the shapes of its parameters are the same: the number of heads, a loss, a data set's
    /// name. A checkpoint of other settings is refused by the first that differs.
    pub settings: BTreeMap<String, String>,
}

impl CheckpointConfig {
    /// A checkpoint an epoch, of which the last two are kept; signals are heeded; a folder that has some is refused.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every: None,
            keep: 2,
            best: None,
            resume: false,
            signals: true,
            settings: BTreeMap::new(),
        }
    }
}

/// Reads a checkpoint's parameters and buffers into a store that the same layers have been built on, to use the model without its
/// run. In `best.safetensors` they are those that were judged, which are the averages where the trainer has any.
///
/// The whole file is checked before the first value is written, so an error leaves the store as it was.
///
/// # Errors
/// The file can't be read, is damaged or of another version; it lacks a name of the store, has another one, or another shape or
/// type.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_data::TensorDataset;
/// use sconce_optim::{Adam, AdamConfig};
/// use sconce_train::{CheckpointConfig, FitConfig, Trainer, Watched, load_model};
/// let x = Tensor::ones((8, 1), DType::F32, &Device::Cpu)?;
/// let data = TensorDataset::new(&x, &x)?;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
/// let adam = Adam::new(&AdamConfig::default(), &store)?;
/// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
/// let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(adam), loss);
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let checkpoints = CheckpointConfig { best: Some(Watched::TrainLoss), ..CheckpointConfig::new(folder) };
/// trainer.fit(&data, &FitConfig { checkpoints: Some(checkpoints), ..FitConfig::new(3, 4) })?;
///
/// let other = ParamStore::new(DType::F32, &Device::Cpu);
/// let v = param(&other.builder(), (1, 1), "w", &Init::Const(0.))?;
/// load_model(folder.join("best.safetensors"), &other)?;
/// assert_eq!(v.value().to_vec2::<f32>()?, w.value().to_vec2::<f32>()?);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub fn load_model(path: impl AsRef<Path>, store: &(impl Parameters + ?Sized)) -> Result<()> {
    let path = path.as_ref();
    let (mut parts, text) = file::read(path)?;
    Content::parse(path, &text)?;
    file::set(&file::fitting(path, &parts.take(file::MODEL), store)?)
}
