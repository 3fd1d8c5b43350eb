//! Graph convolution.

use crate::features::{Convolution, InChannels, NodeFeatures, edge_weight};
use crate::graph::{Graph, LoopFill};
use crate::message_passing::{Edges, MessagePassing, weighted_message};
use crate::scatter::{Aggregation, gather, scatter};
use crate::spmm::spmm;
use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::{Linear, LinearConfig};
use std::sync::{Arc, Mutex, PoisonError};

/// Options of [`GcnConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct GcnConvConfig {
    /// Length of a node's feature vector.
    pub in_channels: usize,
    /// Length of what comes out.
    pub out_channels: usize,
    /// Whether an added self-loop weighs 2 instead of 1. (PyTorch Geometric 2.8 forgets it where edges have no weights.)
    pub improved: bool,
    /// Whether the normalised weights of a graph are kept for the next call with the same graph.
    pub cached: bool,
    /// Whether nodes without a self-loop get one; as `normalize` if `None`.
    pub add_self_loops: Option<bool>,
    /// Whether edge weights are normalised by the degrees of both ends.
    pub normalize: bool,
    /// Whether a learned vector is added.
    pub bias: bool,
    /// How messages become one.
    pub aggr: Aggregation,
}

impl GcnConvConfig {
    /// The layer of the paper.
    pub fn new(in_channels: usize, out_channels: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            improved: false,
            cached: false,
            add_self_loops: None,
            normalize: true,
            bias: true,
            aggr: Aggregation::Sum,
        }
    }
}

/// Sums over the neighbourhood, each neighbour weighted by the degrees at both ends, after a linear map:
///
/// X' = D̂^−½ Â D̂^−½ X Wᵀ + b, with Â the adjacency matrix (a self-loop added to each node that has none) and D̂ its in-degrees.
///
/// Edge weights count if the graph has them, and get gradients.
///
/// # Shapes
/// x `[num_nodes, in_channels]`, output `[num_nodes, out_channels]`
/// # Parameters
/// `lin.weight`: `[out_channels, in_channels]`; `bias`: `[out_channels]`, if `bias`
/// # Errors
/// `new`: a size is 0; self-loops without normalisation. `forward`: x doesn't fit the graph or the layer; a bipartite graph;
/// edge weights of another dtype.
/// # Source
/// Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", 2017;
/// `torch_geometric.nn.GCNConv`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{GcnConv, GcnConvConfig, Graph};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = GcnConv::new(&GcnConvConfig::new(3, 2), store.builder().pp("conv1"))?;
/// let graph = Graph::new(4, &Tensor::new(&[[0i64, 1, 2], [1, 2, 3]], &Device::Cpu)?)?;
/// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward(&graph, &x)?.dims(), [4, 2]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GcnConv {
    lin: Linear,
    bias: Option<Param>,
    cfg: GcnConvConfig,
    add_self_loops: bool,
    cache: Arc<Mutex<Option<Cached>>>,
    path: String,
}

/// The graph that was normalised last, and what came of it.
#[derive(Debug)]
struct Cached {
    graph: Graph,
    dtype: DType,
    normalized: Graph,
}

impl GcnConv {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &GcnConvConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "GcnConv");
        let add_self_loops = cfg.add_self_loops.unwrap_or(cfg.normalize);
        if add_self_loops && !cfg.normalize {
            return Err(Error::config(
                path,
                "add_self_loops",
                true,
                "false where normalize is false",
            ));
        }
        let lin = LinearConfig {
            bias: false,
            weight_init: Some(Init::XavierUniform { gain: 1. }),
            ..LinearConfig::new(cfg.in_channels, cfg.out_channels)
        };
        let lin = Linear::new(&lin, vb.pp("lin"))?;
        let bias = cfg
            .bias
            .then(|| param(&vb, cfg.out_channels, "bias", &Init::Const(0.)))
            .transpose()?;
        Ok(Self {
            lin,
            bias,
            cfg: cfg.clone(),
            add_self_loops,
            cache: Arc::default(),
            path,
        })
    }

    /// New features of all nodes.
    ///
    /// # Errors
    /// See above.
    pub fn forward(&self, graph: &Graph, x: &Tensor) -> Result<Tensor> {
        if graph.num_sources() != graph.num_targets() {
            let expected = "a graph whose edges join nodes of one kind";
            return Err(Error::config(&self.path, "graph", format!("{graph:?}"), expected).into());
        }
        NodeFeatures::Same(x).check(&self.path, graph, InChannels::Same(self.cfg.in_channels))?;
        edge_weight(&self.path, graph, x)?;
        let x = self.lin.forward(x)?;
        let y = match self.cfg.normalize {
            true => self.propagate(&self.normalized(graph, &x)?, &x)?,
            false => self.propagate(graph, &x)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.tensor()),
            None => Ok(y),
        }
    }

    fn normalized(&self, graph: &Graph, x: &Tensor) -> Result<Graph> {
        let compute = || {
            gcn_norm(
                graph,
                self.cfg.improved,
                self.add_self_loops,
                x.dtype(),
                x.device(),
            )
        };
        // Weights that are being learned change from call to call.
        if !self.cfg.cached || graph.edge_weight().is_some_and(Tensor::track_op) {
            return compute();
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = &*cache
            && cached.graph.is(graph)
            && cached.dtype == x.dtype()
        {
            return Ok(cached.normalized.clone());
        }
        let normalized = compute()?;
        *cache = Some(Cached {
            graph: graph.clone(),
            dtype: x.dtype(),
            normalized: normalized.clone(),
        });
        Ok(normalized)
    }
}

impl MessagePassing for GcnConv {
    fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
        weighted_message(edges)
    }

    fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        scatter(messages, edges.graph().target(), self.cfg.aggr)
    }

    fn message_and_aggregate(&self, edges: &Edges<'_>) -> Result<Tensor> {
        match self.cfg.aggr {
            Aggregation::Sum => spmm(edges.graph(), edges.weight(), edges.x().source()),
            _ => self.aggregate(&self.message(edges)?, edges),
        }
    }
}

impl Convolution for GcnConv {
    fn convolve(&self, graph: &Graph, x: NodeFeatures<'_>, _: bool) -> Result<Tensor> {
        match x {
            NodeFeatures::Same(x) => self.forward(graph, x),
            NodeFeatures::Pair(..) => {
                let expected = "one tensor: take SageConv between nodes of different kinds";
                Err(Error::config(&self.path, "x", "a pair of tensors", expected).into())
            }
        }
    }

    fn adds_self_loops(&self) -> bool {
        self.add_self_loops
    }
}

/// The graph with weights that are normalised by the degrees of both ends: w / √(d_source · d_target).
///
/// d is the sum of the weights of a node's incoming edges. With `add_self_loops`, nodes without a self-loop get one, of weight
/// 1, or 2 if `improved`. A node of degree 0 passes nothing on. Edge features are dropped; gradients flow to the weights.
///
/// # Shapes
/// weights `[num_edges]`, of the new graph too
/// # Errors
/// A bipartite graph; weights, or a `dtype` for them, that aren't floats.
/// # Source
/// `torch_geometric.nn.conv.gcn_conv.gcn_norm`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_gnn::{Graph, gcn_norm};
/// let graph = Graph::new(3, &Tensor::new(&[[0i64, 1], [2, 2]], &Device::Cpu)?)?;
/// let weights = gcn_norm(&graph, false, true, DType::F64, &Device::Cpu)?.edge_weight().unwrap().to_vec1::<f64>()?;
/// let third = 1. / 3f64;
/// for (w, expected) in weights.iter().zip([third.sqrt(), third.sqrt(), 1., 1., third]) {
///     assert!((w - expected).abs() < 1e-15);
/// }
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn gcn_norm(
    graph: &Graph,
    improved: bool,
    add_self_loops: bool,
    dtype: DType,
    device: &Device,
) -> Result<Graph> {
    graph.check_square("gcn_norm")?;
    let weight = graph.weights_or_ones(dtype, device)?;
    if !weight.dtype().is_float() {
        return Err(Error::DType {
            layer: "gcn_norm".into(),
            argument: "edge_weight",
            expected: "a float".into(),
            got: weight.dtype(),
        }
        .into());
    }
    let mut graph = graph.clone().without_edge_attr().with_edge_weight(&weight)?;
    if add_self_loops {
        graph = graph.add_remaining_self_loops(&LoopFill::Value(if improved { 2. } else { 1. }))?;
    }
    let weight = graph.weights_or_ones(dtype, device)?;
    let degree = scatter(&weight, graph.target(), Aggregation::Sum)?;
    // 1/√0 is replaced before it is computed: infinity times a gradient of 0 would be NaN.
    let (is_zero, ones) = (degree.eq(0f64)?, degree.ones_like()?);
    let root = is_zero.where_cond(&ones, &degree)?.sqrt()?.recip()?;
    let root = is_zero.where_cond(&degree.zeros_like()?, &root)?;
    let weight = ((gather(&root, graph.source())? * weight)? * gather(&root, graph.target())?)?;
    Ok(graph.with_edge_weight(&weight)?)
}

#[cfg(test)]
mod tests;
