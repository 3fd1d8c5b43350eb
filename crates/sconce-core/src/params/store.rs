//! An ordered, seeded store of parameters and buffers.

use super::{NameGlob, Request, current_request, from_candle, reply};
use crate::random::{self, Generator};
use crate::{Error, Result};
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parameters and buffers by name, in the order in which layers asked for them.
///
/// It hands out candle [`VarBuilder`]s, so sconce's layers, candle's and one's own build on it. Cloning gives another handle
/// to the same store.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_core::candle_core::{DType, Device};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(42);
/// let vb = store.builder();
/// param(&vb.pp("encoder"), (4, 3), "weight", &Init::XavierUniform { gain: 1. })?;
/// param(&vb.pp("head"), 2, "bias", &Init::Const(0.))?;
/// assert_eq!(store.num_parameters(), 14);
/// assert_eq!(store.freeze("encoder.*")?, 1);
/// assert_eq!(store.num_trainable(), 2);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ParamStore {
    shared: Arc<Mutex<Entries>>,
    dtype: DType,
    device: Device,
    generator: Generator,
}

#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    index: HashMap<String, usize>,
}

struct Entry {
    name: String,
    var: Var,
    is_buffer: bool,
    frozen: Arc<AtomicBool>,
}

impl Entry {
    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    fn is_trained(&self) -> bool {
        !self.is_buffer && !self.is_frozen()
    }

    fn named(&self) -> (String, Var) {
        (self.name.clone(), self.var.clone())
    }
}

impl ParamStore {
    /// An empty store whose layers compute in `dtype` on `device`. Initial values come from the process's default
    /// generator ([`manual_seed`](crate::manual_seed)).
    pub fn new(dtype: DType, device: &Device) -> Self {
        let generator = random::default_generator();
        Self {
            shared: Arc::default(),
            dtype,
            device: device.clone(),
            generator,
        }
    }

    /// The same with a generator of its own.
    pub fn seeded(self, seed: u64) -> Self {
        Self {
            generator: Generator::new(seed),
            ..self
        }
    }

    /// A builder for layers.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), self.dtype, self.device.clone())
    }

    /// The tensor of this name, detached. It shares memory with the store.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.find(name).map(|var| var.as_detached_tensor())
    }

    /// Overwrites the tensor of this name.
    ///
    /// # Errors
    /// There is none, or it has another shape or dtype.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let var = self.find(name)?;
        if var.shape() != value.shape() {
            return Err(Error::shape(
                name,
                "value",
                format!("{:?}", var.dims()),
                value.dims(),
            ));
        }
        Ok(var.set(value)?)
    }

    /// Stops the training of every parameter whose name matches `glob` (`*` matches dots too) and tells how many match:
    /// layers read it detached, and [`backward`](crate::backward) leaves it out.
    ///
    /// # Errors
    /// The pattern is malformed or matches no parameter.
    pub fn freeze(&self, glob: &str) -> Result<usize> {
        self.freeze_all(glob, true)
    }

    /// Undoes [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// The pattern is malformed or matches no parameter.
    pub fn unfreeze(&self, glob: &str) -> Result<usize> {
        self.freeze_all(glob, false)
    }

    /// The number of values in parameters, frozen ones included.
    pub fn num_parameters(&self) -> usize {
        self.count(|entry| !entry.is_buffer)
    }

    /// The number of values that are trained.
    pub fn num_trainable(&self) -> usize {
        self.count(Entry::is_trained)
    }

    /// A table of all tensors: name, shape, dtype, number of values, and what is frozen or a buffer; totals below.
    ///
    /// ```
    /// # use sconce_core::{Init, ParamStore, param, candle_core::{DType, Device}};
    /// # let store = ParamStore::new(DType::F32, &Device::Cpu);
    /// param(&store.builder().pp("fc"), (4, 3), "weight", &Init::Const(0.))?;
    /// let summary = store.summary();
    /// assert!(summary.contains("fc.weight") && summary.ends_with("12 parameters, 12 trainable, 48 bytes\n"));
    /// # Ok::<(), sconce_core::Error>(())
    /// ```
    pub fn summary(&self) -> String {
        let entries = self.lock();
        let rows: Vec<[String; 4]> = entries
            .list
            .iter()
            .map(|entry| {
                let kind = match (entry.is_buffer, entry.is_frozen()) {
                    (true, _) => "buffer",
                    (false, true) => "frozen",
                    (false, false) => "",
                };
                let shape = format!("{:?} {}", entry.var.dims(), entry.var.dtype().as_str());
                [
                    entry.name.clone(),
                    shape,
                    entry.var.elem_count().to_string(),
                    kind.to_string(),
                ]
            })
            .collect();
        let bytes: usize = entries
            .list
            .iter()
            .map(|e| e.var.elem_count() * e.var.dtype().size_in_bytes())
            .sum();
        drop(entries);
        let header = ["name", "shape", "values", ""].map(String::from);
        let mut widths = [0; 4];
        for row in std::iter::once(&header).chain(&rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.len());
            }
        }
        let [a, b, c, _] = widths;
        let mut table = String::new();
        for [name, shape, values, kind] in std::iter::once(&header).chain(&rows) {
            let line = format!("{name:<a$}  {shape:<b$}  {values:>c$}  {kind}");
            // Writing to a string can't fail.
            let _ = writeln!(table, "{}", line.trim_end());
        }
        let (parameters, trainable) = (self.num_parameters(), self.num_trainable());
        let _ = writeln!(
            table,
            "{parameters} parameters, {trainable} trainable, {bytes} bytes"
        );
        table
    }

    pub(super) fn trainable(&self) -> Vec<(String, Var)> {
        self.lock()
            .list
            .iter()
            .filter(|entry| entry.is_trained())
            .map(Entry::named)
            .collect()
    }

    pub(super) fn all(&self) -> Vec<(String, Var)> {
        self.lock().list.iter().map(Entry::named).collect()
    }

    pub(super) fn frozen(&self) -> Vec<String> {
        let entries = self.lock();
        let frozen = entries
            .list
            .iter()
            .filter(|entry| !entry.is_buffer && entry.is_frozen());
        frozen.map(|entry| entry.name.clone()).collect()
    }

    pub(super) fn freeze_one(&self, name: &str, frozen: bool) -> Result<()> {
        let entries = self.lock();
        let entry = entries.index.get(name).and_then(|&i| entries.list.get(i));
        match entry.filter(|entry| !entry.is_buffer) {
            Some(entry) => entry.frozen.store(frozen, Ordering::Relaxed),
            None => return Err(Error::UnknownName(name.to_string())),
        }
        Ok(())
    }

    fn freeze_all(&self, glob: &str, frozen: bool) -> Result<usize> {
        let glob = NameGlob::new(glob)?;
        let entries = self.lock();
        let hits = entries
            .list
            .iter()
            .filter(|entry| !entry.is_buffer && glob.matches(&entry.name));
        let count = hits
            .inspect(|entry| entry.frozen.store(frozen, Ordering::Relaxed))
            .count();
        if count == 0 {
            return Err(glob.matches_no("parameter"));
        }
        Ok(count)
    }

    fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        self.lock()
            .list
            .iter()
            .filter(|entry| which(entry))
            .map(|entry| entry.var.elem_count())
            .sum()
    }

    fn find(&self, name: &str) -> Result<Var> {
        let entries = self.lock();
        let entry = entries.index.get(name).and_then(|&i| entries.list.get(i));
        entry
            .map(|entry| entry.var.clone())
            .ok_or_else(|| Error::UnknownName(name.to_string()))
    }

    fn get_or_create(
        &self,
        shape: Shape,
        name: &str,
        request: Request,
        asked: bool,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut entries = self.lock();
        if let Some(entry) = entries.index.get(name).and_then(|&i| entries.list.get(i)) {
            if *entry.var.shape() != shape {
                let (expected, got) = (
                    format!("{:?}, which the store holds", entry.var.dims()),
                    shape.dims(),
                );
                return Err(Error::shape(name, "requested tensor", expected, got));
            }
            if entry.var.dtype() != dtype {
                return Err(Error::DType {
                    layer: name.to_string(),
                    argument: "requested tensor",
                    expected: format!("{:?}, which the store holds", entry.var.dtype()),
                    got: dtype,
                });
            }
            if asked && entry.is_buffer != request.is_buffer {
                let kind = |is_buffer| if is_buffer { "a buffer" } else { "a parameter" };
                let held = format!("{}, as which the store holds it", kind(entry.is_buffer));
                return Err(Error::config(name, "kind", kind(request.is_buffer), held));
            }
            reply(entry.frozen.clone());
            return Ok(entry.var.as_tensor().clone());
        }
        let var = Var::from_tensor(&request.init.tensor(shape, dtype, device, &self.generator)?)?;
        let tensor = var.as_tensor().clone();
        let frozen = Arc::new(AtomicBool::new(false));
        reply(frozen.clone());
        let i = entries.list.len();
        entries.index.insert(name.to_string(), i);
        entries.list.push(Entry {
            name: name.to_string(),
            var,
            is_buffer: request.is_buffer,
            frozen,
        });
        Ok(tensor)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Each statement behind the lock leaves the entries whole, so a panic elsewhere has not broken them.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ParamStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.summary())
    }
}

impl SimpleBackend for ParamStore {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        hint: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let request = current_request();
        let asked = request.is_some();
        let request = request.unwrap_or(Request {
            init: from_candle(hint),
            is_buffer: false,
        });
        Ok(self.get_or_create(shape, name, request, asked, dtype, device)?)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Ok(self.find(name)?.as_tensor().clone())
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().index.contains_key(name)
    }
}
