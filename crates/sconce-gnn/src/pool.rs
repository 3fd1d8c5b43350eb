//! One vector for each graph of a batch.

use crate::index::Index;
use crate::scatter::{Aggregation, scatter};
use candle_core::{Result, Tensor};

/// The sum of each graph's nodes.
///
/// # Shapes
/// x `[num_nodes, *]`; `batch` gives each node its graph, or all are one if it is `None`; output `[num_graphs, *]`
/// # Errors
/// x has another number of rows than `batch` has items.
/// # Source
/// `torch_geometric.nn.global_add_pool`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Index, global_add_pool};
/// let batch = Index::new(&Tensor::new(&[0i64, 0, 1], &Device::Cpu)?, 2)?;
/// let x = Tensor::new(&[[1f64], [2.], [3.]], &Device::Cpu)?;
/// assert_eq!(global_add_pool(&x, Some(&batch))?.to_vec2::<f64>()?, [[3.], [3.]]);
/// assert_eq!(global_add_pool(&x, None)?.to_vec2::<f64>()?, [[6.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn global_add_pool(x: &Tensor, batch: Option<&Index>) -> Result<Tensor> {
    pool(x, batch, Aggregation::Sum)
}

/// The mean of each graph's nodes; 0 for a graph without nodes.
///
/// # Shapes
/// x `[num_nodes, *]`; `batch` gives each node its graph, or all are one if it is `None`; output `[num_graphs, *]`
/// # Errors
/// x has another number of rows than `batch` has items.
/// # Source
/// `torch_geometric.nn.global_mean_pool`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Index, global_mean_pool};
/// let batch = Index::new(&Tensor::new(&[0i64, 0, 1], &Device::Cpu)?, 2)?;
/// let x = Tensor::new(&[[1f64], [2.], [3.]], &Device::Cpu)?;
/// assert_eq!(global_mean_pool(&x, Some(&batch))?.to_vec2::<f64>()?, [[1.5], [3.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn global_mean_pool(x: &Tensor, batch: Option<&Index>) -> Result<Tensor> {
    pool(x, batch, Aggregation::Mean)
}

/// The largest value of each feature over each graph's nodes; 0 for a graph without nodes.
///
/// # Shapes
/// x `[num_nodes, *]`; `batch` gives each node its graph, or all are one if it is `None`; output `[num_graphs, *]`
/// # Errors
/// x has another number of rows than `batch` has items.
/// # Source
/// `torch_geometric.nn.global_max_pool`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Index, global_max_pool};
/// let batch = Index::new(&Tensor::new(&[0i64, 0, 2], &Device::Cpu)?, 3)?;
/// let x = Tensor::new(&[[1f64], [2.], [3.]], &Device::Cpu)?;
/// assert_eq!(global_max_pool(&x, Some(&batch))?.to_vec2::<f64>()?, [[2.], [0.], [3.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn global_max_pool(x: &Tensor, batch: Option<&Index>) -> Result<Tensor> {
    pool(x, batch, Aggregation::Max)
}

fn pool(x: &Tensor, batch: Option<&Index>, aggregation: Aggregation) -> Result<Tensor> {
    match batch {
        Some(batch) => scatter(x, batch, aggregation),
        None => scatter(
            x,
            &Index::single(x.dims().first().copied().unwrap_or(0)),
            aggregation,
        ),
    }
}
