//! Self-loops.

use super::{Graph, narrow};
use crate::index::Index;
use crate::scatter::{Aggregation, gather, scatter};
use candle_core::Tensor;
use sconce_core::{Error, Result};

/// The weight or features of a self-loop that is added.
#[derive(Debug, Clone, PartialEq)]
pub enum LoopFill {
    /// One number throughout.
    Value(f64),
    /// One number for each feature.
    Vector(Vec<f64>),
    /// What comes of the edges that point to the node; 0 (of a product 1) where there is none.
    Aggregate(Aggregation),
}

impl Graph {
    /// Whether an edge joins a node to itself.
    pub fn has_self_loops(&self) -> bool {
        self.ends().any(|(s, t)| s == t)
    }

    /// The same without edges that join a node to itself.
    ///
    /// # Errors
    /// Those of the device.
    pub fn remove_self_loops(&self) -> Result<Self> {
        self.select(&Index::trusted(self.numbers_of(|s, t| s != t), self.num_edges()))
    }

    /// The same with one more self-loop at each node, after the other edges. In a bipartite graph, at each number that both
    /// a source and a target have.
    ///
    /// # Errors
    /// A fill of another length than the edge features.
    pub fn add_self_loops(&self, fill: &LoopFill) -> Result<Self> {
        let count = self.num_sources().min(self.num_targets());
        let all: Vec<u32> = narrow(0..self.num_edges());
        self.with_loops(all, narrow((0..count).map(|node| self.num_edges() + node)), fill)
    }

    /// The same with a self-loop at each node, after the other edges. Loops that are there already keep their weight and
    /// features (of several at one node, the last one's).
    ///
    /// # Errors
    /// A bipartite graph; a fill of another length than the edge features.
    pub fn add_remaining_self_loops(&self, fill: &LoopFill) -> Result<Self> {
        self.check_square("add_remaining_self_loops")?;
        let mut rows: Vec<u32> = narrow((0..self.num_nodes()).map(|node| self.num_edges() + node));
        for (edge, (s, t)) in self.ends().enumerate() {
            if s == t
                && let Some(row) = rows.get_mut(s as usize)
            {
                *row = edge as u32;
            }
        }
        self.with_loops(self.numbers_of(|s, t| s != t), rows, fill)
    }

    fn ends(&self) -> impl Iterator<Item = (u32, u32)> {
        let (source, target) = (self.source.groups(), self.target.groups());
        source.iter().copied().zip(target.iter().copied())
    }

    /// The numbers of the edges that `which` holds for.
    fn numbers_of(&self, which: impl Fn(u32, u32) -> bool) -> Vec<u32> {
        let chosen = self.ends().enumerate().filter(|&(_, (s, t))| which(s, t));
        narrow(chosen.map(|(edge, _)| edge))
    }

    /// The edges `kept`, then a loop at each node. `rows[i]` is the row of node i's loop among the edges' rows followed by the
    /// filled ones.
    fn with_loops(&self, kept: Vec<u32>, rows: Vec<u32>, fill: &LoopFill) -> Result<Self> {
        let loops = rows.len();
        let ends = |end: &Index| {
            let old = end.groups();
            let mut ends: Vec<u32> = kept
                .iter()
                .filter_map(|&e| old.get(e as usize).copied())
                .collect();
            ends.extend(0..loops as u32);
            Index::trusted(ends, end.num_groups())
        };
        let (source, target) = (ends(&self.source), ends(&self.target));
        let picked: Vec<u32> = kept.iter().copied().chain(rows).collect();
        let picked = Index::trusted(picked, self.num_edges() + loops);
        let extend = |argument, values: &Option<Tensor>| match values {
            None => Ok(None),
            Some(values) => {
                let filled = self.filled(argument, values, loops, fill)?;
                let all = match (self.num_edges(), loops) {
                    (0, _) => filled,
                    (_, 0) => values.clone(),
                    _ => Tensor::cat(&[values, &filled], 0)?,
                };
                Ok::<_, Error>(Some(gather(&all, &picked)?))
            }
        };
        Ok(Self {
            source,
            target,
            x: self.x.clone(),
            edge_weight: extend("edge_weight", &self.edge_weight)?,
            edge_attr: extend("edge_attr", &self.edge_attr)?,
        })
    }

    /// One row for each loop.
    fn filled(
        &self,
        argument: &'static str,
        values: &Tensor,
        loops: usize,
        fill: &LoopFill,
    ) -> Result<Tensor> {
        let mut dims = values.dims().to_vec();
        if let Some(first) = dims.first_mut() {
            *first = loops;
        }
        let device = values.device();
        match fill {
            LoopFill::Value(value) => Ok(Tensor::full(*value, dims, device)?.to_dtype(values.dtype())?),
            LoopFill::Vector(row) => {
                let width: usize = dims.iter().skip(1).product();
                if row.len() != width {
                    let value = format!("{} numbers", row.len());
                    let expected = format!("{width}, as many as a row of {argument}");
                    return Err(Error::config("Graph", "fill", value, expected));
                }
                let mut one = dims.clone();
                if let Some(first) = one.first_mut() {
                    *first = 1;
                }
                let row = Tensor::from_slice(row, one, device)?.to_dtype(values.dtype())?;
                Ok(row.broadcast_as(dims)?.contiguous()?)
            }
            LoopFill::Aggregate(aggregation) => {
                let all = scatter(values, &self.target, *aggregation)?;
                Ok(all.narrow(0, 0, loops)?)
            }
        }
    }
}
