//! Long short-term memory.

use crate::Sequence;
use crate::cell::Cell;
use crate::stack::{Stack, StackConfig};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Options of [`Lstm`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmConfig {
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
    /// Length to which a learned matrix projects the hidden states; 0: they aren't projected.
    pub proj_size: usize,
}

impl LstmConfig {
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
            proj_size: 0,
        }
    }
}

/// Layers of long short-term memory over whole sequences.
///
/// i, f, o = σ(W_i·x + b_i + W_h·h + b_h), each with its own rows, g = tanh of the same with its rows, c' = f⊙c + i⊙g,
/// h' = o⊙tanh(c'), or W_hr times that with `proj_size`. The weights' rows are those of i, f, g, o in this order. The forget
/// gate's bias starts as any other, as in PyTorch.
///
/// The initial state is zero where none is given. Dropout acts in [`forward_t`](Self::forward_t) with `train` set, between
/// layers. A state that is handed from one call to the next keeps the graph of the first one: detach it, unless the gradient
/// is to reach back.
///
/// # Shapes
/// input `[time, batch, input_size]`, `[batch, time, input_size]` if `batch_first`, `[time, input_size]`, or a
/// [`PackedSequence`](crate::PackedSequence) of rows `[total, input_size]`; output the same with
/// directions · hidden_size features, or directions · proj_size; the hidden state
/// `[num_layers · directions, batch, hidden_size (or proj_size)]`, in the order layer 0, its reverse, layer 1, and so on;
/// the cell state the same with hidden_size. For one sequence without a batch, states are without that axis too.
/// # Parameters
/// for each layer k, and again with the suffix `_reverse` if `bidirectional`, all from U(−1/√hidden_size, 1/√hidden_size):
/// - `weight_ih_l{k}`: `[4·hidden_size, input_size]`; above the first layer, the lower one's output is the input
/// - `weight_hh_l{k}`: `[4·hidden_size, hidden_size (or proj_size)]`
/// - `bias_ih_l{k}`, `bias_hh_l{k}`: `[4·hidden_size]`, if `bias`
/// - `weight_hr_l{k}`: `[proj_size, hidden_size]`, if `proj_size` isn't 0
/// # Errors
/// `new`: a size is 0, `dropout` isn't in \[0, 1\], `proj_size` isn't below `hidden_size`. `forward`: the input has another
/// number of axes or features, no step or no sequence; a state doesn't fit it; a dtype isn't that of the parameters.
/// # Source
/// Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget", 2000; Sak et al., "Long
/// Short-Term Memory Recurrent Neural Network Architectures for Large Scale Acoustic Modeling", 2014 (projection);
/// `torch.nn.LSTM`
/// # Example
/// The tutorial's `nn.LSTM(5, 6, 2)` on a sequence of one step, three in a batch:
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_rnn::{Lstm, LstmConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let lstm = Lstm::new(&LstmConfig { num_layers: 2, ..LstmConfig::new(5, 6) }, store.builder())?;
/// let input = Tensor::randn(0f32, 1., (1, 3, 5), &Device::Cpu)?;
/// let h0 = Tensor::randn(0f32, 1., (2, 3, 6), &Device::Cpu)?;
/// let c0 = Tensor::randn(0f32, 1., (2, 3, 6), &Device::Cpu)?;
/// let (output, (hn, cn)) = lstm.forward(&input, Some((&h0, &c0)))?;
/// println!("{:?} {:?} {:?}", output.dims(), hn.dims(), cn.dims()); // [1, 3, 6] [2, 3, 6] [2, 3, 6]
/// assert_eq!(output.dims(), [1, 3, 6]);
/// assert_eq!((hn.dims(), cn.dims()), (&[2, 3, 6][..], &[2, 3, 6][..]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lstm(Stack);

impl Lstm {
    /// The layers whose parameters stand at `vb`.
    pub fn new(cfg: &LstmConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let stack = StackConfig {
            cell: Cell::Lstm,
            input_size: cfg.input_size,
            hidden_size: cfg.hidden_size,
            num_layers: cfg.num_layers,
            bias: cfg.bias,
            batch_first: cfg.batch_first,
            dropout: cfg.dropout,
            bidirectional: cfg.bidirectional,
            proj_size: cfg.proj_size,
        };
        Ok(Self(Stack::new(&stack, "Lstm", vb)?))
    }

    /// Output and final state, without dropout: [`forward_t`](Self::forward_t) with `train` false.
    pub fn forward<S: Sequence>(
        &self,
        input: &S,
        state: Option<(&Tensor, &Tensor)>,
    ) -> Result<(S, (Tensor, Tensor))> {
        self.forward_t(input, state, false)
    }

    /// Output and final state, with dropout between layers if `train`.
    pub fn forward_t<S: Sequence>(
        &self,
        input: &S,
        state: Option<(&Tensor, &Tensor)>,
        train: bool,
    ) -> Result<(S, (Tensor, Tensor))> {
        let (h0, c0) = state.unzip();
        match self.0.run(input, h0, c0, train)? {
            (y, h, Some(c)) => Ok((y, (h, c))),
            (_, _, None) => Err(candle_core::Error::Msg("an LSTM has lost its cell state".into())),
        }
    }
}
