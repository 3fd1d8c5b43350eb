//! What rules remember.

use super::STATES;
use candle_core::{DType, Tensor, Var};
use sconce_core::Result;
use sconce_core::cpu::has_kernel;

/// What a rule remembers of one parameter.
pub(super) struct State {
    pub(super) step: u64,
    pub(super) values: Values,
}

pub(super) enum Values {
    F32([Vec<f32>; STATES]),
    F64([Vec<f64>; STATES]),
    Tensors(Vec<Tensor>),
}

impl State {
    pub(super) fn new(var: &Var, count: usize, start: f64) -> Result<Self> {
        let lengths: [usize; STATES] = std::array::from_fn(|i| if i < count { var.elem_count() } else { 0 });
        let values = match var.dtype() {
            DType::F32 if has_kernel(var) => Values::F32(lengths.map(|n| vec![start as f32; n])),
            DType::F64 if has_kernel(var) => Values::F64(lengths.map(|n| vec![start; n])),
            dtype => {
                let value = Tensor::new(start, var.device())?.to_dtype(working_dtype(dtype))?;
                // Each is only ever replaced as a whole, so they may begin as one.
                Values::Tensors(vec![value.broadcast_as(var.shape())?.contiguous()?; count])
            }
        };
        Ok(Self { step: 0, values })
    }
}

impl Values {
    /// A copy of state tensor `i` of a variable, if the rule keeps so many.
    pub(super) fn copy(&self, i: usize, var: &Var) -> candle_core::Result<Option<Tensor>> {
        let (shape, device) = (var.dims(), var.device());
        let copy = match self {
            Self::F32(values) => values.get(i).map(|v| Tensor::from_slice(v, shape, device)),
            Self::F64(values) => values.get(i).map(|v| Tensor::from_slice(v, shape, device)),
            Self::Tensors(values) => values.get(i).map(Tensor::copy),
        };
        copy.transpose()
    }
}

/// Half-precision moments would lose most small gradients.
pub(super) fn working_dtype(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}
