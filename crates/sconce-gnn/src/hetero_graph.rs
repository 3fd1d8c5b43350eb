//! Graphs whose nodes and edges have types.

use crate::graph::{Graph, narrow};
use crate::index::Index;
use candle_core::{Device, Tensor};
use sconce_core::{Error, Result};
use std::collections::BTreeMap;

/// Features by node type.
pub type FeatureMap = BTreeMap<String, Tensor>;

/// The type of an edge: source's type, relation, target's type, as in `("author", "writes", "paper")`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeType {
    /// The type of the nodes that the edges come from.
    pub source: String,
    /// What they are to each other.
    pub relation: String,
    /// The type of the nodes that the edges go to.
    pub target: String,
}

impl From<(&str, &str, &str)> for EdgeType {
    fn from((source, relation, target): (&str, &str, &str)) -> Self {
        Self {
            source: source.to_string(),
            relation: relation.to_string(),
            target: target.to_string(),
        }
    }
}

/// `source__relation__target`, as PyTorch Geometric writes it.
impl std::fmt::Display for EdgeType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}__{}__{}", self.source, self.relation, self.target)
    }
}

/// A graph of nodes of several types, numbered within their type, with edges of several types between them.
///
/// # Shapes
/// edge index of a type `[2, num_edges]` (source, target); x of a type `[num_nodes, *]`
/// # Errors
/// A type that is added twice or isn't there; what [`Graph`] refuses.
/// # Source
/// `torch_geometric.data.HeteroData`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_gnn::HeteroGraph;
/// let device = &Device::Cpu;
/// let mut graph = HeteroGraph::new();
/// graph.add_nodes("author", 2)?.add_nodes("paper", 3)?;
/// let writes = Tensor::new(&[[0i64, 0, 1], [0, 1, 2]], device)?;
/// graph.add_edges(("author", "writes", "paper"), &writes)?;
/// graph.set_x("author", &Tensor::ones((2, 4), DType::F32, device)?)?;
/// assert_eq!(graph.edges(("author", "writes", "paper"))?.in_degrees(), [1, 1, 1]);
/// assert!(graph.add_edges(("paper", "cites", "book"), &writes).is_err());
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct HeteroGraph {
    nodes: Vec<(String, usize)>,
    x: FeatureMap,
    edges: Vec<(EdgeType, Graph)>,
}

/// A [`HeteroGraph`] with all nodes in one numbering, and all edges in one list.
#[derive(Debug, Clone)]
pub struct Homogeneous {
    /// Nodes and edges; features, if all types have some of the same length.
    pub graph: Graph,
    /// Each node's type: its place in the order of [`HeteroGraph::node_types`].
    pub node_type: Index,
    /// Each edge's type: its place in the order of [`HeteroGraph::edge_types`].
    pub edge_type: Index,
}

impl HeteroGraph {
    /// No nodes, no edges, no types.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the `count` nodes of a type.
    ///
    /// # Errors
    /// The type is there already.
    pub fn add_nodes(&mut self, node_type: &str, count: usize) -> Result<&mut Self> {
        if self.count(node_type).is_some() {
            return Err(Error::config(
                "HeteroGraph",
                "node_type",
                node_type,
                "a type that isn't there yet",
            ));
        }
        crate::index::check_size("HeteroGraph", "count", count)?;
        self.nodes.push((node_type.to_string(), count));
        Ok(self)
    }

    /// Gives the nodes of a type their features.
    ///
    /// # Errors
    /// There is no such type, or it has another number of nodes.
    pub fn set_x(&mut self, node_type: &str, x: &Tensor) -> Result<&mut Self> {
        let count = self.num_nodes(node_type)?;
        if x.dims().first() != Some(&count) {
            let layer = format!("HeteroGraph {node_type}");
            return Err(Error::shape(
                layer,
                "x",
                format!("[num_nodes = {count}, *]"),
                x.dims(),
            ));
        }
        self.x.insert(node_type.to_string(), x.clone());
        Ok(self)
    }

    /// Adds the edges of a type: `[2, num_edges]`.
    ///
    /// # Errors
    /// The type is there already, or one of its node types isn't; those of [`Graph::bipartite`].
    pub fn add_edges(&mut self, edge_type: impl Into<EdgeType>, edge_index: &Tensor) -> Result<&mut Self> {
        let edge_type = edge_type.into();
        let sources = self.num_nodes(&edge_type.source)?;
        let targets = self.num_nodes(&edge_type.target)?;
        let graph = if edge_type.source == edge_type.target {
            Graph::new(sources, edge_index)?
        } else {
            Graph::bipartite(sources, targets, edge_index)?
        };
        self.add_graph(edge_type, graph)
    }

    /// Adds the edges of a type with their weights and features.
    ///
    /// # Errors
    /// The type is there already, one of its node types isn't, or has another number of nodes than the graph.
    pub fn add_graph(&mut self, edge_type: impl Into<EdgeType>, graph: Graph) -> Result<&mut Self> {
        let edge_type = edge_type.into();
        if self.edges.iter().any(|(known, _)| *known == edge_type) {
            return Err(Error::config(
                "HeteroGraph",
                "edge_type",
                edge_type,
                "a type that isn't there yet",
            ));
        }
        let expected = (
            self.num_nodes(&edge_type.source)?,
            self.num_nodes(&edge_type.target)?,
        );
        let got = (graph.num_sources(), graph.num_targets());
        if got != expected {
            let (sources, targets) = expected;
            let expected = format!("{sources} sources and {targets} targets");
            let value = format!("a {graph:?}");
            return Err(Error::config(
                format!("HeteroGraph {edge_type}"),
                "graph",
                value,
                expected,
            ));
        }
        self.edges.push((edge_type, graph));
        Ok(self)
    }

    /// The node types, in the order in which they were added.
    pub fn node_types(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|(name, _)| name.as_str())
    }

    /// The edge types, in the order in which they were added.
    pub fn edge_types(&self) -> impl Iterator<Item = &EdgeType> {
        self.edges.iter().map(|(edge_type, _)| edge_type)
    }

    /// The number of nodes of a type.
    ///
    /// # Errors
    /// There is no such type.
    pub fn num_nodes(&self, node_type: &str) -> Result<usize> {
        self.count(node_type).ok_or_else(|| {
            let known: Vec<&str> = self.node_types().collect();
            Error::config("HeteroGraph", "node_type", node_type, format!("one of {known:?}"))
        })
    }

    /// The edges of a type.
    ///
    /// # Errors
    /// There is no such type.
    pub fn edges(&self, edge_type: impl Into<EdgeType>) -> Result<&Graph> {
        let edge_type = edge_type.into();
        self.find(&edge_type).ok_or_else(|| {
            let known: Vec<String> = self.edge_types().map(EdgeType::to_string).collect();
            Error::config("HeteroGraph", "edge_type", edge_type, format!("one of {known:?}"))
        })
    }

    pub(crate) fn find(&self, edge_type: &EdgeType) -> Option<&Graph> {
        let found = self.edges.iter().find(|(known, _)| known == edge_type);
        found.map(|(_, graph)| graph)
    }

    /// The features that were set, by node type.
    pub fn x(&self) -> &FeatureMap {
        &self.x
    }

    /// The same with each edge type `a → b` also as `b → a`, of relation `rev_…`, so that messages flow both ways. Edges
    /// between nodes of one type are made undirected instead.
    ///
    /// # Errors
    /// A type `rev_…` is there already.
    pub fn to_undirected(&self) -> Result<Self> {
        let mut both = Self {
            edges: Vec::new(),
            ..self.clone()
        };
        for (edge_type, graph) in &self.edges {
            if edge_type.source == edge_type.target {
                let graph = graph.to_undirected(crate::Aggregation::Sum)?;
                both.add_graph(edge_type.clone(), graph)?;
                continue;
            }
            both.add_graph(edge_type.clone(), graph.clone())?;
            let turned = EdgeType {
                source: edge_type.target.clone(),
                relation: format!("rev_{}", edge_type.relation),
                target: edge_type.source.clone(),
            };
            both.add_graph(turned, graph.reversed())?;
        }
        Ok(both)
    }

    /// All nodes in one numbering, type after type, and all edges in one list: for layers that treat all alike, or that take
    /// the types as numbers. Weights and features of edges are left out.
    ///
    /// # Errors
    /// Those of the device.
    pub fn to_homogeneous(&self) -> Result<Homogeneous> {
        let total: usize = self.nodes.iter().map(|(_, count)| count).sum();
        crate::index::check_size("HeteroGraph", "num_nodes", total)?;
        let mut first = BTreeMap::new();
        let (mut node_type, mut next) = (Vec::with_capacity(total), 0u32);
        for (k, (name, count)) in self.nodes.iter().enumerate() {
            first.insert(name.as_str(), next);
            node_type.extend(std::iter::repeat_n(k as u32, *count));
            next += *count as u32;
        }
        let (mut source, mut target, mut edge_type) = (Vec::new(), Vec::new(), Vec::new());
        for (k, (name, graph)) in self.edges.iter().enumerate() {
            let shift = |node_type: &str, ends: &Index| {
                let by = first.get(node_type).copied().unwrap_or(0) as usize;
                narrow(ends.groups().iter().map(|&end| end as usize + by))
            };
            source.extend(shift(&name.source, graph.source()));
            target.extend(shift(&name.target, graph.target()));
            edge_type.extend(std::iter::repeat_n(k as u32, graph.num_edges()));
        }
        crate::index::check_size("HeteroGraph", "num_edges", source.len())?;
        let mut graph = Graph::from_indices(Index::trusted(source, total), Index::trusted(target, total));
        if let Some(x) = self.stacked_x()? {
            graph = graph.with_x(&x)?;
        }
        Ok(Homogeneous {
            graph,
            node_type: Index::trusted(node_type, self.nodes.len()),
            edge_type: Index::trusted(edge_type, self.edges.len()),
        })
    }

    /// The features of all types one below the other, if all have some of one length.
    fn stacked_x(&self) -> Result<Option<Tensor>> {
        let parts: Option<Vec<&Tensor>> = self.node_types().map(|name| self.x.get(name)).collect();
        let Some(parts) = parts else { return Ok(None) };
        let rest = |x: &Tensor| (x.dims().iter().skip(1).copied().collect::<Vec<_>>(), x.dtype());
        let same = parts
            .iter()
            .zip(parts.iter().skip(1))
            .all(|(a, b)| rest(a) == rest(b));
        let filled: Vec<&Tensor> = parts.into_iter().filter(|part| part.elem_count() > 0).collect();
        if !same || filled.is_empty() {
            return Ok(None);
        }
        Ok(Some(Tensor::cat(&filled, 0)?))
    }

    fn count(&self, node_type: &str) -> Option<usize> {
        let found = self.nodes.iter().find(|(name, _)| name == node_type);
        found.map(|&(_, count)| count)
    }
}

/// The numbers of edge types as a layer takes them.
impl Homogeneous {
    /// Each edge's type: `[num_edges]` of I64, as [`RgcnConv`](crate::RgcnConv) takes it.
    ///
    /// # Errors
    /// Those of the device.
    pub fn edge_type_tensor(&self, device: &Device) -> Result<Tensor> {
        self.edge_type.tensor(device)
    }
}

#[cfg(test)]
mod tests;
