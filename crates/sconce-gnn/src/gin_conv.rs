//! Graph isomorphism network.

use crate::features::{Convolution, NodeFeatures};
use crate::graph::Graph;
use crate::message_passing::{Edges, MessagePassing};
use crate::scatter::{Aggregation, scatter};
use crate::spmm::spmm;
use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Buffer, Error, Init, Param, buffer, layer_path, param};

/// Options of [`GinConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct GinConvConfig {
    /// How much more than a neighbour the node itself counts, at first.
    pub eps: f64,
    /// Whether `eps` is learned.
    pub train_eps: bool,
    /// How messages become one.
    pub aggr: Aggregation,
}

impl Default for GinConvConfig {
    fn default() -> Self {
        Self {
            eps: 0.,
            train_eps: false,
            aggr: Aggregation::Sum,
        }
    }
}

/// Sums the neighbours and the node itself, and puts the sum through a network: x'_i = nn((1 + ε)·x_i + Σ_j x_j), over the
/// edges j → i.
///
/// Edge weights don't count.
///
/// # Shapes
/// x `[num_nodes, in_channels]`, or a pair for sources and targets, of one length; output: the network's of `[num_targets,
/// in_channels]`
/// # Parameters
/// `eps`: `[1]`, a buffer unless `train_eps`; the network's at `nn`
/// # Errors
/// `new`: those of the network. `forward`: x doesn't fit the graph or the network.
/// # Source
/// Xu et al., "How Powerful are Graph Neural Networks?", 2019; `torch_geometric.nn.GINConv`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{GinConv, GinConvConfig, Graph};
/// use sconce_nn::{Linear, LinearConfig, Relu, Sequential};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let layer = GinConv::new(&GinConvConfig::default(), store.builder().pp("conv1"), |vb| {
///     Ok(Sequential::new()
///         .push(Linear::new(&LinearConfig::new(3, 8), vb.pp("0"))?)
///         .push(Relu)
///         .push(Linear::new(&LinearConfig::new(8, 2), vb.pp("2"))?))
/// })?;
/// let graph = Graph::new(4, &Tensor::new(&[[0i64, 1, 2], [1, 2, 3]], &Device::Cpu)?)?;
/// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward_t(&graph, &x, true)?.dims(), [4, 2]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GinConv<N> {
    nn: N,
    eps: Eps,
    aggr: Aggregation,
    path: String,
}

#[derive(Debug, Clone)]
enum Eps {
    Learned(Param),
    Fixed(Buffer),
}

impl<N: ModuleT> GinConv<N> {
    /// The layer whose parameters stand at `vb`, with the network that `nn` makes of the builder of its place.
    pub fn new(
        cfg: &GinConvConfig,
        vb: VarBuilder,
        nn: impl FnOnce(VarBuilder) -> sconce_core::Result<N>,
    ) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "GinConv");
        let init = Init::Const(cfg.eps);
        let eps = if cfg.train_eps {
            Eps::Learned(param(&vb, 1, "eps", &init)?)
        } else {
            Eps::Fixed(buffer(&vb, 1, "eps", &init, vb.dtype())?)
        };
        Ok(Self {
            nn: nn(vb.pp("nn"))?,
            eps,
            aggr: cfg.aggr,
            path,
        })
    }

    /// New features of the targets.
    ///
    /// # Errors
    /// See above.
    pub fn forward_t<'a>(
        &self,
        graph: &Graph,
        x: impl Into<NodeFeatures<'a>>,
        train: bool,
    ) -> Result<Tensor> {
        let x = x.into();
        let channels = match x.source().dims() {
            &[_, channels] => channels,
            other => {
                let expected = format!("[num_nodes = {}, in_channels]", graph.num_sources());
                return Err(Error::shape(&self.path, "x", expected, other).into());
            }
        };
        x.check(&self.path, graph, channels.into())?;
        let y = self.propagate(&graph.clone().without_edge_weight(), x)?;
        self.nn.forward_t(&y, train)
    }
}

impl<N: ModuleT> MessagePassing for GinConv<N> {
    fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
        edges.x_j()
    }

    fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        scatter(messages, edges.graph().target(), self.aggr)
    }

    fn message_and_aggregate(&self, edges: &Edges<'_>) -> Result<Tensor> {
        match self.aggr {
            Aggregation::Sum => spmm(edges.graph(), None, edges.x().source()),
            _ => self.aggregate(&self.message(edges)?, edges),
        }
    }

    fn update(&self, aggregated: Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        let Some(x) = edges.x().target() else {
            return Ok(aggregated);
        };
        let eps = match &self.eps {
            Eps::Learned(eps) => eps.tensor(),
            Eps::Fixed(eps) => eps.tensor(),
        };
        aggregated + x.broadcast_mul(&(eps + 1.)?)?
    }
}

impl<N: ModuleT> Convolution for GinConv<N> {
    fn convolve(&self, graph: &Graph, x: NodeFeatures<'_>, train: bool) -> Result<Tensor> {
        self.forward_t(graph, x, train)
    }
}
