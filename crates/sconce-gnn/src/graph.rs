//! Nodes and directed edges.

mod adjacency;
mod coalesce;
mod compressed;
mod loops;

use crate::index::{Index, integers};
use crate::scatter::gather;
use candle_core::{DType, Device, Tensor};
pub use compressed::Compressed;
pub use loops::LoopFill;
use sconce_core::{Error, Result};

/// A directed graph: its edges in coordinates (COO), and, if it has them, node features, edge weights and edge features.
///
/// Everything is checked when it is put in: node numbers are below `num_nodes`, features fit the number of nodes or edges.
/// Changing the edges gives a new graph, whose weights and features follow their edges; gradients flow through. Cloning is
/// cheap. A graph may have no edges, isolated nodes, self-loops, several edges between two nodes, or no nodes at all.
///
/// [`Graph::bipartite`] has nodes of two kinds, numbered separately, with edges from the first to the second.
///
/// # Shapes
/// edge index `[2, num_edges]` (source, target); x `[num_nodes, *]`; edge weight `[num_edges]`; edge attr `[num_edges, *]`
/// # Errors
/// `new`: another shape, a dtype that isn't an integer, or a node number out of range, whose position is named. `with_…`:
/// another number of rows.
/// # Source
/// `torch_geometric.data.Data`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_gnn::{Aggregation, Graph};
/// let edges = Tensor::new(&[[0i64, 1], [2, 2]], &Device::Cpu)?;
/// let graph = Graph::new(3, &edges)?.with_edge_weight(&Tensor::new(&[0.5f32, 2.], &Device::Cpu)?)?;
/// assert_eq!(graph.in_degrees(), [0, 0, 2]);
/// let both_ways = graph.to_undirected(Aggregation::Sum)?;
/// assert_eq!(both_ways.num_edges(), 4);
/// let adjacency = both_ways.adjacency(DType::F32, &Device::Cpu)?;
/// assert_eq!(adjacency.to_vec2::<f32>()?, [[0., 0., 0.5], [0., 0., 2.], [0.5, 2., 0.]]);
/// assert!(Graph::new(2, &edges).is_err());
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Graph {
    source: Index,
    target: Index,
    x: Option<Tensor>,
    edge_weight: Option<Tensor>,
    edge_attr: Option<Tensor>,
}

impl Graph {
    /// A graph of `num_nodes` nodes from its edges `[2, num_edges]`: sources, then targets.
    pub fn new(num_nodes: usize, edge_index: &Tensor) -> Result<Self> {
        Self::from_edge_index(num_nodes, num_nodes, edge_index, ["num_nodes", "num_nodes"])
    }

    /// A graph of `num_sources` nodes with edges to `num_targets` others.
    ///
    /// # Errors
    /// Those of [`Graph::new`].
    pub fn bipartite(num_sources: usize, num_targets: usize, edge_index: &Tensor) -> Result<Self> {
        Self::from_edge_index(
            num_sources,
            num_targets,
            edge_index,
            ["num_sources", "num_targets"],
        )
    }

    fn from_edge_index(
        num_sources: usize,
        num_targets: usize,
        edge_index: &Tensor,
        sizes: [&str; 2],
    ) -> Result<Self> {
        let &[2, edges] = edge_index.dims() else {
            return Err(Error::shape(
                "Graph",
                "edge_index",
                "[2, num_edges]",
                edge_index.dims(),
            ));
        };
        let [source_size, target_size] = sizes;
        let mut source = integers("Graph", "edge_index", edge_index)?;
        let target = source.split_off(edges);
        Ok(Self::from_indices(
            Index::checked("Graph", "edge_index", source, 0, num_sources, source_size)?,
            Index::checked("Graph", "edge_index", target, edges, num_targets, target_size)?,
        ))
    }

    pub(crate) fn from_indices(source: Index, target: Index) -> Self {
        Self {
            source,
            target,
            x: None,
            edge_weight: None,
            edge_attr: None,
        }
    }

    /// The same with node features `[num_nodes, *]`.
    ///
    /// # Errors
    /// Another number of rows; a bipartite graph, whose features are those of two kinds of nodes.
    pub fn with_x(self, x: &Tensor) -> Result<Self> {
        self.check_square("x")?;
        check_rows("x", "num_nodes", self.num_nodes(), x)?;
        Ok(Self {
            x: Some(x.clone()),
            ..self
        })
    }

    /// The same with edge weights `[num_edges]`.
    ///
    /// # Errors
    /// Another shape.
    pub fn with_edge_weight(self, edge_weight: &Tensor) -> Result<Self> {
        if edge_weight.dims() != [self.num_edges()] {
            let expected = format!("[num_edges = {}]", self.num_edges());
            return Err(Error::shape("Graph", "edge_weight", expected, edge_weight.dims()));
        }
        Ok(Self {
            edge_weight: Some(edge_weight.clone()),
            ..self
        })
    }

    /// The same with edge features `[num_edges, *]`.
    ///
    /// # Errors
    /// Another number of rows.
    pub fn with_edge_attr(self, edge_attr: &Tensor) -> Result<Self> {
        check_rows("edge_attr", "num_edges", self.num_edges(), edge_attr)?;
        Ok(Self {
            edge_attr: Some(edge_attr.clone()),
            ..self
        })
    }

    /// The same without edge weights.
    #[must_use]
    pub fn without_edge_weight(self) -> Self {
        Self {
            edge_weight: None,
            ..self
        }
    }

    /// The same without edge features.
    #[must_use]
    pub fn without_edge_attr(self) -> Self {
        Self {
            edge_attr: None,
            ..self
        }
    }

    /// The node features.
    pub fn x(&self) -> Option<&Tensor> {
        self.x.as_ref()
    }

    /// The edge weights.
    pub fn edge_weight(&self) -> Option<&Tensor> {
        self.edge_weight.as_ref()
    }

    /// The edge features.
    pub fn edge_attr(&self) -> Option<&Tensor> {
        self.edge_attr.as_ref()
    }

    /// Each edge's source.
    pub fn source(&self) -> &Index {
        &self.source
    }

    /// Each edge's target.
    pub fn target(&self) -> &Index {
        &self.target
    }

    /// The number of nodes; of a bipartite graph, of targets.
    pub fn num_nodes(&self) -> usize {
        self.target.num_groups()
    }

    /// The number of nodes that edges may come from.
    pub fn num_sources(&self) -> usize {
        self.source.num_groups()
    }

    /// The number of nodes that edges may go to.
    pub fn num_targets(&self) -> usize {
        self.target.num_groups()
    }

    /// The number of edges.
    pub fn num_edges(&self) -> usize {
        self.source.len()
    }

    /// The edges as `[2, num_edges]` of I64.
    ///
    /// # Errors
    /// Those of the device.
    pub fn edge_index(&self, device: &Device) -> Result<Tensor> {
        let both = self.source.groups().iter().chain(self.target.groups());
        let values = both.map(|&node| i64::from(node)).collect();
        Ok(Tensor::from_vec::<_, i64>(values, (2, self.num_edges()), device)?)
    }

    /// How many edges each node is the target of.
    pub fn in_degrees(&self) -> Vec<usize> {
        self.target.counts()
    }

    /// How many edges each node is the source of.
    pub fn out_degrees(&self) -> Vec<usize> {
        self.source.counts()
    }

    /// The same with every edge turned round.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let x = (self.num_sources() == self.num_targets())
            .then(|| self.x.clone())
            .flatten();
        Self {
            source: self.target.clone(),
            target: self.source.clone(),
            x,
            ..self.clone()
        }
    }

    /// The edges whose numbers are in `edges`, in that order, between the same nodes.
    ///
    /// # Errors
    /// A number isn't below `num_edges`.
    pub fn select_edges(&self, edges: &[usize]) -> Result<Self> {
        let values = edges
            .iter()
            .map(|&e| i64::try_from(e).unwrap_or(i64::MAX))
            .collect();
        let chosen = Index::checked("Graph", "edges", values, 0, self.num_edges(), "num_edges")?;
        self.select(&chosen)
    }

    pub(crate) fn select(&self, chosen: &Index) -> Result<Self> {
        let pick = |rows: &Option<Tensor>| rows.as_ref().map(|rows| gather(rows, chosen)).transpose();
        Ok(Self {
            source: self.source.select(chosen),
            target: self.target.select(chosen),
            x: self.x.clone(),
            edge_weight: pick(&self.edge_weight)?,
            edge_attr: pick(&self.edge_attr)?,
        })
    }

    /// Whether both have the very same edges and weights, not just equal ones.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let id = |graph: &Self| graph.edge_weight().map(Tensor::id);
        self.source.is(&other.source) && self.target.is(&other.target) && id(self) == id(other)
    }

    /// The weights; ones of `dtype` where there are none.
    pub(crate) fn weights_or_ones(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        match &self.edge_weight {
            Some(weight) => Ok(weight.clone()),
            None => Ok(Tensor::ones(self.num_edges(), dtype, device)?),
        }
    }

    pub(crate) fn check_square(&self, what: &'static str) -> Result<()> {
        if self.num_sources() != self.num_targets() {
            let value = format!("asked of {self:?}");
            return Err(Error::config(
                "Graph",
                what,
                value,
                "a graph whose edges join nodes of one kind",
            ));
        }
        Ok(())
    }
}

fn check_rows(argument: &'static str, axis: &str, rows: usize, x: &Tensor) -> Result<()> {
    if x.dims().first() != Some(&rows) {
        return Err(Error::shape(
            "Graph",
            argument,
            format!("[{axis} = {rows}, *]"),
            x.dims(),
        ));
    }
    Ok(())
}

/// Numbers of nodes or edges that were counted here.
pub(crate) fn narrow(values: impl Iterator<Item = usize>) -> Vec<u32> {
    values.map(|value| value as u32).collect()
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sources, targets, edges) = (self.num_sources(), self.num_targets(), self.num_edges());
        if sources == targets {
            write!(f, "Graph of {sources} nodes and {edges} edges")
        } else {
            write!(
                f,
                "Graph of {sources} sources, {targets} targets and {edges} edges"
            )
        }
    }
}

#[cfg(test)]
mod tests;
