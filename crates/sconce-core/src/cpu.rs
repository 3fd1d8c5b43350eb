//! Tensors on the CPU as slices: how kernels see them.

use crate::Result;
use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, StorageRef, Tensor, Var, WithDType};
use sconce_kernels::parallel;
use std::ops::{Deref, Range};

/// The element types that CPU kernels exist for: `f32` and `f64`.
pub trait Real: WithDType + sconce_kernels::simd::Element {
    /// All values of a storage, if they are of this type.
    fn of_storage(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

macro_rules! real {
    ($t:ty, $variant:ident) => {
        impl Real for $t {
            fn of_storage(storage: &mut CpuStorage) -> Option<&mut [Self]> {
                match storage {
                    CpuStorage::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
real!(f32, F32);
real!(f64, F64);

/// A contiguous CPU tensor's values; holds the tensor's read lock while it lives.
pub struct CpuSlice<'a, T> {
    storage: StorageRef<'a>,
    range: Range<usize>,
    empty: [T; 0],
}

/// The values of a contiguous tensor on the CPU, in row-major order.
///
/// # Errors
/// The tensor isn't contiguous, isn't on the CPU, or has another element type.
///
/// # Example
/// ```
/// use sconce_core::{candle_core::{Device, Tensor}, cpu};
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// assert_eq!(cpu::slice::<f32>(&x)?[2], 3.);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn slice<T: WithDType>(tensor: &Tensor) -> Result<CpuSlice<'_, T>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(
            candle_core::Error::Msg("a kernel was given a tensor that isn't contiguous".into()).into(),
        );
    };
    match &*storage {
        Storage::Cpu(cpu) if cpu.as_slice::<T>()?.len() >= end => {}
        Storage::Cpu(_) => {
            return Err(candle_core::Error::Msg("a layout reaches past its storage".into()).into());
        }
        _ => {
            return Err(
                candle_core::Error::Msg("a CPU kernel was given a tensor of another device".into()).into(),
            );
        }
    }
    Ok(CpuSlice {
        storage,
        range: start..end,
        empty: [],
    })
}

impl<T: WithDType> Deref for CpuSlice<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.storage {
            // Both the type and the range were checked when the slice was made.
            Storage::Cpu(cpu) => cpu
                .as_slice::<T>()
                .ok()
                .and_then(|all| all.get(self.range.clone()))
                .unwrap_or(&self.empty),
            _ => &self.empty,
        }
    }
}

/// Overwrites a variable's values, given in row-major order.
///
/// # Errors
/// The variable isn't contiguous, isn't on the CPU, or has another element type or number of elements.
///
/// # Example
/// ```
/// use sconce_core::{candle_core::{DType, Device, Var}, cpu};
/// let x = Var::zeros((2, 2), DType::F32, &Device::Cpu)?;
/// cpu::write(&x, &[1f32, 2., 3., 4.])?;
/// assert_eq!(x.to_vec2::<f32>()?, [[1., 2.], [3., 4.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn write<T: Real>(var: &Var, values: &[T]) -> Result<()> {
    Ok(var.inplace_op1(&Write(values))?)
}

struct Write<'a, T>(&'a [T]);

impl<T: Real> InplaceOp1 for Write<'_, T> {
    fn name(&self) -> &'static str {
        "write"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let target = layout.contiguous_offsets().and_then(|(start, end)| {
            let all = T::of_storage(storage)?;
            all.get_mut(start..end)
                .filter(|target| target.len() == self.0.len())
        });
        match target {
            Some(target) => {
                parallel::zip((target, self.0), |_, (to, from)| to.copy_from_slice(from));
                Ok(())
            }
            None => Err(candle_core::Error::Msg(format!(
                "{} values of type {:?} don't fit a variable of shape {:?}",
                self.0.len(),
                T::DTYPE,
                layout.dims()
            ))),
        }
    }
}

/// Whether a tensor's kernels run here: on the CPU, in `f32` or `f64`.
pub fn has_kernel(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), candle_core::DType::F32 | candle_core::DType::F64)
}

/// Calls a function that is generic over [`Real`] with the element type of a tensor.
///
/// `dispatch_real!(tensor, function(arguments…))` is `function::<f32>(arguments…)` or `function::<f64>(arguments…)`, and
/// an error for any other type.
#[macro_export]
macro_rules! dispatch_real {
    ($tensor:expr, $($function:ident)::+ ( $($argument:expr),* $(,)? )) => {
        match $tensor.dtype() {
            $crate::candle_core::DType::F32 => $($function)::+::<f32>($($argument),*),
            $crate::candle_core::DType::F64 => $($function)::+::<f64>($($argument),*),
            other => Err($crate::candle_core::Error::Msg(
                format!("no CPU kernel for dtype {other:?}")).into()),
        }
    };
}
