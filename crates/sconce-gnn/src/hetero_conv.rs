//! A layer for each edge type.

use crate::features::{Convolution, NodeFeatures};
use crate::hetero_graph::{EdgeType, FeatureMap, HeteroGraph};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, layer_path};

/// How what a node gets through edges of different types becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeteroAggregation {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The largest value of each feature; of equal ones, the gradient goes to the type that was added first.
    Max,
    /// The smallest value of each feature; of equal ones, the gradient goes to the type that was added first.
    Min,
    /// One after the other.
    Cat,
    /// Side by side, along a new second axis.
    Stack,
}

/// Options of [`HeteroConv`]; the defaults are PyTorch Geometric's.
#[derive(Debug, Clone, PartialEq)]
pub struct HeteroConvConfig {
    /// How results of several edge types become one. PyTorch Geometric's `None` is [`HeteroAggregation::Stack`].
    pub aggr: HeteroAggregation,
}

impl Default for HeteroConvConfig {
    fn default() -> Self {
        Self {
            aggr: HeteroAggregation::Sum,
        }
    }
}

/// Runs a layer of its own for each edge type, and aggregates what arrives at a node type through several.
///
/// Edge types that the graph lacks are passed over, and so are the graph's that have no layer. Node types that no edge goes to
/// aren't in the output.
///
/// # Shapes
/// x: by node type, `[num_nodes, *]`; output: by node type, what the layers give
/// # Parameters
/// the layers' at `convs.<source___relation___target>`
/// # Errors
/// `with`: an edge type that has a layer already; a layer that adds self-loops between nodes of different types. `forward_t`:
/// features of a source type are absent; results that can't be aggregated; those of the layers.
/// # Source
/// `torch_geometric.nn.HeteroConv`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::ParamStore;
/// use sconce_gnn::{GcnConv, GcnConvConfig, HeteroConv, HeteroConvConfig, HeteroGraph, SageConv, SageConvConfig};
/// let device = &Device::Cpu;
/// let store = ParamStore::new(DType::F32, device);
/// let layer = HeteroConv::new(&HeteroConvConfig::default(), store.builder())
///     .with(("author", "writes", "paper"), |vb| SageConv::new(&SageConvConfig::new((4, 5), 8), vb))?
///     .with(("paper", "cites", "paper"), |vb| GcnConv::new(&GcnConvConfig::new(5, 8), vb))?;
/// assert!(store.summary().contains("convs.<paper___cites___paper>.lin.weight"));
///
/// let mut graph = HeteroGraph::new();
/// graph.add_nodes("author", 2)?.add_nodes("paper", 3)?;
/// graph.add_edges(("author", "writes", "paper"), &Tensor::new(&[[0i64, 0, 1], [0, 1, 2]], device)?)?;
/// graph.add_edges(("paper", "cites", "paper"), &Tensor::new(&[[0i64], [1]], device)?)?;
/// graph.set_x("author", &Tensor::ones((2, 4), DType::F32, device)?)?;
/// graph.set_x("paper", &Tensor::ones((3, 5), DType::F32, device)?)?;
/// let y = layer.forward_t(&graph, graph.x(), true)?;
/// assert_eq!(y["paper"].dims(), [3, 8]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct HeteroConv {
    convs: Vec<(EdgeType, Box<dyn Convolution + Send + Sync>)>,
    aggr: HeteroAggregation,
    vb: VarBuilder<'static>,
    path: String,
}

impl HeteroConv {
    /// No layers yet; their parameters will stand below `vb`.
    pub fn new(cfg: &HeteroConvConfig, vb: VarBuilder<'static>) -> Self {
        Self {
            convs: Vec::new(),
            aggr: cfg.aggr,
            path: layer_path(&vb, "HeteroConv"),
            vb,
        }
    }

    /// The same with a layer for one more edge type: what `conv` makes of the builder of its place.
    ///
    /// # Errors
    /// See above.
    pub fn with<C: Convolution + Send + Sync + 'static>(
        mut self,
        edge_type: impl Into<EdgeType>,
        conv: impl FnOnce(VarBuilder<'static>) -> sconce_core::Result<C>,
    ) -> sconce_core::Result<Self> {
        let edge_type = edge_type.into();
        if self.convs.iter().any(|(known, _)| *known == edge_type) {
            return Err(Error::config(
                self.path,
                "edge_type",
                edge_type,
                "a type without a layer yet",
            ));
        }
        let EdgeType {
            source,
            relation,
            target,
        } = &edge_type;
        // A dot would be a path.
        let key = format!("<{source}___{relation}___{target}>").replace('.', "#");
        let conv = conv(self.vb.pp("convs").pp(key))?;
        if source != target && conv.adds_self_loops() {
            let expected = "false between nodes of different types";
            let layer = format!("{} of {edge_type}", self.path);
            return Err(Error::config(layer, "add_self_loops", true, expected));
        }
        self.convs.push((edge_type, Box::new(conv)));
        Ok(self)
    }

    /// New features by node type.
    ///
    /// # Errors
    /// See above.
    pub fn forward_t(&self, graph: &HeteroGraph, x: &FeatureMap, train: bool) -> Result<FeatureMap> {
        let mut results: Vec<(&str, Vec<Tensor>)> = Vec::new();
        for (edge_type, conv) in &self.convs {
            let Some(edges) = graph.find(edge_type) else {
                continue;
            };
            let source = x.get(&edge_type.source).ok_or_else(|| {
                let known: Vec<&String> = x.keys().collect();
                let value = format!("of {known:?}");
                let expected = format!("also of {}, for {edge_type}", edge_type.source);
                Error::config(&self.path, "x", value, expected)
            })?;
            let features = if edge_type.source == edge_type.target {
                NodeFeatures::Same(source)
            } else {
                NodeFeatures::Pair(source, x.get(&edge_type.target))
            };
            let y = conv.convolve(edges, features, train)?;
            match results.iter_mut().find(|(name, _)| *name == edge_type.target) {
                Some((_, all)) => all.push(y),
                None => results.push((&edge_type.target, vec![y])),
            }
        }
        let group = |(name, all): (&str, Vec<Tensor>)| Ok((name.to_string(), self.group(name, &all)?));
        results.into_iter().map(group).collect()
    }

    fn group(&self, node_type: &str, all: &[Tensor]) -> Result<Tensor> {
        let [first, rest @ ..] = all else {
            return Err(Error::config(&self.path, "results", 0, "at least one").into());
        };
        let kept = if self.aggr == HeteroAggregation::Cat {
            1
        } else {
            usize::MAX
        };
        for other in rest {
            let same = other.rank() == first.rank()
                && other
                    .dims()
                    .iter()
                    .zip(first.dims())
                    .take(kept)
                    .all(|(a, b)| a == b);
            if !same {
                let layer = format!("{} into {node_type}", self.path);
                let expected = format!("{:?}, as of another edge type", first.dims());
                return Err(Error::shape(layer, "result", expected, other.dims()).into());
            }
        }
        let sum = || rest.iter().try_fold(first.clone(), |sum, y| sum + y);
        match self.aggr {
            HeteroAggregation::Stack => Tensor::stack(all, 1),
            _ if rest.is_empty() => Ok(first.clone()),
            HeteroAggregation::Sum => sum(),
            HeteroAggregation::Mean => sum()? / all.len() as f64,
            HeteroAggregation::Max => rest
                .iter()
                .try_fold(first.clone(), |y, other| either(&y.ge(other)?, &y, other)),
            HeteroAggregation::Min => rest
                .iter()
                .try_fold(first.clone(), |y, other| either(&y.le(other)?, &y, other)),
            HeteroAggregation::Cat => Tensor::cat(all, first.rank() - 1),
        }
    }
}

/// `a` where it wins or is NaN, else `b`: a NaN in either wins.
fn either(a_wins: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let is_nan = a.ne(a)?;
    (a_wins + is_nan)?.where_cond(a, b)
}

impl std::fmt::Debug for HeteroConv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let types: Vec<String> = self
            .convs
            .iter()
            .map(|(edge_type, _)| edge_type.to_string())
            .collect();
        write!(f, "HeteroConv of {types:?}")
    }
}

#[cfg(test)]
mod tests;
