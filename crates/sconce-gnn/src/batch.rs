//! Many graphs as one.

use crate::graph::{Graph, narrow};
use crate::index::{Index, check_size};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// Graphs of any sizes as one graph without edges between them: its adjacency matrix is block-diagonal.
///
/// A layer runs on all of them at once; [`global_mean_pool`](crate::global_mean_pool) and its neighbours then give one vector
/// a graph. Features and weights are put one below the other, so all graphs have them or none has.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_gnn::{Graph, GraphBatch, global_add_pool};
/// let device = &Device::Cpu;
/// let a = Graph::new(2, &Tensor::new(&[[0i64], [1]], device)?)?.with_x(&Tensor::ones((2, 3), DType::F32, device)?)?;
/// let b = Graph::new(1, &Tensor::zeros((2, 0), DType::I64, device)?)?.with_x(&Tensor::ones((1, 3), DType::F32, device)?)?;
/// let batch = GraphBatch::new(&[a, b])?;
/// assert_eq!(batch.graph().num_nodes(), 3);
/// let pooled = global_add_pool(batch.graph().x().unwrap(), Some(batch.index()))?;
/// assert_eq!(pooled.to_vec2::<f32>()?, [[2.; 3], [1.; 3]]);
/// assert_eq!(batch.unbatch()?[1].num_nodes(), 1);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GraphBatch {
    graph: Graph,
    index: Index,
    /// Nodes and edges of each graph.
    sizes: Vec<(usize, usize)>,
}

impl GraphBatch {
    /// The graphs as one.
    ///
    /// # Errors
    /// A graph is bipartite, or lacks features or weights that another has, or has others in number.
    pub fn new(graphs: &[Graph]) -> Result<Self> {
        let sizes: Vec<_> = graphs.iter().map(|g| (g.num_nodes(), g.num_edges())).collect();
        let (nodes, edges) = sizes.iter().fold((0, 0), |(n, e), size| (n + size.0, e + size.1));
        check_size("GraphBatch", "num_nodes", nodes)?;
        check_size("GraphBatch", "num_edges", edges)?;
        let (mut source, mut target, mut of) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0;
        for (k, graph) in graphs.iter().enumerate() {
            graph.check_square("batch")?;
            source.extend(graph.source().groups().iter().map(|node| node + first));
            target.extend(graph.target().groups().iter().map(|node| node + first));
            of.extend(std::iter::repeat_n(k as u32, graph.num_nodes()));
            first += graph.num_nodes() as u32;
        }
        let mut graph = Graph::from_indices(Index::trusted(source, nodes), Index::trusted(target, nodes));
        if let Some(x) = stacked(graphs, "x", Graph::x)? {
            graph = graph.with_x(&x)?;
        }
        if let Some(weight) = stacked(graphs, "edge_weight", Graph::edge_weight)? {
            graph = graph.with_edge_weight(&weight)?;
        }
        if let Some(attr) = stacked(graphs, "edge_attr", Graph::edge_attr)? {
            graph = graph.with_edge_attr(&attr)?;
        }
        Ok(Self {
            graph,
            index: Index::trusted(of, graphs.len()),
            sizes,
        })
    }

    /// All graphs as one.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Each node's graph.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The number of graphs.
    pub fn num_graphs(&self) -> usize {
        self.sizes.len()
    }

    /// The graphs one by one again. Gradients flow back to the batch.
    ///
    /// # Errors
    /// Those of the device.
    pub fn unbatch(&self) -> Result<Vec<Graph>> {
        let (mut node, mut edge) = (0, 0);
        let mut graphs = Vec::with_capacity(self.sizes.len());
        for &(nodes, edges) in &self.sizes {
            let chosen = Index::trusted(narrow(edge..edge + edges), self.graph.num_edges());
            let part = self.graph.select(&chosen)?;
            let shifted = |ends: &Index| {
                let ends = ends.groups().iter().map(|&end| end as usize - node);
                Index::trusted(narrow(ends), nodes)
            };
            let mut graph = Graph::from_indices(shifted(part.source()), shifted(part.target()));
            if let Some(x) = self.graph.x() {
                graph = graph.with_x(&x.narrow(0, node, nodes)?)?;
            }
            if let Some(weight) = part.edge_weight() {
                graph = graph.with_edge_weight(weight)?;
            }
            if let Some(attr) = part.edge_attr() {
                graph = graph.with_edge_attr(attr)?;
            }
            graphs.push(graph);
            node += nodes;
            edge += edges;
        }
        Ok(graphs)
    }
}

/// One kind of features of all graphs, one below the other.
fn stacked(
    graphs: &[Graph],
    what: &'static str,
    of: impl Fn(&Graph) -> Option<&Tensor>,
) -> Result<Option<Tensor>> {
    let parts: Vec<&Tensor> = graphs.iter().filter_map(&of).collect();
    let Some(first) = parts.first() else {
        return Ok(None);
    };
    if parts.len() != graphs.len() {
        let value = format!(
            "absent from {} of {} graphs",
            graphs.len() - parts.len(),
            graphs.len()
        );
        return Err(Error::config(
            "GraphBatch",
            what,
            value,
            "in all graphs or in none",
        ));
    }
    let rest = |x: &Tensor| x.dims().iter().skip(1).copied().collect::<Vec<_>>();
    for part in &parts {
        if rest(part) != rest(first) || part.dtype() != first.dtype() {
            let expected = format!(
                "[*, {:?}] of {:?}, as in the first graph",
                rest(first),
                first.dtype()
            );
            return Err(Error::shape("GraphBatch", what, expected, part.dims()));
        }
    }
    let filled: Vec<&Tensor> = parts
        .iter()
        .filter(|part| part.elem_count() > 0)
        .copied()
        .collect();
    match filled.as_slice() {
        [] => {
            let mut dims = first.dims().to_vec();
            if let Some(rows) = dims.first_mut() {
                *rows = parts.iter().filter_map(|part| part.dims().first()).sum();
            }
            Ok(Some(Tensor::zeros(dims, first.dtype(), first.device())?))
        }
        filled => Ok(Some(Tensor::cat(filled, 0)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    fn graph(nodes: usize, ends: &[i64]) -> Graph {
        let edges = Tensor::from_slice(ends, (2, ends.len() / 2), &Device::Cpu).unwrap();
        Graph::new(nodes, &edges).unwrap()
    }

    #[test]
    fn graphs_of_any_sizes_go_in_and_come_out() {
        let device = &Device::Cpu;
        let x = Var::new(&[[1f64], [2.]], device).unwrap();
        let graphs = [
            graph(2, &[0, 1, 1, 0]).with_x(&x).unwrap(),
            graph(0, &[])
                .with_x(&Tensor::zeros((0, 1), DType::F64, device).unwrap())
                .unwrap(),
            graph(1, &[])
                .with_x(&Tensor::new(&[[5f64]], device).unwrap())
                .unwrap(),
            graph(3, &[2, 0])
                .with_x(&Tensor::ones((3, 1), DType::F64, device).unwrap())
                .unwrap(),
        ];
        let batch = GraphBatch::new(&graphs).unwrap();
        assert_eq!(batch.num_graphs(), 4);
        assert_eq!(batch.index().counts(), [2, 0, 1, 3]);
        assert_eq!(batch.graph().source().to_vec(), [0, 1, 5]);
        assert_eq!(batch.graph().target().to_vec(), [1, 0, 3]);
        let parts = batch.unbatch().unwrap();
        for (part, graph) in parts.iter().zip(&graphs) {
            assert_eq!(part.num_nodes(), graph.num_nodes());
            assert_eq!(part.source().to_vec(), graph.source().to_vec());
            assert_eq!(part.target().to_vec(), graph.target().to_vec());
            let rows = |g: &Graph| g.x().unwrap().to_vec2::<f64>().unwrap();
            assert_eq!(rows(part), rows(graph));
        }
        let loss = parts[0].x().unwrap().sqr().unwrap().sum_all().unwrap();
        let grads = loss.backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec2::<f64>().unwrap(), [[2.], [4.]]);
        let none = GraphBatch::new(&[]).unwrap();
        assert_eq!((none.num_graphs(), none.unbatch().unwrap().len()), (0, 0));
    }

    #[test]
    fn what_does_not_fit_together_is_an_error() {
        let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
        let a = graph(2, &[0, 1]).with_x(&zeros((2, 3))).unwrap();
        for (b, message) in [
            (graph(1, &[]), "x is absent from 1 of 2 graphs"),
            (
                graph(1, &[]).with_x(&zeros((1, 2))).unwrap(),
                "x has shape [1, 2]",
            ),
        ] {
            let error = GraphBatch::new(&[a.clone(), b]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let edges = Tensor::zeros((2, 0), DType::I64, &Device::Cpu).unwrap();
        let bipartite = Graph::bipartite(1, 2, &edges).unwrap();
        assert!(GraphBatch::new(&[bipartite]).is_err());
    }
}
