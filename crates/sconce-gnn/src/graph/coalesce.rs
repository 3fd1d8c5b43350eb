//! Edges merged: one of each, and both ways.

use super::Graph;
use crate::index::Index;
use crate::scatter::{Aggregation, scatter};
use candle_core::Tensor;
use sconce_core::Result;

impl Graph {
    /// The same with one edge where there were several between two nodes, sorted by source and then by target. Weights and
    /// features of merged edges are aggregated.
    ///
    /// # Errors
    /// Those of the device.
    pub fn coalesce(&self, aggregation: Aggregation) -> Result<Self> {
        self.merge(
            self.source.groups().to_vec(),
            self.target.groups().to_vec(),
            aggregation,
        )
    }

    /// The same with each edge in both directions, and one edge where there were several, sorted by source and then by
    /// target. Weights and features of merged edges are aggregated; PyTorch Geometric's default is their sum, by which those
    /// of self-loops double.
    ///
    /// # Errors
    /// A bipartite graph.
    pub fn to_undirected(&self, aggregation: Aggregation) -> Result<Self> {
        self.check_square("to_undirected")?;
        let (source, target) = (self.source.groups(), self.target.groups());
        let twice = |values: &Tensor| match values.elem_count() {
            0 => {
                let mut dims = values.dims().to_vec();
                if let Some(first) = dims.first_mut() {
                    *first *= 2;
                }
                Tensor::zeros(dims, values.dtype(), values.device())
            }
            _ => Tensor::cat(&[values, values], 0),
        };
        let doubled = Self {
            edge_weight: self.edge_weight.as_ref().map(twice).transpose()?,
            edge_attr: self.edge_attr.as_ref().map(twice).transpose()?,
            ..self.clone()
        };
        doubled.merge([source, target].concat(), [target, source].concat(), aggregation)
    }

    /// One edge for each different pair of ends. Weights and features have a row for each pair before merging.
    fn merge(&self, source: Vec<u32>, target: Vec<u32>, aggregation: Aggregation) -> Result<Self> {
        let mut pairs: Vec<(u32, u32, usize)> = source
            .into_iter()
            .zip(target)
            .enumerate()
            .map(|(edge, (s, t))| (s, t, edge))
            .collect();
        pairs.sort_unstable();
        let (mut merged, mut ends) = (vec![0u32; pairs.len()], Vec::<(u32, u32)>::new());
        for &(s, t, edge) in &pairs {
            if ends.last() != Some(&(s, t)) {
                ends.push((s, t));
            }
            if let Some(place) = merged.get_mut(edge) {
                *place = (ends.len() - 1) as u32;
            }
        }
        let merged = Index::trusted(merged, ends.len());
        let reduce = |values: &Option<Tensor>| {
            let values = values.as_ref();
            values
                .map(|values| scatter(values, &merged, aggregation))
                .transpose()
        };
        let (source, target) = ends.into_iter().unzip();
        Ok(Self {
            source: Index::trusted(source, self.num_sources()),
            target: Index::trusted(target, self.num_targets()),
            x: self.x.clone(),
            edge_weight: reduce(&self.edge_weight)?,
            edge_attr: reduce(&self.edge_attr)?,
        })
    }
}
