//! Graph attention.

use crate::features::{Convolution, InChannels, NodeFeatures};
use crate::graph::{Graph, LoopFill};
use crate::index::Index;
use crate::message_passing::{Edges, MessagePassing};
use crate::scatter::{Aggregation, gather, scatter_softmax};
use crate::spmm::spmm;
use candle_core::{D, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, function, layer_path, param};
use sconce_nn::{Dropout, LeakyRelu, Linear, LinearConfig};

/// Options of [`GatConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct GatConvConfig {
    /// Length of a node's feature vector; two lengths make sources and targets have maps of their own.
    pub in_channels: InChannels,
    /// Length of what comes out of each head.
    pub out_channels: usize,
    /// How many attentions run side by side.
    pub heads: usize,
    /// Whether the heads' outputs stand one after the other; else they are averaged.
    pub concat: bool,
    /// Slope of the LeakyReLU below zero.
    pub negative_slope: f64,
    /// Probability with which an attention weight is dropped in training.
    pub dropout: f64,
    /// Whether each node attends to itself: existing self-loops are replaced.
    pub add_self_loops: bool,
    /// Length of an edge's feature vector, if edges have a say in the attention.
    pub edge_dim: Option<usize>,
    /// The features of the self-loops that are added.
    pub fill_value: LoopFill,
    /// Whether a learned vector is added.
    pub bias: bool,
    /// Whether a linear map of the node itself is added.
    pub residual: bool,
}

impl GatConvConfig {
    /// One head.
    pub fn new(in_channels: impl Into<InChannels>, out_channels: usize) -> Self {
        Self {
            in_channels: in_channels.into(),
            out_channels,
            heads: 1,
            concat: true,
            negative_slope: 0.2,
            dropout: 0.,
            add_self_loops: true,
            edge_dim: None,
            fill_value: LoopFill::Aggregate(Aggregation::Mean),
            bias: true,
            residual: false,
        }
    }
}

/// Averages over the neighbourhood with weights that the nodes' features decide, in several heads:
///
/// x'_i = Σ_j α_ij W x_j + b, with α_ij the softmax over i's incoming edges j of LeakyReLU(a_src·W x_j + a_dst·W x_i +
/// a_edge·W_e e_ji).
///
/// Edge features are the graph's `edge_attr` `[num_edges, edge_dim]`, or its `edge_weight` where `edge_dim` is 1.
///
/// # Shapes
/// x `[num_nodes, in_channels]`, or a pair for sources and targets; output `[num_targets, heads · out_channels]`, or
/// `[num_targets, out_channels]` without `concat`
/// # Parameters
/// `lin.weight`: `[heads · out_channels, in_channels]`, or `lin_src.weight` and `lin_dst.weight` where `in_channels` is a pair;
/// `att_src`, `att_dst`: `[1, heads, out_channels]`; with `edge_dim`: `lin_edge.weight`: `[heads · out_channels, edge_dim]`,
/// `att_edge`: `[1, heads, out_channels]`; `res.weight`, if `residual`; `bias`, if `bias`
/// # Errors
/// `new`: a size is 0, or `dropout` isn't a probability. `forward`: x doesn't fit the graph or the layer; `edge_dim` without
/// edge features, or with others.
/// # Source
/// Veličković et al., "Graph Attention Networks", 2018; `torch_geometric.nn.GATConv`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{GatConv, GatConvConfig, Graph};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = GatConvConfig { heads: 8, dropout: 0.6, ..GatConvConfig::new(3, 2) };
/// let layer = GatConv::new(&cfg, store.builder().pp("conv1"))?;
/// let graph = Graph::new(4, &Tensor::new(&[[0i64, 1, 2], [1, 2, 3]], &Device::Cpu)?)?;
/// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward_t(&graph, &x, true)?.dims(), [4, 16]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GatConv {
    lin: Maps,
    att_src: Param,
    att_dst: Param,
    edge: Option<(Linear, Param)>,
    res: Option<Linear>,
    bias: Option<Param>,
    dropout: Dropout,
    cfg: GatConvConfig,
    path: String,
}

/// The maps of sources and of targets.
#[derive(Debug, Clone)]
enum Maps {
    Shared(Linear),
    Apart { source: Linear, target: Linear },
}

/// What a [`GatConv`] attended to.
#[derive(Debug, Clone)]
pub struct Attention {
    /// The graph with the self-loops that were added.
    pub graph: Graph,
    /// The weight of each of its edges: `[num_edges, heads]`.
    pub alpha: Tensor,
}

impl GatConv {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &GatConvConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "GatConv");
        cfg.in_channels.check(&path)?;
        for (field, size) in [
            ("out_channels", cfg.out_channels),
            ("heads", cfg.heads),
            ("edge_dim", cfg.edge_dim.unwrap_or(1)),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        if !(0. ..=1.).contains(&cfg.dropout) {
            return Err(Error::config(
                path,
                "dropout",
                cfg.dropout,
                "a probability from 0 to 1",
            ));
        }
        let map = |name: &str, from, to| {
            let cfg = LinearConfig {
                bias: false,
                weight_init: Some(Init::XavierUniform { gain: 1. }),
                ..LinearConfig::new(from, to)
            };
            Linear::new(&cfg, vb.pp(name))
        };
        let (heads, channels) = (cfg.heads, cfg.out_channels);
        let width = heads * channels;
        let lin = match cfg.in_channels {
            InChannels::Same(from) => Maps::Shared(map("lin", from, width)?),
            InChannels::Pair(source, target) => Maps::Apart {
                source: map("lin_src", source, width)?,
                target: map("lin_dst", target, width)?,
            },
        };
        // Glorot over the last two axes, heads and channels.
        let bound = (6. / (heads + channels) as f64).sqrt();
        let init = Init::Uniform {
            lo: -bound,
            hi: bound,
        };
        let att = |name: &str| param(&vb, (1, heads, channels), name, &init);
        let (att_src, att_dst) = (att("att_src")?, att("att_dst")?);
        let edge = match cfg.edge_dim {
            Some(from) => Some((map("lin_edge", from, width)?, att("att_edge")?)),
            None => None,
        };
        let total = if cfg.concat { width } else { channels };
        let (_, to) = cfg.in_channels.both();
        let res = cfg.residual.then(|| map("res", to, total)).transpose()?;
        let bias = cfg
            .bias
            .then(|| param(&vb, total, "bias", &Init::Const(0.)))
            .transpose()?;
        Ok(Self {
            lin,
            att_src,
            att_dst,
            edge,
            res,
            bias,
            dropout: Dropout::new(cfg.dropout)?,
            cfg: cfg.clone(),
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
        Ok(self.attend(graph, x, train)?.0)
    }

    /// The same with what was attended to, as `return_attention_weights` gives it: after dropout, in training.
    ///
    /// # Errors
    /// See above.
    pub fn attend<'a>(
        &self,
        graph: &Graph,
        x: impl Into<NodeFeatures<'a>>,
        train: bool,
    ) -> Result<(Tensor, Attention)> {
        let x = x.into();
        x.check(&self.path, graph, self.cfg.in_channels)?;
        let source = self.mapped(x, false)?;
        let target = match x {
            NodeFeatures::Same(_) if matches!(self.lin, Maps::Shared(_)) => Some(source.clone()),
            _ => x.target().map(|_| self.mapped(x, true)).transpose()?,
        };
        let edges = self.edges(graph, x.source())?;
        let alpha = self.alpha(&edges, &source, target.as_ref())?;
        let alpha = self.dropout.forward_t(&alpha, train)?;
        let edges = edges.without_edge_attr().with_edge_attr(&alpha)?;
        let y = self.propagate(&edges, (&source, target.as_ref()))?;
        let mut y = if self.cfg.concat {
            function::reshape(&y, (y.dim(0)?, self.cfg.heads * self.cfg.out_channels))?
        } else {
            y.mean(1)?
        };
        if let (Some(res), Some(x)) = (&self.res, x.target()) {
            y = (y + res.forward(x)?)?;
        }
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(&bias.tensor())?;
        }
        Ok((y, Attention { graph: edges, alpha }))
    }

    /// W x of the sources or of the targets, by heads.
    fn mapped(&self, x: NodeFeatures<'_>, of_targets: bool) -> Result<Tensor> {
        let x = match (of_targets, x.target()) {
            (true, Some(x)) => x,
            _ => x.source(),
        };
        let lin = match &self.lin {
            Maps::Shared(lin) => lin,
            Maps::Apart { target, .. } if of_targets => target,
            Maps::Apart { source, .. } => source,
        };
        function::reshape(
            &lin.forward(x)?,
            (x.dim(0)?, self.cfg.heads, self.cfg.out_channels),
        )
    }

    /// The graph with edge features alone, if they count, and with its self-loops.
    fn edges(&self, graph: &Graph, x: &Tensor) -> Result<Graph> {
        let attr = match (self.cfg.edge_dim, graph.edge_attr(), graph.edge_weight()) {
            (None, ..) => None,
            (_, Some(attr), _) if attr.rank() == 1 => Some(attr.unsqueeze(1)?),
            (_, Some(attr), _) => Some(attr.clone()),
            (_, None, Some(weight)) => Some(weight.unsqueeze(1)?),
            (Some(dim), None, None) => {
                let expected = format!("[num_edges, edge_dim = {dim}]");
                return Err(Error::config(&self.path, "edge_attr", "absent", expected).into());
            }
        };
        let mut edges = graph.clone().without_edge_attr().without_edge_weight();
        if let (Some(attr), Some(dim)) = (attr, self.cfg.edge_dim) {
            if attr.dims() != [graph.num_edges(), dim] {
                let expected = format!("[num_edges = {}, edge_dim = {dim}]", graph.num_edges());
                return Err(Error::shape(&self.path, "edge_attr", expected, attr.dims()).into());
            }
            if attr.dtype() != x.dtype() {
                return Err(Error::DType {
                    layer: self.path.clone(),
                    argument: "edge_attr",
                    expected: format!("{:?}, that of x", x.dtype()),
                    got: attr.dtype(),
                }
                .into());
            }
            edges = edges.with_edge_attr(&attr)?;
        }
        if self.cfg.add_self_loops {
            edges = edges.remove_self_loops()?.add_self_loops(&self.cfg.fill_value)?;
        }
        Ok(edges)
    }

    /// The attention weights: `[num_edges, heads]`.
    fn alpha(&self, edges: &Graph, source: &Tensor, target: Option<&Tensor>) -> Result<Tensor> {
        let score = |x: &Tensor, att: &Param| x.broadcast_mul(&att.tensor())?.sum(D::Minus1);
        let from = score(source, &self.att_src)?;
        let to = target.map(|target| score(target, &self.att_dst)).transpose()?;
        let mut logits = match &to {
            // candle's sum of nothing and nothing forgets the second, and with it the gradient (of zeros) of `att_dst`.
            Some(to) if edges.num_edges() == 0 && from.elem_count() > 0 && to.elem_count() > 0 => {
                let both = Tensor::cat(&[&from, to], 0)?;
                gather(&both, &Index::trusted(Vec::new(), both.dim(0)?))?
            }
            Some(to) => (gather(&from, edges.source())? + gather(to, edges.target())?)?,
            None => gather(&from, edges.source())?,
        };
        if let (Some((lin, att)), Some(attr)) = (&self.edge, edges.edge_attr()) {
            let dims = (edges.num_edges(), self.cfg.heads, self.cfg.out_channels);
            logits = (logits + score(&function::reshape(&lin.forward(attr)?, dims)?, att)?)?;
        }
        let negative_slope = self.cfg.negative_slope;
        let logits = LeakyRelu { negative_slope }.forward(&logits)?;
        scatter_softmax(&logits, edges.target())
    }
}

/// The attention weights travel as the edges' features.
impl MessagePassing for GatConv {
    fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
        let x_j = edges.x_j()?;
        match edges.attr() {
            Some(alpha) => x_j.broadcast_mul(&alpha.unsqueeze(D::Minus1)?),
            None => Ok(x_j),
        }
    }

    fn message_and_aggregate(&self, edges: &Edges<'_>) -> Result<Tensor> {
        spmm(edges.graph(), edges.attr(), edges.x().source())
    }
}

impl Convolution for GatConv {
    fn convolve(&self, graph: &Graph, x: NodeFeatures<'_>, train: bool) -> Result<Tensor> {
        self.forward_t(graph, x, train)
    }

    fn adds_self_loops(&self) -> bool {
        self.cfg.add_self_loops
    }
}

#[cfg(test)]
mod tests;
