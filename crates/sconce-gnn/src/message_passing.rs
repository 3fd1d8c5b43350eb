//! Layers from a message, an aggregation and an update.

use crate::features::NodeFeatures;
use crate::graph::Graph;
use crate::scatter::{Aggregation, gather, scatter};
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// What a message may be made of: a graph's edges, seen one row an edge.
#[derive(Debug, Clone, Copy)]
pub struct Edges<'a> {
    graph: &'a Graph,
    x: NodeFeatures<'a>,
}

impl<'a> Edges<'a> {
    /// The graph.
    pub fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// The features of the nodes.
    pub fn x(&self) -> NodeFeatures<'a> {
        self.x
    }

    /// Each edge's source's features: `[num_edges, *]`.
    ///
    /// # Errors
    /// x has another number of rows than the graph has sources.
    pub fn x_j(&self) -> Result<Tensor> {
        gather(self.x.source(), self.graph.source())
    }

    /// Each edge's target's features: `[num_edges, *]`.
    ///
    /// # Errors
    /// Targets have no features, or another number of rows than the graph has targets.
    pub fn x_i(&self) -> Result<Tensor> {
        match self.x.target() {
            Some(x) => gather(x, self.graph.target()),
            None => {
                Err(Error::config("MessagePassing", "x.target", "none", "features of the targets").into())
            }
        }
    }

    /// Each edge's weight, if the graph has weights: `[num_edges]`.
    pub fn weight(&self) -> Option<&'a Tensor> {
        self.graph.edge_weight()
    }

    /// Each edge's features, if the graph has any: `[num_edges, *]`.
    pub fn attr(&self) -> Option<&'a Tensor> {
        self.graph.edge_attr()
    }
}

/// A layer that sends a message along each edge, aggregates what arrives at each node, and updates the node with it:
///
/// x'_i = update(aggregate({message(x_i, x_j, e_ji) : j → i})).
///
/// Only `message` has no default. A layer whose messages needn't be stored overrides
/// [`message_and_aggregate`](Self::message_and_aggregate) as well, with the same result.
///
/// # Shapes
/// x `[num_nodes, *]`; what comes out is the layer's matter
/// # Errors
/// Those of its three steps.
/// # Source
/// Gilmer et al., "Neural Message Passing for Quantum Chemistry", 2017; `torch_geometric.nn.MessagePassing`
/// # Example
/// The edge convolution of Wang et al. (2019): x'_i = max over j of W·\[x_i, x_j − x_i\].
/// ```
/// use sconce_core::candle_core::{DType, Device, Module, Result, Tensor};
/// use sconce_core::ParamStore;
/// use sconce_gnn::{Aggregation, Edges, Graph, MessagePassing, scatter};
/// use sconce_nn::{Linear, LinearConfig};
///
/// struct EdgeConv(Linear);
///
/// impl MessagePassing for EdgeConv {
///     fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
///         let (x_i, x_j) = (edges.x_i()?, edges.x_j()?);
///         self.0.forward(&Tensor::cat(&[&x_i, &(x_j - &x_i)?], 1)?)
///     }
///
///     fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
///         scatter(messages, edges.graph().target(), Aggregation::Max)
///     }
/// }
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = EdgeConv(Linear::new(&LinearConfig::new(4, 3), store.builder().pp("nn"))?);
/// let graph = Graph::new(3, &Tensor::new(&[[0i64, 1], [2, 2]], &Device::Cpu)?)?;
/// let y = layer.propagate(&graph, &Tensor::ones((3, 2), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [3, 3]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub trait MessagePassing {
    /// What flows along each edge: `[num_edges, *]`.
    ///
    /// # Errors
    /// Those of its operations.
    fn message(&self, edges: &Edges<'_>) -> Result<Tensor>;

    /// What arrives at each node: `[num_targets, *]`; the sum if not overridden.
    ///
    /// # Errors
    /// The messages aren't one an edge.
    fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        scatter(messages, edges.graph.target(), Aggregation::Sum)
    }

    /// Both steps at once.
    ///
    /// # Errors
    /// Those of the two.
    fn message_and_aggregate(&self, edges: &Edges<'_>) -> Result<Tensor> {
        self.aggregate(&self.message(edges)?, edges)
    }

    /// What becomes of the node; what arrived, if not overridden.
    ///
    /// # Errors
    /// Those of its operations.
    fn update(&self, aggregated: Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        let _ = edges;
        Ok(aggregated)
    }

    /// All steps.
    ///
    /// # Errors
    /// Those of the steps.
    fn propagate<'a>(&self, graph: &'a Graph, x: impl Into<NodeFeatures<'a>>) -> Result<Tensor>
    where
        Self: Sized,
    {
        let edges = Edges { graph, x: x.into() };
        self.update(self.message_and_aggregate(&edges)?, &edges)
    }
}

/// x_j, weighted where there are weights: the message of most convolutions.
pub(crate) fn weighted_message(edges: &Edges<'_>) -> Result<Tensor> {
    let x_j = edges.x_j()?;
    match edges.weight() {
        Some(weight) => {
            let mut dims = vec![1; x_j.rank()];
            if let Some(first) = dims.first_mut() {
                *first = weight.elem_count();
            }
            x_j.broadcast_mul(&weight.reshape(dims)?)
        }
        None => Ok(x_j),
    }
}
