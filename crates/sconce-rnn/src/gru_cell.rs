//! One step of gated recurrent units.

use crate::cell::Cell;
use crate::single_step::SingleStep;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Options of [`GruCell`]; the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct GruCellConfig {
    /// Length of an input vector.
    pub input_size: usize,
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Whether there are `bias_ih` and `bias_hh`.
    pub bias: bool,
}

impl GruCellConfig {
    /// A cell with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            bias: true,
        }
    }
}

/// One step of gated recurrent units.
///
/// r = σ(W_ir·x + b_ir + W_hr·h + b_hr), z = σ(W_iz·x + b_iz + W_hz·h + b_hz),
/// n = tanh(W_in·x + b_in + r⊙(W_hn·h + b_hn)), h' = (1 − z)⊙n + z⊙h. The weights' rows are those of r, z, n in this order.
///
/// The state is zero where none is given. A state that is handed from one call to the next carries the graph of all steps:
/// for a whole sequence, [`Gru`](crate::Gru) has two nodes instead of two a step.
///
/// # Shapes
/// input `[batch, input_size]`, state `h` `[batch, hidden_size]`, or all without a batch; output as the state
/// # Parameters
/// `weight_ih`: `[3·hidden_size, input_size]`; `weight_hh`: `[3·hidden_size, hidden_size]`; `bias_ih`, `bias_hh`:
/// `[3·hidden_size]`, if `bias`; all from U(−1/√hidden_size, 1/√hidden_size)
/// # Errors
/// `new`: a size is 0. `forward`: the input has another number of axes or features, or no row; a state doesn't fit it; a
/// dtype isn't that of the parameters.
/// # Source
/// Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", 2014, with the
/// reset after the product; `torch.nn.GRUCell`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_rnn::{GruCell, GruCellConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let cell = GruCell::new(&GruCellConfig::new(5, 6), store.builder())?;
/// let x = Tensor::ones((3, 5), DType::F32, &Device::Cpu)?;
/// let mut h = cell.forward(&x, None)?;
/// for _ in 1..4 {
///     h = cell.forward(&x, Some(&h))?;
/// }
/// assert_eq!(h.dims(), [3, 6]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GruCell(SingleStep);

impl GruCell {
    /// The cell whose parameters stand at `vb`.
    pub fn new(cfg: &GruCellConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let sizes = (cfg.input_size, cfg.hidden_size);
        Ok(Self(SingleStep::new(Cell::Gru, sizes, cfg.bias, "GruCell", vb)?))
    }

    /// The next state.
    pub fn forward(&self, input: &Tensor, h: Option<&Tensor>) -> Result<Tensor> {
        let (h, _) = self.0.step(input, h, None)?;
        Ok(h)
    }
}
