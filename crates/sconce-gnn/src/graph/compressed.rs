//! Compressed rows.

use super::Graph;
use crate::index::{Index, Sorted, check_size};
use sconce_core::{Error, Result};

/// A graph's edges by node: those of node i are `indices[ptr[i]..ptr[i + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// Where each node's edges begin, and, last, their number.
    pub ptr: Vec<usize>,
    /// The node at the other end of each edge.
    pub indices: Vec<usize>,
    /// The edge's number in the graph, by which its weight and features are found.
    pub edges: Vec<usize>,
}

impl Graph {
    /// The edges by source (CSR): row i lists the targets of i's edges, in the order of the edges.
    pub fn csr(&self) -> Compressed {
        compressed(&self.source, &self.target)
    }

    /// The edges by target (CSC): row i lists the sources of the edges to i, in the order of the edges.
    pub fn csc(&self) -> Compressed {
        compressed(&self.target, &self.source)
    }

    /// The graph of compressed rows, as [`Graph::csr`] gives them: node i has edges to `indices[ptr[i]..ptr[i + 1]]`.
    ///
    /// # Errors
    /// `ptr` is empty, doesn't start at 0, decreases, or doesn't end with the number of indices; an index isn't below
    /// `num_targets`.
    pub fn from_csr(num_targets: usize, ptr: &[usize], indices: &[usize]) -> Result<Self> {
        let bad = |index: usize, value: usize, expected: String| Error::Value {
            layer: "Graph".into(),
            argument: "ptr",
            index,
            value: value.to_string(),
            expected,
        };
        let (Some(&first), Some(&last)) = (ptr.first(), ptr.last()) else {
            return Err(Error::shape("Graph", "ptr", "[num_sources + 1]", &[0]));
        };
        if first != 0 {
            return Err(bad(0, first, "0".into()));
        }
        let num_sources = ptr.len() - 1;
        check_size("Graph", "ptr", num_sources)?;
        check_size("Graph", "indices", indices.len())?;
        let mut source = Vec::with_capacity(indices.len());
        for (row, (&start, &end)) in ptr.iter().zip(ptr.iter().skip(1)).enumerate() {
            if end < start || end > indices.len() {
                let expected = format!("{start} to {} (the number of indices)", indices.len());
                return Err(bad(row + 1, end, expected));
            }
            source.extend(std::iter::repeat_n(row as u32, end - start));
        }
        if last != indices.len() {
            return Err(bad(
                num_sources,
                last,
                format!("{} (the number of indices)", indices.len()),
            ));
        }
        let targets = indices
            .iter()
            .map(|&i| i64::try_from(i).unwrap_or(i64::MAX))
            .collect();
        let target = Index::checked("Graph", "indices", targets, 0, num_targets, "num_targets")?;
        Ok(Self::from_indices(Index::trusted(source, num_sources), target))
    }
}

fn compressed(rows: &Index, others: &Index) -> Compressed {
    let Sorted { ptr, order } = rows.sorted();
    let others = others.groups();
    let indices = order
        .iter()
        .filter_map(|&edge| others.get(edge as usize).copied());
    Compressed {
        ptr: ptr.clone(),
        indices: indices.map(|node| node as usize).collect(),
        edges: order.iter().map(|&edge| edge as usize).collect(),
    }
}
