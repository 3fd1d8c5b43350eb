//! Recurrent layers for candle. Empty so far.
//!
//! What will be here: `Rnn`, `Lstm` and `Gru` over whole sequences as one node of the graph (several layers, bidirectional,
//! dropout between layers, initial and final states, projections), their cells, packed sequences, and
//! sequence-to-sequence models with attention. Parameters are named and laid out as in `torch.nn.LSTM` and its siblings.
