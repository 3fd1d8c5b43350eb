//! One step of long short-term memory.

use crate::cell::Cell;
use crate::single_step::SingleStep;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Options of [`LstmCell`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmCellConfig {
    /// Length of an input vector.
    pub input_size: usize,
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`.
    pub bias: bool,
}

impl LstmCellConfig {
    /// A cell with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            bias: true,
        }
    }
}

/// One step of long short-term memory.
///
/// i, f, o = σ(W_i·x + b_i + W_h·h + b_h), each with its own rows, g = tanh of the same with its rows, c' = f⊙c + i⊙g,
/// h' = o⊙tanh(c'). The weights' rows are those of i, f, g, o in this order.
///
/// The state is zero where none is given. A state that is handed from one call to the next carries the graph of all steps:
/// for a whole sequence, [`Lstm`](crate::Lstm) has two nodes instead of two a step.
///
/// # Shapes
/// input `[batch, input_size]`, states `h` and `c` `[batch, hidden_size]`, or all without a batch; output as the state
/// # Parameters
/// `weight_ih`: `[4·hidden_size, input_size]`; `weight_hh`: `[4·hidden_size, hidden_size]`; `bias_ih`, `bias_hh`:
/// `[4·hidden_size]`, if `bias`; all from U(−1/√hidden_size, 1/√hidden_size)
/// # Errors
/// `new`: a size is 0. `forward`: the input has another number of axes or features, or no row; a state doesn't fit it; a
/// dtype isn't that of the parameters.
/// # Source
/// Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget", 2000; `torch.nn.LSTMCell`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_rnn::{LstmCell, LstmCellConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let cell = LstmCell::new(&LstmCellConfig::new(5, 6), store.builder())?;
/// let x = Tensor::ones((3, 5), DType::F32, &Device::Cpu)?;
/// let (mut h, mut c) = cell.forward(&x, None)?;
/// for _ in 1..4 {
///     (h, c) = cell.forward(&x, Some((&h, &c)))?;
/// }
/// assert_eq!((h.dims(), c.dims()), (&[3, 6][..], &[3, 6][..]));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LstmCell(SingleStep);

impl LstmCell {
    /// The cell whose parameters stand at `vb`.
    pub fn new(cfg: &LstmCellConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let sizes = (cfg.input_size, cfg.hidden_size);
        Ok(Self(SingleStep::new(
            Cell::Lstm,
            sizes,
            cfg.bias,
            "LstmCell",
            vb,
        )?))
    }

    /// The next state.
    pub fn forward(&self, input: &Tensor, state: Option<(&Tensor, &Tensor)>) -> Result<(Tensor, Tensor)> {
        let (h, c) = state.unzip();
        match self.0.step(input, h, c)? {
            (h, Some(c)) => Ok((h, c)),
            (_, None) => Err(candle_core::Error::Msg("an LSTM has lost its cell state".into())),
        }
    }
}
