//! Event files for TensorBoard.

mod event;
mod record;

use crate::history::Figure;
use crate::{Callback, EpochRecord, Result};
use event::Event;
use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file of TensorBoard's, for figures of one's own; [`TensorBoard`] writes a run's.
///
/// Each call hands its bytes to the operating system before it returns, so a file holds all that was written when its process
/// is killed, and TensorBoard shows it at once. Values are kept in `f32`, as TensorBoard does.
///
/// # Source
/// tensorflow/core/util/event.proto and summary.proto; the frames are those of tensorflow/core/lib/io/record_writer.h.
///
/// # Example
/// ```
/// use sconce_train::EventFile;
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path().join("runs/first");
/// let mut file = EventFile::create(&folder)?;
/// for step in 0..3 {
///     file.scalars(step, &[("loss/train", 1. / (step + 1) as f64), ("gradient norm", 0.5)])?;
/// }
/// assert!(file.path().starts_with(&folder));
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in a folder, which is made if it isn't there.
    ///
    /// # Errors
    /// The folder or the file can't be made.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self> {
        // Files of one process and second need different names.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
        let (seconds, process) = (now() as u64, std::process::id());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(
            "events.out.tfevents.{seconds:010}.sconce.{process}.{count}"
        ));
        let file = File::create_new(&path).map_err(|error| unwritable(&path, error))?;
        let mut events = Self { path, file };
        events.write(&Event::version())?;
        Ok(events)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds named figures at a step. TensorBoard groups them by what stands before a name's first `/`.
    ///
    /// # Errors
    /// The file can't be written to.
    pub fn scalars(&mut self, step: u64, values: &[(impl AsRef<str>, f64)]) -> Result<()> {
        self.write(&Event::scalars(step, values))
    }

    /// Tells TensorBoard to forget what other files of the folder say of this step and those after it.
    fn start_at(&mut self, step: u64) -> Result<()> {
        self.write(&Event::session_start(step))
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let frame = record::frame(&event.encoded(now()));
        // In one call, and without a buffer that a killed process would take with it.
        let written = self.file.write_all(&frame);
        written.map_err(|error| unwritable(&self.path, error))
    }
}

/// Writes the figures of every epoch into event files that TensorBoard opens: `tensorboard --logdir runs`, where the folder is
/// one in `runs`.
///
/// The names are `loss/train`, `loss/validation`, `turn/NAME` for further turns, `metric/NAME/train` and
/// `metric/NAME/validation`, `learning_rate` and `epoch_seconds`; the step is the epoch. Every run writes a file of its own. One
/// that goes on in the same folder replaces there what an earlier one wrote from its own first epoch on.
///
/// # Errors
/// While running: the folder can't be made or written to.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_data::TensorDataset;
/// use sconce_optim::{Sgd, SgdConfig};
/// use sconce_train::{FitConfig, TensorBoard, Trainer};
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path().join("runs");
///
/// let x = Tensor::ones((8, 1), DType::F32, &Device::Cpu)?;
/// let data = TensorDataset::new(&x, &x)?;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
/// let sgd = Sgd::new(&SgdConfig { lr: 0.1, ..SgdConfig::default() }, &store)?;
/// let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
/// let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(sgd), loss)
///     .with_callback(TensorBoard::new(runs.join("first")));
/// trainer.fit(&data, &FitConfig::new(2, 4))?;
/// assert_eq!(std::fs::read_dir(runs.join("first")).unwrap().count(), 1);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    file: Option<EventFile>,
    /// Whether the file says from which epoch on it counts.
    started: bool,
}

impl TensorBoard {
    /// Writes into this folder, which is made when the run starts.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            file: None,
            started: false,
        }
    }
}

impl Callback for TensorBoard {
    fn on_fit_start(&mut self) -> Result<()> {
        // Now, so that a folder that can't be written to is known before an epoch has been spent.
        (self.file, self.started) = (Some(EventFile::create(&self.folder)?), false);
        Ok(())
    }

    fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
        let step = record.epoch as u64;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(EventFile::create(&self.folder)?),
        };
        if !self.started {
            file.start_at(step)?;
            self.started = true;
        }
        let figures = record.figures().into_iter();
        let values: Vec<(String, f64)> = figures.map(|(figure, value)| (tag(figure), value)).collect();
        file.scalars(step, &values)?;
        Ok(ControlFlow::Continue(()))
    }

    fn on_fit_end(&mut self) -> Result<()> {
        (self.file, self.started) = (None, false);
        Ok(())
    }
}

fn tag(figure: Figure) -> String {
    match figure {
        Figure::TrainLoss => "loss/train".into(),
        Figure::ValidationLoss => "loss/validation".into(),
        Figure::Turn(name) => format!("turn/{name}"),
        Figure::TrainMetric(name) => format!("metric/{name}/train"),
        Figure::Metric(name) => format!("metric/{name}/validation"),
        Figure::LearningRate => "learning_rate".into(),
        Figure::Seconds => "epoch_seconds".into(),
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0., |time| time.as_secs_f64())
}

fn unwritable(path: &Path, problem: impl std::fmt::Display) -> crate::Error {
    let error = sconce_core::Error::File {
        path: path.display().to_string(),
        problem: problem.to_string(),
    };
    error.into()
}

#[cfg(test)]
mod tests;
