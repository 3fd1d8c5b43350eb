//! GraphSAGE.

use crate::features::{Convolution, InChannels, NodeFeatures};
use crate::graph::Graph;
use crate::message_passing::{Edges, MessagePassing};
use crate::scatter::{Aggregation, scatter};
use crate::spmm::spmm;
use candle_core::{D, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, layer_path};
use sconce_nn::{Linear, LinearConfig, Relu};

/// Options of [`SageConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct SageConvConfig {
    /// Length of a node's feature vector, or two lengths, of sources' and of targets'.
    pub in_channels: InChannels,
    /// Length of what comes out.
    pub out_channels: usize,
    /// How messages become one; of several, the results stand one after the other.
    pub aggr: Vec<Aggregation>,
    /// Whether what comes out is scaled to length 1.
    pub normalize: bool,
    /// Whether the node itself counts, beside its neighbours.
    pub root_weight: bool,
    /// Whether neighbours go through a linear map and a ReLU first.
    pub project: bool,
    /// Whether a learned vector is added.
    pub bias: bool,
}

impl SageConvConfig {
    /// The mean over neighbours.
    pub fn new(in_channels: impl Into<InChannels>, out_channels: usize) -> Self {
        Self {
            in_channels: in_channels.into(),
            out_channels,
            aggr: vec![Aggregation::Mean],
            normalize: false,
            root_weight: true,
            project: false,
            bias: true,
        }
    }
}

/// Aggregates the neighbours and maps the result and the node itself linearly:
///
/// x'_i = W_l · aggr_j x_j + b + W_r x_i, over the edges j → i.
///
/// Edge weights don't count.
///
/// # Shapes
/// x `[num_nodes, in_channels]`, or a pair for sources and targets; output `[num_targets, out_channels]`
/// # Parameters
/// `lin_l.weight`: `[out_channels, in_channels]` (times the number of aggregations), `lin_l.bias`: `[out_channels]`, if `bias`;
/// `lin_r.weight`: `[out_channels, in_channels]`, if `root_weight`; `lin.weight`, `lin.bias`, if `project`
/// # Errors
/// `new`: a size is 0, or there is no aggregation. `forward`: x doesn't fit the graph or the layer.
/// # Source
/// Hamilton et al., "Inductive Representation Learning on Large Graphs", 2017; `torch_geometric.nn.SAGEConv`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{Aggregation, Graph, SageConv, SageConvConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = SageConvConfig { aggr: vec![Aggregation::Max], ..SageConvConfig::new((3, 5), 2) };
/// let layer = SageConv::new(&cfg, store.builder().pp("conv1"))?;
/// // Two authors wrote three papers.
/// let graph = Graph::bipartite(2, 3, &Tensor::new(&[[0i64, 0, 1], [0, 1, 2]], &Device::Cpu)?)?;
/// let authors = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let papers = Tensor::ones((3, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward(&graph, (&authors, &papers))?.dims(), [3, 2]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SageConv {
    lin: Option<Linear>,
    lin_l: Linear,
    lin_r: Option<Linear>,
    cfg: SageConvConfig,
    path: String,
}

impl SageConv {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &SageConvConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "SageConv");
        cfg.in_channels.check(&path)?;
        if cfg.aggr.is_empty() {
            return Err(Error::config(path, "aggr", "[]", "at least one aggregation"));
        }
        let (source, target) = cfg.in_channels.both();
        let map = |name: &str, from, to, bias| {
            let cfg = LinearConfig {
                bias,
                ..LinearConfig::new(from, to)
            };
            Linear::new(&cfg, vb.pp(name))
        };
        let out = cfg.out_channels;
        Ok(Self {
            lin: cfg
                .project
                .then(|| map("lin", source, source, true))
                .transpose()?,
            lin_l: map("lin_l", source * cfg.aggr.len(), out, cfg.bias)?,
            lin_r: cfg
                .root_weight
                .then(|| map("lin_r", target, out, false))
                .transpose()?,
            cfg: cfg.clone(),
            path,
        })
    }

    /// New features of the targets.
    ///
    /// # Errors
    /// See above.
    pub fn forward<'a>(&self, graph: &Graph, x: impl Into<NodeFeatures<'a>>) -> Result<Tensor> {
        let x = x.into();
        x.check(&self.path, graph, self.cfg.in_channels)?;
        let projected = match &self.lin {
            Some(lin) => Relu.forward(&lin.forward(x.source())?)?,
            None => x.source().clone(),
        };
        let plain = graph.clone().without_edge_weight();
        let mut y = self
            .lin_l
            .forward(&self.propagate(&plain, (&projected, x.target()))?)?;
        if let (Some(lin), Some(x)) = (&self.lin_r, x.target()) {
            y = (y + lin.forward(x)?)?;
        }
        if self.cfg.normalize { unit(&y) } else { Ok(y) }
    }
}

/// Rows of length 1, or divided by 1e-12 where they are shorter than that, as `torch.nn.functional.normalize` does.
fn unit(y: &Tensor) -> Result<Tensor> {
    const EPS: f64 = 1e-12;
    let square = y.sqr()?.sum_keepdim(D::Minus1)?;
    let short = square.lt(EPS * EPS)?;
    // The root's slope at 0 is infinite: short rows don't go through it.
    let length = short.where_cond(&square.ones_like()?, &square)?.sqrt()?;
    let length = short.where_cond(&(square.ones_like()? * EPS)?, &length)?;
    y.broadcast_div(&length)
}

impl MessagePassing for SageConv {
    fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
        edges.x_j()
    }

    fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
        let target = edges.graph().target();
        let reduced: Vec<Tensor> = self
            .cfg
            .aggr
            .iter()
            .map(|&aggr| scatter(messages, target, aggr))
            .collect::<Result<_>>()?;
        match reduced.as_slice() {
            [one] => Ok(one.clone()),
            several if edges.graph().num_targets() > 0 => Tensor::cat(several, 1),
            // candle can't put nothing beside nothing.
            several => {
                let width = several.iter().map(|part| part.dim(1)).sum::<Result<usize>>()?;
                Tensor::zeros((0, width), messages.dtype(), messages.device())
            }
        }
    }

    fn message_and_aggregate(&self, edges: &Edges<'_>) -> Result<Tensor> {
        match self.cfg.aggr.as_slice() {
            [Aggregation::Sum] => spmm(edges.graph(), None, edges.x().source()),
            _ => self.aggregate(&self.message(edges)?, edges),
        }
    }
}

impl Convolution for SageConv {
    fn convolve(&self, graph: &Graph, x: NodeFeatures<'_>, _: bool) -> Result<Tensor> {
        self.forward(graph, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_core::ParamStore;

    #[test]
    fn a_row_of_zeros_stays_and_gets_a_finite_gradient() {
        let y = Var::new(&[[3f64, 4.], [0., 0.]], &Device::Cpu).unwrap();
        let unit = unit(&y).unwrap();
        assert_eq!(unit.to_vec2::<f64>().unwrap(), [[0.6, 0.8], [0., 0.]]);
        let grads = unit.sum_all().unwrap().backward().unwrap();
        let dy = grads.get(&y).unwrap().to_vec2::<f64>().unwrap();
        assert!((dy[0][0] - 0.032).abs() < 1e-15 && (dy[1][0] / 1e12 - 1.).abs() < 1e-15);
    }

    #[test]
    fn bad_options_and_calls_name_the_layer() {
        let vb = ParamStore::new(DType::F64, &Device::Cpu).builder().pp("sage");
        let cfg = SageConvConfig::new((2, 3), 4);
        let none = SageConvConfig {
            aggr: vec![],
            ..cfg.clone()
        };
        assert!(
            SageConv::new(&none, vb.clone())
                .unwrap_err()
                .to_string()
                .contains("aggr is []")
        );
        assert!(SageConv::new(&SageConvConfig::new(0, 4), vb.clone()).is_err());
        assert!(SageConv::new(&SageConvConfig::new(2, 0), vb.clone()).is_err());
        let layer = SageConv::new(&cfg, vb).unwrap();
        let graph =
            Graph::bipartite(2, 5, &Tensor::zeros((2, 0), DType::I64, &Device::Cpu).unwrap()).unwrap();
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
        let (x, y) = (zeros(&[2, 2]), zeros(&[5, 3]));
        assert_eq!(layer.forward(&graph, (&x, &y)).unwrap().dims(), [5, 4]);
        assert_eq!(layer.forward(&graph, (&x, None)).unwrap().dims(), [5, 4]);
        for (result, message) in [
            (
                layer.forward(&graph, &x),
                "sage (SageConv): x is one tensor for Graph of 2 sources",
            ),
            (
                layer.forward(&graph, (&y, &y)),
                "x.source has shape [5, 3], expected [num_sources = 2",
            ),
            (
                layer.forward(&graph, (&x, &x)),
                "x.target has shape [2, 2], expected [num_targets = 5",
            ),
        ] {
            let error = Error::from(result.unwrap_err()).to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
