//! The kinds of recurrent cells.

/// What is computed in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Tanh,
    Relu,
    Lstm,
    Gru,
}

impl Cell {
    /// Blocks of `hidden_size` rows in the weights: i, f, g, o of an LSTM, r, z, n of a GRU.
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Whether it carries a cell state beside the hidden state.
    pub(crate) fn has_memory(self) -> bool {
        self == Self::Lstm
    }

    /// The name in the graph.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tanh | Self::Relu => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }
}
