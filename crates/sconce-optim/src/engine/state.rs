//! What rules remember.

use super::{NUMBERS, Rule, STATES};
use candle_core::{DType, Device, Tensor, Var};
use sconce_core::cpu::has_kernel;
use sconce_core::{Result, cast};

/// The name under which the `f32` twin of a half-precision parameter is saved; PyTorch has none.
pub(super) const MASTER: &str = "master_param";

/// What a rule remembers of one parameter.
pub(super) struct State {
    /// How many state tensors there are.
    pub(super) kept: usize,
    pub(super) step: u64,
    pub(super) numbers: [f64; NUMBERS],
    pub(super) values: Values,
}

pub(super) enum Values {
    F32([Vec<f32>; STATES]),
    F64([Vec<f64>; STATES]),
    Tensors {
        values: Vec<Tensor>,
        /// Of a half-precision parameter, what it would be in `f32`.
        master: Option<Tensor>,
    },
}

impl State {
    pub(super) fn new<R: Rule>(var: &Var, rule: &R) -> Result<Self> {
        let values = match var.dtype() {
            DType::F32 if has_kernel(var) => Values::F32(Default::default()),
            DType::F64 if has_kernel(var) => Values::F64(Default::default()),
            _ => Values::Tensors {
                values: Vec::new(),
                master: None,
            },
        };
        let mut state = Self {
            kept: 0,
            step: 0,
            numbers: rule.initial_numbers(),
            values,
        };
        state.grow(var, rule)?;
        Ok(state)
    }

    /// Adds what the rule keeps and hasn't kept so far, as a momentum that was 0 until now. The other tensors stay.
    pub(super) fn grow<R: Rule>(&mut self, var: &Var, rule: &R) -> Result<()> {
        for i in self.kept..rule.state_names(var.rank()).len() {
            let (dims, first) = (R::state_dims(i, var.dims()), rule.initial_state(i));
            let count = dims.iter().product();
            match &mut self.values {
                Values::F32(values) => fill(values, i, count, first as f32),
                Values::F64(values) => fill(values, i, count, first),
                Values::Tensors { values, .. } => {
                    let value = Tensor::new(first, &Device::Cpu)?.to_dtype(working_dtype(var.dtype()))?;
                    let value = value.to_device(var.device())?;
                    values.push(value.broadcast_as(dims)?.contiguous()?);
                }
            }
            self.kept = i + 1;
        }
        Ok(())
    }
}

fn fill<T: Clone>(values: &mut [Vec<T>; STATES], i: usize, count: usize, first: T) {
    if let Some(values) = values.get_mut(i) {
        *values = vec![first; count];
    }
}

impl Values {
    /// A copy of state tensor `i` of a variable, if the rule keeps so many.
    pub(super) fn copy<R: Rule>(&self, i: usize, var: &Var) -> candle_core::Result<Option<Tensor>> {
        let (shape, device) = (R::state_dims(i, var.dims()), var.device());
        let copy = match self {
            Self::F32(values) => values.get(i).map(|v| Tensor::from_slice(v, shape, device)),
            Self::F64(values) => values.get(i).map(|v| Tensor::from_slice(v, shape, device)),
            Self::Tensors { values, .. } => values.get(i).map(Tensor::copy),
        };
        copy.transpose()
    }

    /// Takes over state tensors that fit the variable.
    pub(super) fn set(
        &mut self,
        tensors: Vec<Tensor>,
        master_param: Option<Tensor>,
    ) -> candle_core::Result<()> {
        match self {
            Self::F32(values) => {
                for (value, tensor) in values.iter_mut().zip(&tensors) {
                    *value = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                }
            }
            Self::F64(values) => {
                for (value, tensor) in values.iter_mut().zip(&tensors) {
                    *value = cast(tensor, DType::F64)?.flatten_all()?.to_vec1()?;
                }
            }
            Self::Tensors { values, master } => {
                for (value, tensor) in values.iter_mut().zip(&tensors) {
                    *value = tensor.to_dtype(value.dtype())?.to_device(value.device())?;
                }
                *master = master_param;
            }
        }
        Ok(())
    }
}

/// Half-precision moments would lose most small gradients.
pub(super) fn working_dtype(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}

/// What a step begins with: the parameter in the working type, with the digits that it itself has no room for, unless it was
/// changed by others since.
pub(super) fn master_of(var: &Var, master: Option<Tensor>) -> candle_core::Result<Tensor> {
    let value = var.as_detached_tensor();
    if let Some(master) = master {
        let changed = master.to_dtype(value.dtype())?.ne(&value)?;
        if value.elem_count() == 0 || changed.max_all()?.to_scalar::<u8>()? == 0 {
            return Ok(master);
        }
    }
    value.to_dtype(working_dtype(value.dtype()))
}
