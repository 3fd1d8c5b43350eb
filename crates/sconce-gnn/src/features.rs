//! What layers are given for nodes, and what all graph layers have in common.

use crate::graph::Graph;
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// The features of a graph's nodes: one tensor, or one for the sources and one for the targets of a bipartite graph.
///
/// Layers take whatever turns into it: `&x`, `(&x_source, &x_target)`, or `(&x_source, None)` where targets have no features.
#[derive(Debug, Clone, Copy)]
pub enum NodeFeatures<'a> {
    /// The same nodes at both ends of the edges.
    Same(&'a Tensor),
    /// Sources, and targets if they have features of their own.
    Pair(&'a Tensor, Option<&'a Tensor>),
}

impl<'a> NodeFeatures<'a> {
    /// The features of the nodes that edges come from.
    pub fn source(&self) -> &'a Tensor {
        match *self {
            Self::Same(x) | Self::Pair(x, _) => x,
        }
    }

    /// The features of the nodes that edges go to.
    pub fn target(&self) -> Option<&'a Tensor> {
        match *self {
            Self::Same(x) => Some(x),
            Self::Pair(_, x) => x,
        }
    }

    /// That they are `[num_sources, source]` and `[num_targets, target]`.
    pub(crate) fn check(&self, path: &str, graph: &Graph, channels: InChannels) -> Result<()> {
        let (from, to) = channels.both();
        let check = |argument, x: &Tensor, axis, nodes: usize, channels: usize| {
            if x.dims() == [nodes, channels] {
                return Ok(());
            }
            let expected = format!("[{axis} = {nodes}, in_channels = {channels}]");
            Err(Error::shape(path, argument, expected, x.dims()))
        };
        match *self {
            Self::Same(x) if graph.num_sources() == graph.num_targets() => {
                check("x", x, "num_nodes", graph.num_sources(), from)?;
                check("x", x, "num_nodes", graph.num_targets(), to)?;
            }
            Self::Same(_) => {
                let value = format!("one tensor for {graph:?}");
                let expected = "a pair of tensors, for sources and for targets";
                return Err(Error::config(path, "x", value, expected).into());
            }
            Self::Pair(x, y) => {
                check("x.source", x, "num_sources", graph.num_sources(), from)?;
                if let Some(y) = y {
                    check("x.target", y, "num_targets", graph.num_targets(), to)?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> From<&'a Tensor> for NodeFeatures<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self::Same(x)
    }
}

/// A variable is a tensor.
impl<'a> From<&'a candle_core::Var> for NodeFeatures<'a> {
    fn from(x: &'a candle_core::Var) -> Self {
        Self::Same(x.as_tensor())
    }
}

impl<'a> From<(&'a Tensor, &'a Tensor)> for NodeFeatures<'a> {
    fn from((source, target): (&'a Tensor, &'a Tensor)) -> Self {
        Self::Pair(source, Some(target))
    }
}

impl<'a> From<(&'a Tensor, Option<&'a Tensor>)> for NodeFeatures<'a> {
    fn from((source, target): (&'a Tensor, Option<&'a Tensor>)) -> Self {
        Self::Pair(source, target)
    }
}

/// Lengths of the feature vectors: one for all nodes, or one for sources and one for targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InChannels {
    /// All nodes alike.
    Same(usize),
    /// Sources, targets.
    Pair(usize, usize),
}

impl InChannels {
    /// Of sources, of targets.
    pub(crate) fn both(self) -> (usize, usize) {
        match self {
            Self::Same(n) => (n, n),
            Self::Pair(source, target) => (source, target),
        }
    }

    /// That none is 0.
    pub(crate) fn check(self, path: &str) -> sconce_core::Result<()> {
        let (source, target) = self.both();
        if source == 0 || target == 0 {
            return Err(Error::config(path, "in_channels", 0, "at least 1"));
        }
        Ok(())
    }
}

impl From<usize> for InChannels {
    fn from(n: usize) -> Self {
        Self::Same(n)
    }
}

impl From<(usize, usize)> for InChannels {
    fn from((source, target): (usize, usize)) -> Self {
        Self::Pair(source, target)
    }
}

/// A layer that turns node features into node features along a graph's edges: what [`HeteroConv`](crate::HeteroConv) holds
/// one of for each edge type.
pub trait Convolution {
    /// New features of the targets.
    ///
    /// # Errors
    /// Those of the layer.
    fn convolve(&self, graph: &Graph, x: NodeFeatures<'_>, train: bool) -> Result<Tensor>;

    /// Whether the layer adds self-loops, which make no sense between nodes of different types.
    fn adds_self_loops(&self) -> bool {
        false
    }
}

/// The weights of the edges, in the dtype of x.
pub(crate) fn edge_weight<'a>(path: &str, graph: &'a Graph, x: &Tensor) -> Result<Option<&'a Tensor>> {
    match graph.edge_weight() {
        Some(weight) if weight.dtype() != x.dtype() => Err(Error::DType {
            layer: path.to_string(),
            argument: "edge_weight",
            expected: format!("{:?}, that of x", x.dtype()),
            got: weight.dtype(),
        }
        .into()),
        weight => Ok(weight),
    }
}
