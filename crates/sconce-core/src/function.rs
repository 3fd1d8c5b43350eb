//! Differentiable functions of one's own: any number of inputs and outputs, and one backward that is written by hand.

mod node;
pub(crate) mod sink;

use crate::{Error, graph, is_grad_enabled};
use candle_core::op::BackpropOp;
use candle_core::{Result, Shape, Storage, Tensor, WithDType};
pub use node::reshape;

/// A function with a backward of its own, like PyTorch's `torch.autograd.Function`.
///
/// [`apply`] runs it and records one node in candle's graph, whatever the number of inputs and outputs. candle's plain
/// `loss.backward()` and [`backward`](crate::backward) both go through it.
///
/// # What it may rely on
/// - Inputs arrive detached and contiguous; so what is saved for the backward holds no graph.
/// - `backward` runs once a backward pass, after every use of every output; never when no output got a gradient.
/// - A graph can be walked again, by several threads at once, and after a pass that failed half-way.
///
/// # What it must not do
/// It computes a first derivative: gradients come out detached. A pass that keeps the graph of the gradients (candle's
/// `CANDLE_GRAD_DO_NOT_DETACH`) stops with an error that says so.
///
/// # Depth
/// candle walks a graph recursively, so a chain can be some thousand nodes long before the stack of a thread (2 MiB for
/// spawned ones) ends. Long work, as a whole sequence through an LSTM, belongs in one function.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Result, Tensor, Var};
/// use sconce_core::{Backward, Function, Output, apply, cpu};
///
/// /// Sum and product of two vectors.
/// struct SumAndProduct;
///
/// impl Function for SumAndProduct {
///     type Saved = [Tensor; 2];
///
///     fn name(&self) -> &'static str {
///         "sum_and_product"
///     }
///
///     fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
///         let [a, b] = inputs else { unreachable!() };
///         let (x, y) = (cpu::slice::<f64>(a)?, cpu::slice::<f64>(b)?);
///         let sum: Vec<f64> = x.iter().zip(&*y).map(|(x, y)| x + y).collect();
///         let product: Vec<f64> = x.iter().zip(&*y).map(|(x, y)| x * y).collect();
///         let outputs = vec![Output::new(sum, a.shape())?, Output::new(product, a.shape())?];
///         Ok((outputs, [a.clone(), b.clone()]))
///     }
///
///     fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
///         let [a, b] = ctx.saved;
///         let zeros = a.zeros_like()?;
///         let [sum, product] = [0, 1].map(|k| grads[k].as_ref().unwrap_or(&zeros));
///         Ok(vec![Some((sum + (product * b)?)?), Some((sum + (product * a)?)?)])
///     }
/// }
///
/// let a = Var::new(&[1f64, 2.], &Device::Cpu)?;
/// let b = Var::new(&[3f64, 4.], &Device::Cpu)?;
/// let outputs = apply(SumAndProduct, &[&a, &b])?;
/// let grads = (&outputs[0] + &outputs[1])?.sum_all()?.backward()?;
/// assert_eq!(grads.get(&a).unwrap().to_vec1::<f64>()?, [4., 5.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub trait Function: Send + Sync + 'static {
    /// What forward keeps for backward.
    type Saved: Send + Sync + 'static;

    /// The name that errors and the graph show.
    fn name(&self) -> &'static str;

    /// The outputs, and what backward will need. `wanted[i]` says whether input `i`'s gradient can be asked for; if none
    /// is, what is saved is dropped at once.
    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)>;

    /// The inputs' gradients from the outputs'. `grads[k]` is `None` for an output that got none. One entry an input
    /// comes back, of the input's shape; what isn't wanted may be `None`, and so may a gradient that is zero.
    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>>;

    /// Whether backward reads [`Backward::outputs`]; they cost no copy, but stay alive.
    fn keeps_outputs(&self) -> bool {
        false
    }
}

/// What [`Function::backward`] has to work with.
#[derive(Debug)]
pub struct Backward<'a, S> {
    /// What forward saved.
    pub saved: &'a S,
    /// The outputs, detached, if [`Function::keeps_outputs`]; else empty.
    pub outputs: &'a [Tensor],
    /// Whether input `i` needs its gradient.
    pub wanted: &'a [bool],
}

impl<S> Backward<'_, S> {
    /// Whether input `i` needs its gradient.
    pub fn wants(&self, i: usize) -> bool {
        self.wanted.get(i).copied().unwrap_or(false)
    }
}

/// A finished result of [`Function::forward`], not yet part of a graph.
#[derive(Debug)]
pub struct Output {
    storage: Storage,
    shape: Shape,
}

impl Output {
    /// An output on the CPU from its values in row-major order, which move in without a copy.
    ///
    /// # Errors
    /// The number of values isn't that of the shape.
    pub fn new<T: WithDType>(values: Vec<T>, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if values.len() != shape.elem_count() {
            return Err(candle_core::Error::Msg(format!(
                "{} values for shape {shape:?}",
                values.len()
            )));
        }
        Ok(Self {
            storage: Storage::Cpu(T::to_cpu_storage_owned(values)),
            shape,
        })
    }

    /// An output from a storage of any device.
    pub fn from_storage(storage: Storage, shape: impl Into<Shape>) -> Self {
        Self {
            storage,
            shape: shape.into(),
        }
    }

    /// An output from a tensor, whose values are copied.
    ///
    /// # Errors
    /// Those of candle's copy.
    pub fn copy_of(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.force_contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        Ok(Self {
            storage: storage.try_clone(layout)?,
            shape: tensor.shape().clone(),
        })
    }

    fn into_tensor(self) -> Tensor {
        Tensor::from_storage(self.storage, self.shape, BackpropOp::none(), false)
    }
}

/// Runs a function on its inputs and records its node, unless no input is tracked or this is inside
/// [`no_grad`](crate::no_grad).
///
/// # Errors
/// What the function's forward reports.
pub fn apply<F: Function>(function: F, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
    let recording = is_grad_enabled();
    let wanted: Vec<bool> = inputs.iter().map(|input| recording && input.track_op()).collect();
    let detached = inputs
        .iter()
        .map(|input| input.detach().contiguous())
        .collect::<Result<Vec<_>>>()?;
    let name = function.name();
    let (outputs, saved) = function.forward(&detached, &wanted)?;
    let tensors = if wanted.contains(&true) {
        node::record(function, saved, inputs, wanted, outputs)?
    } else {
        outputs.into_iter().map(Output::into_tensor).collect()
    };
    graph::note(name, inputs, &tensors);
    Ok(tensors)
}

/// [`apply`] for a function of one output.
///
/// # Errors
/// Also if the function gave another number of outputs.
pub fn apply1<F: Function>(function: F, inputs: &[&Tensor]) -> Result<Tensor> {
    let name = function.name();
    let mut outputs = apply(function, inputs)?;
    match (outputs.pop(), outputs.is_empty()) {
        (Some(output), true) => Ok(output),
        (_, _) => Err(Error::config(name, "outputs", outputs.len() + 1, "one output").into()),
    }
}
