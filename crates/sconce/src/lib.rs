//! The training stack for candle: losses, optimisers, CNN, RNN, Transformer and GNN layers, data, a training loop.
