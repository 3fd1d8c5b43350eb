//! The graph as a matrix.

use super::{Graph, narrow};
use crate::index::Index;
use crate::scatter::{Aggregation, gather, scatter};
use candle_core::{DType, Device, Tensor};
use sconce_core::{Error, Result, cast};

impl Graph {
    /// The adjacency matrix `[num_sources, num_targets]`: at (s, t) the sum of the weights of the edges from s to t, or their
    /// number. Gradients flow back to the weights.
    ///
    /// # Errors
    /// More than 2³² elements.
    pub fn adjacency(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let (sources, targets) = (self.num_sources(), self.num_targets());
        let count = sources.checked_mul(targets).filter(|&n| n <= u32::MAX as usize);
        let Some(count) = count else {
            let value = format!("[{sources}, {targets}]");
            return Err(Error::config("Graph", "adjacency", value, "at most 2³² elements"));
        };
        let weights = self
            .weights_or_ones(dtype, device)?
            .to_dtype(dtype)?
            .to_device(device)?;
        let (from, to) = (self.source.groups(), self.target.groups());
        let places = from
            .iter()
            .zip(to)
            .map(|(&s, &t)| s as usize * targets + t as usize);
        let places = Index::trusted(narrow(places), count);
        let matrix = scatter(&weights, &places, Aggregation::Sum)?;
        Ok(matrix.reshape((sources, targets))?)
    }

    /// The graph of an adjacency matrix `[num_sources, num_targets]`: an edge, weighted, for each element that isn't 0, row by
    /// row. Gradients flow back to the matrix.
    ///
    /// # Errors
    /// The matrix hasn't two axes, isn't of floats, or has more than 2³² elements.
    pub fn from_adjacency(adjacency: &Tensor) -> Result<Self> {
        let &[sources, targets] = adjacency.dims() else {
            let expected = "[num_sources, num_targets]";
            return Err(Error::shape("Graph", "adjacency", expected, adjacency.dims()));
        };
        if !adjacency.dtype().is_float() {
            return Err(Error::DType {
                layer: "Graph".into(),
                argument: "adjacency",
                expected: "a float".into(),
                got: adjacency.dtype(),
            });
        }
        let count = adjacency.elem_count();
        crate::index::check_size("Graph", "adjacency", count)?;
        let flat = adjacency.flatten_all()?;
        let values = cast(&flat.detach(), DType::F64)?.to_vec1::<f64>()?;
        let places = values.iter().enumerate().filter(|(_, value)| **value != 0.);
        let places = Index::trusted(narrow(places.map(|(place, _)| place)), count);
        let end = |of: fn(usize, usize) -> usize, size| {
            let ends = places.groups().iter().map(|&place| of(place as usize, targets));
            Index::trusted(narrow(ends), size)
        };
        let (source, target) = (end(|p, w| p / w, sources), end(|p, w| p % w, targets));
        Self::from_indices(source, target).with_edge_weight(&gather(&flat, &places)?)
    }

    /// The sum of the weights of each node's incoming edges, `[num_targets]`; their number, as `dtype`, where there are no
    /// weights.
    ///
    /// # Errors
    /// Those of the device.
    pub fn weighted_in_degrees(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let weights = self.weights_or_ones(dtype, device)?;
        Ok(scatter(&weights, &self.target, Aggregation::Sum)?)
    }
}
