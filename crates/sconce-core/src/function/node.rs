//! How a [`Function`] of any arity stands in candle's graph.
//!
//! Everything big stays outside the graph; what candle walks are one-element *tokens*:
//!
//! ```text
//! input ── tie ──┐
//!                ├── node (token) ── port ── output
//! input ── tie ──┘                 └─ port ── output
//! ```
//!
//! - A **port** is a one-input operation on the token: its forward moves the finished output out, its backward puts the
//!   output's gradient into the node's inbox.
//! - The **node** operation comes after all its ports in candle's order, so when it runs the inbox is complete. It runs the
//!   function's backward once and hands each input's gradient to its edge.
//! - A **tie** is a one-input operation on an input; its backward hands over what the node left for it.
//! - An input that is itself a port of another node needs no tie: the edge goes from token to token (a **link**), and the
//!   gradient straight into that node's inbox. candle would allocate zeros and add for every edge; here it does so for one
//!   element.
//!
//! The gradient of a token counts the deposits that this pass made into the node's inbox. Whatever else is there was left by
//! a pass that failed, and is thrown away.

mod ops;

use super::{Function, Output, sink};
use crate::{Backward, Error};
use candle_core::{Result, Shape, Tensor, TensorId};
use ops::{NodeOp, PortOp, Tie};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, ThreadId};

/// A recorded call: the function, what it saved, and where the gradients of its inputs go.
struct Node {
    call: Box<dyn Call>,
    wanted: Vec<bool>,
    inputs: Vec<Shape>,
    outputs: Vec<Shape>,
    kept: OnceLock<Vec<Tensor>>,
    edges: Vec<Edge>,
    /// By thread, since several may walk one graph at once.
    inbox: Mutex<HashMap<ThreadId, Vec<(usize, Tensor)>>>,
}

/// A [`Function`] with its saved values, whatever their type.
trait Call: Send + Sync {
    fn name(&self) -> &'static str;
    fn backward(
        &self,
        outputs: &[Tensor],
        wanted: &[bool],
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>>;
}

struct Saved<F: Function> {
    function: F,
    saved: F::Saved,
}

impl<F: Function> Call for Saved<F> {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn backward(
        &self,
        outputs: &[Tensor],
        wanted: &[bool],
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        self.function.backward(
            &Backward {
                saved: &self.saved,
                outputs,
                wanted,
            },
            grads,
        )
    }
}

enum Edge {
    Untracked,
    Tie(Arc<Slot>),
    Link(Arc<Port>),
}

/// One output of a node: where consumers leave its gradient, and the token that orders them.
struct Port {
    node: Arc<Node>,
    output: usize,
    token: Tensor,
    /// The names under which [`PORTS`] lists this port: the output, and views of it made by [`reshape`].
    ids: Mutex<Vec<TensorId>>,
}

/// The ports of living outputs, found by the tensor's id. Weak, so that a graph lives as long as its tensors.
static PORTS: LazyLock<Mutex<HashMap<TensorId, Weak<Port>>>> = LazyLock::new(Default::default);

impl Port {
    fn of(tensor: &Tensor) -> Option<Arc<Port>> {
        lock(&PORTS).get(&tensor.id()).and_then(Weak::upgrade)
    }

    fn list(self: &Arc<Self>, tensor: &Tensor) {
        lock(&self.ids).push(tensor.id());
        lock(&PORTS).insert(tensor.id(), Arc::downgrade(self));
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let mut ports = lock(&PORTS);
        for id in lock(&self.ids).iter() {
            ports.remove(id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is a map that each statement leaves whole, so a panic elsewhere has not broken it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records a call whose outputs are finished: makes the edges, the token and the outputs.
pub(super) fn record<F: Function>(
    function: F,
    saved: F::Saved,
    inputs: &[&Tensor],
    wanted: Vec<bool>,
    outputs: Vec<Output>,
) -> Result<Vec<Tensor>> {
    let keeps_outputs = function.keeps_outputs();
    let (mut edges, mut tokens) = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
    for (input, &wanted) in inputs.iter().zip(&wanted) {
        edges.push(if !wanted {
            Edge::Untracked
        } else if let Some(port) = Port::of(input) {
            tokens.push(port.token.clone());
            Edge::Link(port)
        } else {
            let slot = Arc::new(Slot::default());
            tokens.push(input.apply_op1(Tie(slot.clone()))?);
            Edge::Tie(slot)
        });
    }
    let node = Arc::new(Node {
        call: Box::new(Saved { function, saved }),
        wanted,
        inputs: inputs.iter().map(|input| input.shape().clone()).collect(),
        outputs: outputs.iter().map(|output| output.shape.clone()).collect(),
        kept: OnceLock::new(),
        edges,
        inbox: Mutex::default(),
    });
    let token = match tokens.as_slice() {
        [a] => a.apply_op1(NodeOp(node.clone()))?,
        [a, b] => a.apply_op2(b, NodeOp(node.clone()))?,
        [a, b, c] => a.apply_op3(b, c, NodeOp(node.clone()))?,
        many => Tensor::cat(many, 0)?.apply_op1(NodeOp(node.clone()))?,
    };
    let mut tensors = Vec::with_capacity(outputs.len());
    for (k, output) in outputs.into_iter().enumerate() {
        let port = Arc::new(Port {
            node: node.clone(),
            output: k,
            token: token.clone(),
            ids: Mutex::default(),
        });
        let tensor = token.apply_op1(PortOp::new(port.clone(), output))?;
        port.list(&tensor);
        tensors.push(tensor);
    }
    if keeps_outputs {
        // Detached: a tensor that shares the storage but not the graph, so the node doesn't hold itself.
        node.kept
            .get_or_init(|| tensors.iter().map(Tensor::detach).collect());
    }
    Ok(tensors)
}

/// A view of the same values in another shape, as [`Tensor::reshape`]; between two [`Function`]s its gradient costs
/// nothing.
///
/// # Errors
/// The number of elements differs.
///
/// # Example
/// ```
/// use sconce_core::{candle_core::{DType, Device, Tensor}, function::reshape};
/// let x = Tensor::zeros((2, 3, 4), DType::F32, &Device::Cpu)?;
/// assert_eq!(reshape(&x, (2, 12))?.dims(), [2, 12]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn reshape(tensor: &Tensor, shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    if *tensor.shape() == shape {
        return Ok(tensor.clone());
    }
    let view = tensor.reshape(shape)?;
    if let Some(port) = Port::of(tensor) {
        port.list(&view);
    }
    crate::graph::note("reshape", &[tensor], std::slice::from_ref(&view));
    Ok(view)
}

impl Node {
    fn deposit(&self, output: usize, gradient: Tensor) -> Result<()> {
        let shape = self.outputs.get(output).unwrap_or(gradient.shape());
        let gradient = if gradient.shape() == shape {
            gradient
        } else {
            gradient.reshape(shape)?
        };
        lock(&self.inbox)
            .entry(thread::current().id())
            .or_default()
            .push((output, gradient));
        Ok(())
    }

    /// The outputs' gradients of this pass, each the sum of its deposits.
    fn collect(&self, deposits: usize) -> Result<Vec<Option<Tensor>>> {
        let mut inbox = lock(&self.inbox)
            .remove(&thread::current().id())
            .unwrap_or_default();
        let fresh = inbox.split_off(inbox.len().saturating_sub(deposits));
        let mut grads = vec![None; self.outputs.len()];
        for (output, gradient) in fresh {
            if let Some(sum) = grads.get_mut(output) {
                *sum = Some(match sum.take() {
                    None => gradient,
                    Some(sum) => (sum + gradient)?,
                });
            }
        }
        Ok(grads)
    }

    /// Runs the function's backward and leaves each input's gradient at its edge. The result has, for each edge, the
    /// number of deposits made through it: what candle adds to the gradient of the edge's token.
    fn run(&self, token_gradient: &Tensor) -> Result<Vec<f32>> {
        let name = self.call.name();
        let deposits = token_gradient
            .flatten_all()?
            .to_vec1::<f32>()?
            .first()
            .copied()
            .unwrap_or(0.);
        let grads = self.collect(deposits as usize)?;
        if gradients_are_tracked() || grads.iter().flatten().any(Tensor::track_op) {
            return Err(Error::Backward(format!(
                "{name} has no gradient of its gradient: unset CANDLE_GRAD_DO_NOT_DETACH, or build the second derivative \
                 from plain candle operations"
            ))
            .into());
        }
        let gradients = if grads.iter().all(Option::is_none) {
            vec![None; self.edges.len()]
        } else {
            let _own_passes = sink::Scope::suspend();
            self.call
                .backward(self.kept.get().map_or(&[], Vec::as_slice), &self.wanted, &grads)?
        };
        if gradients.len() != self.edges.len() {
            return Err(Error::Backward(format!(
                "{name} gave {} gradients for {} inputs",
                gradients.len(),
                self.edges.len()
            ))
            .into());
        }
        let mut counts = Vec::with_capacity(self.edges.len());
        for (i, (gradient, (edge, shape))) in gradients
            .into_iter()
            .zip(self.edges.iter().zip(&self.inputs))
            .enumerate()
        {
            if let Some(gradient) = &gradient
                && gradient.shape() != shape
            {
                return Err(Error::shape(
                    name,
                    "gradient",
                    format!("{:?}, the shape of input {i}", shape.dims()),
                    gradient.dims(),
                )
                .into());
            }
            match edge {
                Edge::Untracked => {}
                Edge::Tie(slot) => {
                    slot.put(gradient);
                    counts.push(1.);
                }
                Edge::Link(port) => {
                    counts.push(gradient.is_some() as u8 as f32);
                    if let Some(gradient) = gradient {
                        port.node.deposit(port.output, gradient.detach())?;
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// Whether candle keeps the graph of gradients, by the environment variable that it reads itself.
fn gradients_are_tracked() -> bool {
    static TRACKED: LazyLock<bool> = LazyLock::new(|| {
        std::env::var("CANDLE_GRAD_DO_NOT_DETACH").is_ok_and(|value| !value.is_empty() && value != "0")
    });
    *TRACKED
}

/// What a node found for one input, by thread.
#[derive(Default)]
struct Slot(Mutex<HashMap<ThreadId, Option<Tensor>>>);

impl Slot {
    fn put(&self, gradient: Option<Tensor>) {
        lock(&self.0).insert(thread::current().id(), gradient);
    }

    fn take(&self) -> Option<Tensor> {
        lock(&self.0).remove(&thread::current().id()).flatten()
    }
}
