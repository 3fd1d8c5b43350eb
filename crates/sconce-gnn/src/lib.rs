//! Graph networks for candle. Empty so far.
//!
//! What will be here: graphs (coordinate lists and compressed rows), message passing, the convolutions GCN, GAT, SAGE, GIN
//! and their relatives, heterogeneous and temporal graphs, pooling, batching and neighbour sampling, with PyTorch
//! Geometric's names and semantics.
