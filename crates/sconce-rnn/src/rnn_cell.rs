//! One step of a plain recurrent layer.

use crate::RnnNonlinearity;
use crate::single_step::SingleStep;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Options of [`RnnCell`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct RnnCellConfig {
    /// Length of an input vector.
    pub input_size: usize,
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`.
    pub bias: bool,
    /// What is applied to the sums.
    pub nonlinearity: RnnNonlinearity,
}

impl RnnCellConfig {
    /// A cell with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            bias: true,
            nonlinearity: RnnNonlinearity::Tanh,
        }
    }
}

/// One step of a plain recurrent layer (Elman's).
///
/// h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh), or relu in tanh's place.
///
/// The state is zero where none is given. A state that is handed from one call to the next carries the graph of all steps:
/// for a whole sequence, [`Rnn`](crate::Rnn) has two nodes instead of two a step.
///
/// # Shapes
/// input `[batch, input_size]`, state `h` `[batch, hidden_size]`, or all without a batch; output as the state
/// # Parameters
/// `weight_ih`: `[hidden_size, input_size]`; `weight_hh`: `[hidden_size, hidden_size]`; `bias_ih`, `bias_hh`:
/// `[hidden_size]`, if `bias`; all from U(−1/√hidden_size, 1/√hidden_size)
/// # Errors
/// `new`: a size is 0. `forward`: the input has another number of axes or features, or no row; a state doesn't fit it; a
/// dtype isn't that of the parameters.
/// # Source
/// Elman, "Finding Structure in Time", 1990; `torch.nn.RNNCell`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_rnn::{RnnCell, RnnCellConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let cell = RnnCell::new(&RnnCellConfig::new(5, 6), store.builder())?;
/// let x = Tensor::ones((3, 5), DType::F32, &Device::Cpu)?;
/// let mut h = cell.forward(&x, None)?;
/// for _ in 1..4 {
///     h = cell.forward(&x, Some(&h))?;
/// }
/// assert_eq!(h.dims(), [3, 6]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RnnCell(SingleStep);

impl RnnCell {
    /// The cell whose parameters stand at `vb`.
    pub fn new(cfg: &RnnCellConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let sizes = (cfg.input_size, cfg.hidden_size);
        Ok(Self(SingleStep::new(
            cfg.nonlinearity.cell(),
            sizes,
            cfg.bias,
            "RnnCell",
            vb,
        )?))
    }

    /// The next state.
    pub fn forward(&self, input: &Tensor, h: Option<&Tensor>) -> Result<Tensor> {
        let (h, _) = self.0.step(input, h, None)?;
        Ok(h)
    }
}
