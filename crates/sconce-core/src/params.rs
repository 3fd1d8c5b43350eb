//! Named parameters: how layers ask for them, and the store that holds them.

mod name_glob;
mod selection;
mod store;

use crate::{Error, Init, Result, graph, is_grad_enabled, random};
use candle_core::{DType, Shape, Tensor, TensorId, Var};
use candle_nn::{VarBuilder, VarMap};
pub use name_glob::NameGlob;
pub use selection::Selection;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
pub use store::ParamStore;

/// Where trainable parameters are read from: a [`ParamStore`] or candle's [`VarMap`].
pub trait Parameters {
    /// The parameters that are trained, with their names, in an order that is the same every time.
    fn named_parameters(&self) -> Vec<(String, Var)>;

    /// Parameters, frozen ones too, and buffers: all that a model file holds, in a fixed order.
    fn named_tensors(&self) -> Vec<(String, Var)>;

    /// The names of parameters that aren't trained now and may be later, in a fixed order. There are none where nothing can be
    /// frozen.
    fn frozen_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Freezes the parameter of this name, or has it trained again.
    ///
    /// # Errors
    /// There is none of this name, or nothing can be frozen here.
    fn set_frozen(&self, name: &str, frozen: bool) -> Result<()> {
        let _ = frozen;
        Err(Error::UnknownName(name.to_string()))
    }

    /// Those whose name matches a [`NameGlob`], for a rule that isn't for all of them; see [`Gradients::only`](crate::Gradients::only).
    ///
    /// # Errors
    /// The glob is malformed or matches nothing.
    fn only(&self, glob: &str) -> Result<Selection<'_, Self>>
    where
        Self: Sized,
    {
        Selection::new(self, glob, true)
    }

    /// Those whose name doesn't match.
    ///
    /// # Errors
    /// Those of [`only`](Self::only).
    fn except(&self, glob: &str) -> Result<Selection<'_, Self>>
    where
        Self: Sized,
    {
        Selection::new(self, glob, false)
    }
}

impl Parameters for ParamStore {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        self.trainable()
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.all()
    }

    fn frozen_names(&self) -> Vec<String> {
        self.frozen()
    }

    fn set_frozen(&self, name: &str, frozen: bool) -> Result<()> {
        self.freeze_one(name, frozen)
    }
}

/// Sorted by name, since a `VarMap` has no order of its own. It can't tell buffers from parameters either: those that came
/// about by [`buffer`] are left out of what is trained.
impl Parameters for VarMap {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        let buffers = buffers();
        let mut all = self.named_tensors();
        all.retain(|(_, var)| !buffers.contains(&var.id()));
        all
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        let map = self.data().lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = map
            .iter()
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// A layer's parameter.
///
/// Layers read it through [`tensor`](Self::tensor) alone, which is what makes [`no_grad`](crate::no_grad) and freezing
/// work for all of them.
#[derive(Debug, Clone)]
pub struct Param {
    tensor: Tensor,
    name: Arc<str>,
    frozen: Arc<AtomicBool>,
}

impl Param {
    /// The value to compute with: tracked, unless the parameter is frozen or this is inside `no_grad`.
    pub fn tensor(&self) -> Tensor {
        let tensor = if is_grad_enabled() && !self.frozen.load(Ordering::Relaxed) {
            self.tensor.clone()
        } else {
            self.tensor.detach()
        };
        graph::note_parameter(&tensor, &self.name);
        tensor
    }

    /// The value, never tracked. It shares memory with the parameter, which an optimiser changes in place.
    pub fn value(&self) -> Tensor {
        self.tensor.detach()
    }

    /// The path in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its axes' lengths.
    pub fn dims(&self) -> &[usize] {
        self.tensor.dims()
    }
}

/// Whether a variable is a layer's buffer, made by [`buffer`], and no parameter.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, Parameters, buffer, is_buffer, param};
/// use sconce_core::candle_core::{DType, Device};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&store.builder(), 3, "weight", &Init::Const(1.))?;
/// buffer(&store.builder(), 3, "running_mean", &Init::Const(0.), DType::F32)?;
/// let kinds: Vec<bool> = store.named_tensors().iter().map(|(_, var)| is_buffer(var)).collect();
/// assert_eq!(kinds, [false, true]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn is_buffer(var: &Var) -> bool {
    buffers().contains(&var.id())
}

/// The variables that are buffers. Ids are never given twice, so none need be taken out.
fn buffers() -> MutexGuard<'static, HashSet<TensorId>> {
    static BUFFERS: LazyLock<Mutex<HashSet<TensorId>>> = LazyLock::new(Mutex::default);
    BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tensor that belongs to a layer and is saved with it, but not trained: running statistics, counters.
#[derive(Debug, Clone)]
pub struct Buffer(Var);

impl Buffer {
    /// The current value, never tracked.
    pub fn tensor(&self) -> Tensor {
        self.0.as_detached_tensor()
    }

    /// Overwrites the value, in the store too.
    ///
    /// # Errors
    /// Another shape or dtype.
    pub fn set(&self, value: &Tensor) -> Result<()> {
        Ok(self.0.set(value)?)
    }
}

/// What a layer wants from a [`VarBuilder`], beyond what its `get` can say.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Request {
    init: Init,
    is_buffer: bool,
}

/// What a [`ParamStore`] says beyond the tensor that `get` returns.
struct Reply {
    frozen: Arc<AtomicBool>,
}

thread_local! {
    /// candle's builder passes a shape, a closed set of initialisers and a name. The rest goes past it, on this thread,
    /// for the time of one call.
    static REQUEST: RefCell<Option<Request>> = const { RefCell::new(None) };
    static REPLY: RefCell<Option<Reply>> = const { RefCell::new(None) };
}

/// A parameter of the layer at `vb`.
///
/// Any candle builder works. From a [`ParamStore`] it is created with `init` from the store's generator, and can be frozen.
/// From a candle [`VarMap`] a new one is created with `init` too, from the process's default generator, so that
/// [`manual_seed`](crate::manual_seed) holds there as well. From a file it is what the file has.
///
/// # Errors
/// The store has a tensor of this name with another shape, or a file lacks it; `init` doesn't fit the shape.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_core::candle_core::{DType, Device};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let weight = param(&store.builder().pp("fc1"), (2, 3), "weight", &Init::Orthogonal { gain: 1. })?;
/// assert_eq!((weight.name(), weight.dims()), ("fc1.weight", &[2, 3][..]));
/// assert!(weight.tensor().is_variable());
/// store.freeze("fc1.*")?;
/// assert!(!weight.tensor().is_variable());
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn param(vb: &VarBuilder, shape: impl Into<Shape>, name: &str, init: &Init) -> Result<Param> {
    let (tensor, reply) = get(
        vb,
        shape.into(),
        name,
        Request {
            init: *init,
            is_buffer: false,
        },
        vb.dtype(),
    )?;
    let path = match vb.prefix() {
        prefix if prefix.is_empty() => name.to_string(),
        prefix => format!("{prefix}.{name}"),
    };
    Ok(Param {
        tensor,
        name: path.into(),
        frozen: reply.map(|reply| reply.frozen).unwrap_or_default(),
    })
}

/// A buffer of the layer at `vb`, of the given dtype; what [`param`] says of builders holds.
///
/// # Errors
/// Those of [`param`].
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, Parameters, buffer};
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let mean = buffer(&store.builder(), 3, "running_mean", &Init::Const(0.), DType::F32)?;
/// mean.set(&Tensor::new(&[1f32, 2., 3.], &Device::Cpu)?)?;
/// assert_eq!(store.get("running_mean")?.to_vec1::<f32>()?, [1., 2., 3.]);
/// assert!(store.named_parameters().is_empty());
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn buffer(
    vb: &VarBuilder,
    shape: impl Into<Shape>,
    name: &str,
    init: &Init,
    dtype: DType,
) -> Result<Buffer> {
    let (tensor, _) = get(
        vb,
        shape.into(),
        name,
        Request {
            init: *init,
            is_buffer: true,
        },
        dtype,
    )?;
    // A variable stays the store's own; a plain tensor, as a file gives, becomes the layer's copy.
    let var = Var::from_tensor(&tensor)?;
    buffers().insert(var.id());
    Ok(Buffer(var))
}

fn get(
    vb: &VarBuilder,
    shape: Shape,
    name: &str,
    request: Request,
    dtype: DType,
) -> Result<(Tensor, Option<Reply>)> {
    let existed = vb.contains_tensor(name);
    REQUEST.set(Some(request));
    REPLY.set(None);
    let tensor = vb.get_with_hints_dtype(shape, name, candle_nn::Init::Const(0.), dtype);
    let taken = REQUEST.take().is_none();
    let tensor = tensor?;
    if !taken && !existed && tensor.is_variable() {
        let values = request.init.tensor(
            tensor.shape(),
            dtype,
            tensor.device(),
            &random::default_generator(),
        )?;
        Var::from_tensor(&tensor)?.set(&values)?;
    }
    Ok((tensor, REPLY.take()))
}

/// What the layer asks for, if the call that a store is answering came from [`param`] or [`buffer`].
fn current_request() -> Option<Request> {
    REQUEST.take()
}

fn reply(frozen: Arc<AtomicBool>) {
    REPLY.set(Some(Reply { frozen }));
}

/// candle's initialisers as ours, for its own layers on our store.
fn from_candle(init: candle_nn::Init) -> Init {
    use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};
    match init {
        candle_nn::Init::Const(value) => Init::Const(value),
        candle_nn::Init::Randn { mean, stdev } => Init::Normal { mean, std: stdev },
        candle_nn::Init::Uniform { lo, up } => Init::Uniform { lo, hi: up },
        candle_nn::Init::Kaiming {
            dist,
            fan,
            non_linearity,
        } => {
            let fan = match fan {
                FanInOut::FanIn => crate::Fan::In,
                FanInOut::FanOut => crate::Fan::Out,
            };
            let gain = match non_linearity {
                NonLinearity::ReLU => 2f64.sqrt(),
                NonLinearity::Linear | NonLinearity::Sigmoid => 1.,
                NonLinearity::Tanh => 5. / 3.,
                NonLinearity::SELU => 0.75,
                NonLinearity::ExplicitGain(gain) => gain,
            };
            match dist {
                NormalOrUniform::Normal => Init::KaimingNormal { fan, gain },
                NormalOrUniform::Uniform => Init::KaimingUniform { fan, gain },
            }
        }
    }
}

#[cfg(test)]
mod tests;
