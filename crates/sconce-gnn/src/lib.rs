//! Graph networks for candle, with PyTorch Geometric's names, options and semantics.
//!
//! - [`Graph`]: nodes and directed edges, features and weights, checked when it is made; self-loops, undirected graphs,
//!   adjacency matrices, compressed rows. [`GraphBatch`]: many graphs of any sizes as one, and back. [`HeteroGraph`]: nodes
//!   and edges of several types.
//! - [`MessagePassing`]: a layer of one's own from message, aggregate and update. Below it [`gather`], [`scatter`],
//!   [`scatter_softmax`] and [`spmm`], whose gradients are right.
//! - [`GcnConv`], [`GatConv`], [`SageConv`], [`GinConv`], [`RgcnConv`]; [`HeteroConv`] runs one for each edge type.
//! - [`global_add_pool`], [`global_mean_pool`], [`global_max_pool`]: one vector a graph.
//! - [`TgcnCell`]: a recurrent cell whose gates are graph convolutions.
//!
//! Edges point from source to target and messages flow along them; a layer that should listen to the other end is given
//! [`Graph::reversed`].
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, Tensor};
//! use sconce_core::{ParamStore, backward};
//! use sconce_gnn::{GcnConv, GcnConvConfig, Graph};
//!
//! // A path of three nodes, both ways.
//! let edges = Tensor::new(&[[0i64, 1, 1, 2], [1, 0, 2, 1]], &Device::Cpu)?;
//! let graph = Graph::new(3, &edges)?;
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let layer = GcnConv::new(&GcnConvConfig::new(4, 2), store.builder())?;
//! let y = layer.forward(&graph, &Tensor::ones((3, 4), DType::F32, &Device::Cpu)?)?;
//! assert_eq!(y.dims(), [3, 2]);
//! assert!(backward(&y.sqr()?.sum_all()?, &store)?.missing().is_empty());
//! # Ok::<(), sconce_core::Error>(())
//! ```

pub use sconce_core::{candle_core, candle_nn};

mod batch;
mod features;
mod gat_conv;
mod gcn_conv;
mod gin_conv;
mod graph;
mod hetero_conv;
mod hetero_graph;
mod index;
#[allow(
    clippy::indexing_slicing,
    reason = "loops whose bounds are checked once, where they start"
)]
mod kernels;
mod message_passing;
mod pool;
mod rgcn_conv;
mod sage_conv;
mod scatter;
mod spmm;
mod tgcn_cell;

pub use batch::GraphBatch;
pub use features::{Convolution, InChannels, NodeFeatures};
pub use gat_conv::{Attention, GatConv, GatConvConfig};
pub use gcn_conv::{GcnConv, GcnConvConfig, gcn_norm};
pub use gin_conv::{GinConv, GinConvConfig};
pub use graph::{Compressed, Graph, LoopFill};
pub use hetero_conv::{HeteroAggregation, HeteroConv, HeteroConvConfig};
pub use hetero_graph::{EdgeType, FeatureMap, HeteroGraph, Homogeneous};
pub use index::Index;
pub use message_passing::{Edges, MessagePassing};
pub use pool::{global_add_pool, global_max_pool, global_mean_pool};
pub use rgcn_conv::{RgcnConv, RgcnConvConfig};
pub use sage_conv::{SageConv, SageConvConfig};
pub use scatter::{Aggregation, gather, scatter, scatter_softmax};
pub use spmm::spmm;
pub use tgcn_cell::{TgcnCell, TgcnCellConfig};
