//! What rules remember.

use super::{NUMBERS, Rule, STATES};
use candle_core::{DType, Device, Tensor, Var};
use sconce_core::Result;
use sconce_core::cpu::has_kernel;

/// The name under which the `f32` twin of a half-precision parameter is saved; PyTorch has none.
pub(super) const MASTER: &str = "master_param";

/// What a rule remembers of one parameter.
pub(super) struct State {
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
        let count = rule.state_names(var.rank()).len();
        let filled = |i: usize| match i < count {
            true => R::state_dims(i, var.dims()).iter().product(),
            false => 0,
        };
        let has_kernel = has_kernel(var);
        let values = match var.dtype() {
            DType::F32 if has_kernel => Values::F32(std::array::from_fn(|i| {
                vec![rule.initial_state(i) as f32; filled(i)]
            })),
            DType::F64 if has_kernel => {
                Values::F64(std::array::from_fn(|i| vec![rule.initial_state(i); filled(i)]))
            }
            dtype => {
                let fill = |i: usize| {
                    let value =
                        Tensor::new(rule.initial_state(i), &Device::Cpu)?.to_dtype(working_dtype(dtype))?;
                    value
                        .to_device(var.device())?
                        .broadcast_as(R::state_dims(i, var.dims()))?
                        .contiguous()
                };
                Values::Tensors {
                    values: (0..count).map(fill).collect::<candle_core::Result<_>>()?,
                    master: None,
                }
            }
        };
        Ok(Self {
            step: 0,
            numbers: rule.initial_numbers(),
            values,
        })
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
                    *value = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
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
