//! Gated recurrent units.

use crate::Sequence;
use crate::cell::Cell;
use crate::stack::{Stack, StackConfig};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Options of [`Gru`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct GruConfig {
    /// Length of an input vector.
    pub input_size: usize,
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Layers upon one another; each takes the hidden states of the one below.
    pub num_layers: usize,
    /// Whether there are `bias_ih` and `bias_hh`.
    pub bias: bool,
    /// Whether a batch's tensors are `[batch, time, features]` instead of `[time, batch, features]`. States are
    /// `[layers · directions, batch, features]` all the same, and packed sequences are what they are.
    pub batch_first: bool,
    /// Probability of dropout on the output of every layer but the last, in training.
    pub dropout: f64,
    /// Whether each layer also reads the sequence from its end, with parameters of its own; outputs are
    /// `[forward, backward]`.
    pub bidirectional: bool,
}

impl GruConfig {
    /// One layer with biases, in one direction.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.,
            bidirectional: false,
        }
    }
}

/// Layers of gated recurrent units over whole sequences.
///
/// r = σ(W_ir·x + b_ir + W_hr·h + b_hr), z = σ(W_iz·x + b_iz + W_hz·h + b_hz),
/// n = tanh(W_in·x + b_in + r⊙(W_hn·h + b_hn)), h' = (1 − z)⊙n + z⊙h. The weights' rows are those of r, z, n in this order.
///
/// The initial state is zero where none is given. Dropout acts in [`forward_t`](Self::forward_t) with `train` set, between
/// layers. A state that is handed from one call to the next keeps the graph of the first one: detach it, unless the gradient
/// is to reach back.
///
/// # Shapes
/// input `[time, batch, input_size]`, `[batch, time, input_size]` if `batch_first`, `[time, input_size]`, or a
/// [`PackedSequence`](crate::PackedSequence) of rows `[total, input_size]`; output the same with
/// directions · hidden_size features; states `[num_layers · directions, batch, hidden_size]`, in the order layer 0, its
/// reverse, layer 1, and so on. For one sequence without a batch, states are without that axis too.
/// # Parameters
/// for each layer k, and again with the suffix `_reverse` if `bidirectional`, all from U(−1/√hidden_size, 1/√hidden_size):
/// - `weight_ih_l{k}`: `[3·hidden_size, input_size]`; above the first layer, the lower one's output is the input
/// - `weight_hh_l{k}`: `[3·hidden_size, hidden_size]`
/// - `bias_ih_l{k}`, `bias_hh_l{k}`: `[3·hidden_size]`, if `bias`
/// # Errors
/// `new`: a size is 0, `dropout` isn't in \[0, 1\]. `forward`: the input has another number of axes or features, no step or
/// no sequence; a state doesn't fit it; a dtype isn't that of the parameters.
/// # Source
/// Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", 2014, with the
/// reset after the product; `torch.nn.GRU`
/// # Example
/// The tutorial's `nn.GRU(5, 6, 2)` on a sequence of one step, three in a batch:
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_rnn::{Gru, GruConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let gru = Gru::new(&GruConfig { num_layers: 2, ..GruConfig::new(5, 6) }, store.builder())?;
/// let input = Tensor::randn(0f32, 1., (1, 3, 5), &Device::Cpu)?;
/// let h0 = Tensor::randn(0f32, 1., (2, 3, 6), &Device::Cpu)?;
/// let (output, hn) = gru.forward(&input, Some(&h0))?;
/// println!("{:?} {:?}", output.dims(), hn.dims()); // [1, 3, 6] [2, 3, 6]
/// assert_eq!((output.dims(), hn.dims()), (&[1, 3, 6][..], &[2, 3, 6][..]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gru(Stack);

impl Gru {
    /// The layers whose parameters stand at `vb`.
    pub fn new(cfg: &GruConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let stack = StackConfig {
            cell: Cell::Gru,
            input_size: cfg.input_size,
            hidden_size: cfg.hidden_size,
            num_layers: cfg.num_layers,
            bias: cfg.bias,
            batch_first: cfg.batch_first,
            dropout: cfg.dropout,
            bidirectional: cfg.bidirectional,
            proj_size: 0,
        };
        Ok(Self(Stack::new(&stack, "Gru", vb)?))
    }

    /// Output and final state, without dropout: [`forward_t`](Self::forward_t) with `train` false.
    pub fn forward<S: Sequence>(&self, input: &S, h0: Option<&Tensor>) -> Result<(S, Tensor)> {
        self.forward_t(input, h0, false)
    }

    /// Output and final state, with dropout between layers if `train`.
    pub fn forward_t<S: Sequence>(&self, input: &S, h0: Option<&Tensor>, train: bool) -> Result<(S, Tensor)> {
        let (y, h, _) = self.0.run(input, h0, None, train)?;
        Ok((y, h))
    }
}
