//! Tensors on the CPU as slices: how kernels see them.

use crate::Result;
use candle_core::{Storage, StorageRef, Tensor, WithDType};
use std::ops::{Deref, Range};

/// The element types that CPU kernels exist for: `f32` and `f64`.
pub trait Real: WithDType + sconce_kernels::simd::Element {}
impl Real for f32 {}
impl Real for f64 {}

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
