//! Relational graph convolution.

use crate::features::{InChannels, NodeFeatures};
use crate::graph::Graph;
use crate::index::{Index, integers};
use crate::scatter::{Aggregation, gather, scatter};
use crate::spmm::spmm;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::linear;

/// Options of [`RgcnConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct RgcnConvConfig {
    /// Length of a node's feature vector, or two lengths, of sources' and of targets'. Where nodes are known by number alone,
    /// how many there are.
    pub in_channels: InChannels,
    /// Length of what comes out.
    pub out_channels: usize,
    /// How many types of edges there are.
    pub num_relations: usize,
    /// Makes the relations' matrices mixtures of as many.
    pub num_bases: Option<usize>,
    /// Makes the relations' matrices block-diagonal, of as many blocks.
    pub num_blocks: Option<usize>,
    /// How the messages of one relation become one.
    pub aggr: Aggregation,
    /// Whether the node itself counts, beside its neighbours.
    pub root_weight: bool,
    /// Whether a learned vector is added.
    pub bias: bool,
}

impl RgcnConvConfig {
    /// The mean over each relation's neighbours, a full matrix for each relation.
    pub fn new(in_channels: impl Into<InChannels>, out_channels: usize, num_relations: usize) -> Self {
        Self {
            in_channels: in_channels.into(),
            out_channels,
            num_relations,
            num_bases: None,
            num_blocks: None,
            aggr: Aggregation::Mean,
            root_weight: true,
            bias: true,
        }
    }
}

/// A graph convolution with a matrix for each type of edge: x'_i = x_i·W_root + b + Σ_r (aggr_j x_j)·W_r, over the edges j → i
/// of type r.
///
/// x may be the numbers of nodes that have no features: then row k of each matrix is what node k sends.
///
/// # Shapes
/// x `[num_nodes, in_channels]`, or a pair for sources and targets; or numbers `[num_nodes]` below `in_channels`. edge_type
/// `[num_edges]`, integers below `num_relations`. Output `[num_targets, out_channels]`
/// # Parameters
/// `weight`: `[num_relations, in_channels, out_channels]`; with `num_bases`: `[num_bases, in_channels, out_channels]` and
/// `comp`: `[num_relations, num_bases]`; with `num_blocks`: `[num_relations, num_blocks, in_channels / num_blocks,
/// out_channels / num_blocks]`. `root`: `[in_channels, out_channels]`, if `root_weight`; `bias`: `[out_channels]`, if `bias`
/// # Errors
/// `new`: a size is 0; both `num_bases` and `num_blocks`; blocks that don't divide the channels. `forward`: x doesn't fit the
/// graph or the layer; edge types of another number, or out of range.
/// # Source
/// Schlichtkrull et al., "Modeling Relational Data with Graph Convolutional Networks", 2018; `torch_geometric.nn.RGCNConv`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{Graph, RgcnConv, RgcnConvConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = RgcnConvConfig { num_bases: Some(2), ..RgcnConvConfig::new(3, 4, 5) };
/// let layer = RgcnConv::new(&cfg, store.builder().pp("conv1"))?;
/// let graph = Graph::new(4, &Tensor::new(&[[0i64, 1, 2], [1, 2, 3]], &Device::Cpu)?)?;
/// let x = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// let edge_type = Tensor::new(&[0i64, 4, 0], &Device::Cpu)?;
/// assert_eq!(layer.forward(&graph, &x, &edge_type)?.dims(), [4, 4]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RgcnConv {
    weight: Param,
    comp: Option<Param>,
    root: Option<Param>,
    bias: Option<Param>,
    cfg: RgcnConvConfig,
    path: String,
}

impl RgcnConv {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &RgcnConvConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "RgcnConv");
        cfg.in_channels.check(&path)?;
        for (field, size) in [
            ("out_channels", cfg.out_channels),
            ("num_relations", cfg.num_relations),
            ("num_bases", cfg.num_bases.unwrap_or(1)),
            ("num_blocks", cfg.num_blocks.unwrap_or(1)),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        let ((from, root_from), to, relations) =
            (cfg.in_channels.both(), cfg.out_channels, cfg.num_relations);
        // Glorot over the last two axes.
        let glorot = |name: &str, dims: &[usize]| {
            let fans: usize = dims.iter().rev().take(2).sum();
            let bound = (6. / fans as f64).sqrt();
            let init = Init::Uniform {
                lo: -bound,
                hi: bound,
            };
            param(&vb, dims, name, &init)
        };
        let (weight, comp) = match (cfg.num_bases, cfg.num_blocks) {
            (Some(bases), Some(_)) => {
                return Err(Error::config(path, "num_bases", bases, "none beside num_blocks"));
            }
            (Some(bases), None) => (
                glorot("weight", &[bases, from, to])?,
                Some(glorot("comp", &[relations, bases])?),
            ),
            (None, Some(blocks)) => {
                if from % blocks != 0 || to % blocks != 0 {
                    let expected = format!("a divisor of in_channels = {from} and out_channels = {to}");
                    return Err(Error::config(path, "num_blocks", blocks, expected));
                }
                let dims = [relations, blocks, from / blocks, to / blocks];
                (glorot("weight", &dims)?, None)
            }
            (None, None) => (glorot("weight", &[relations, from, to])?, None),
        };
        let root = cfg
            .root_weight
            .then(|| glorot("root", &[root_from, to]))
            .transpose()?;
        let bias = cfg
            .bias
            .then(|| param(&vb, to, "bias", &Init::Const(0.)))
            .transpose()?;
        Ok(Self {
            weight,
            comp,
            root,
            bias,
            cfg: cfg.clone(),
            path,
        })
    }

    /// New features of the targets.
    ///
    /// # Errors
    /// See above.
    pub fn forward<'a>(
        &self,
        graph: &Graph,
        x: impl Into<NodeFeatures<'a>>,
        edge_type: &Tensor,
    ) -> Result<Tensor> {
        let x = x.into();
        let by_number = x.source().dtype().is_int();
        if by_number {
            self.check_numbers(graph, x)?;
        } else {
            x.check(&self.path, graph, self.cfg.in_channels)?;
            let expected = self.weight.value().dtype();
            if x.source().dtype() != expected {
                let got = x.source().dtype();
                return Err(Error::parameter_dtype(&self.path, "x", expected, got).into());
            }
        }
        let weight = self.weights()?;
        let (from, to) = self.cfg.in_channels.both();
        let mut y = Tensor::zeros(
            (graph.num_targets(), self.cfg.out_channels),
            weight.dtype(),
            weight.device(),
        )?;
        for (relation, edges) in self.relations(graph, edge_type)?.iter().enumerate() {
            // A relation without edges adds nothing, but its matrix keeps its gradient, of zeros.
            let weight = weight.get(relation)?;
            let part = if by_number {
                let rows = gather(&weight, &self.numbers("x.source", x.source(), from)?)?;
                self.aggregate(edges, &rows)?
            } else {
                self.multiply(&self.aggregate(edges, x.source())?, &weight)?
            };
            y = (y + part)?;
        }
        if let (Some(root), Some(x)) = (&self.root, x.target()) {
            let root = root.tensor();
            y = match by_number {
                true => (y + gather(&root, &self.numbers("x.target", x, to)?)?)?,
                false => (y + linear(x, &root.t()?, None)?)?,
            };
        }
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.tensor()),
            None => Ok(y),
        }
    }

    /// The relations' matrices, or their blocks: `[num_relations, …]`.
    fn weights(&self) -> Result<Tensor> {
        let weight = self.weight.tensor();
        let Some(comp) = &self.comp else {
            return Ok(weight);
        };
        let (bases, from, to) = weight.dims3()?;
        let mixed = comp.tensor().matmul(&weight.reshape((bases, from * to))?)?;
        mixed.reshape((self.cfg.num_relations, from, to))
    }

    /// Each relation's edges as a graph.
    fn relations(&self, graph: &Graph, edge_type: &Tensor) -> Result<Vec<Graph>> {
        if edge_type.dims() != [graph.num_edges()] {
            let expected = format!("[num_edges = {}]", graph.num_edges());
            return Err(Error::shape(&self.path, "edge_type", expected, edge_type.dims()).into());
        }
        let types = integers(&self.path, "edge_type", edge_type)?;
        let count = self.cfg.num_relations;
        let types = Index::checked(&self.path, "edge_type", types, 0, count, "num_relations")?;
        let plain = graph.clone().without_edge_weight().without_edge_attr();
        let sorted = types.sorted();
        let bounds = sorted.ptr.iter().zip(sorted.ptr.iter().skip(1));
        let graphs = bounds.map(|(&start, &end)| {
            let edges = sorted.order.get(start..end).unwrap_or_default().to_vec();
            Ok(plain.select(&Index::trusted(edges, graph.num_edges()))?)
        });
        graphs.collect()
    }

    fn aggregate(&self, edges: &Graph, x: &Tensor) -> Result<Tensor> {
        match self.cfg.aggr {
            Aggregation::Sum => spmm(edges, None, x),
            aggr => scatter(&gather(x, edges.source())?, edges.target(), aggr),
        }
    }

    /// x times a relation's matrix or blocks.
    fn multiply(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let &[blocks, from, to] = weight.dims() else {
            return linear(x, &weight.t()?, None);
        };
        let rows = x.dim(0)?;
        let parts = (0..blocks).map(|k| {
            let x = x.narrow(1, k * from, from)?;
            linear(&x, &weight.get(k)?.t()?, None)
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        if rows == 0 {
            return Tensor::zeros((0, blocks * to), x.dtype(), x.device());
        }
        Tensor::cat(&parts, 1)
    }

    fn check_numbers(&self, graph: &Graph, x: NodeFeatures<'_>) -> Result<()> {
        if self.cfg.num_blocks.is_some() {
            let expected = "features: blocks need them";
            return Err(Error::config(&self.path, "x", "numbers of nodes", expected).into());
        }
        let sides = [
            ("x.source", Some(x.source()), graph.num_sources()),
            ("x.target", x.target(), graph.num_targets()),
        ];
        for (argument, x, nodes) in sides {
            if let Some(x) = x
                && x.dims() != [nodes]
            {
                let expected = format!("[num_nodes = {nodes}] of numbers");
                return Err(Error::shape(&self.path, argument, expected, x.dims()).into());
            }
        }
        Ok(())
    }

    fn numbers(&self, argument: &'static str, x: &Tensor, count: usize) -> sconce_core::Result<Index> {
        let values = integers(&self.path, argument, x)?;
        Index::checked(&self.path, argument, values, 0, count, "in_channels")
    }
}

#[cfg(test)]
mod tests;
