//! Copies that go by a tensor's element type.

/// Calls a function that is generic over candle's `WithDType` with a tensor's element type.
///
/// `on_cpu!(tensor, function(arguments…))` is `Some(function::<f32>(arguments…))` for a tensor of `f32`, and alike for the types
/// that data commonly have. It is `None` for another type or device, whose tensors candle's operations change.
macro_rules! on_cpu {
    ($tensor:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $tensor.dtype() {
            _ if !$tensor.device().is_cpu() => None,
            candle_core::DType::U8 => Some($function::<u8>($($argument),*)),
            candle_core::DType::U32 => Some($function::<u32>($($argument),*)),
            candle_core::DType::I64 => Some($function::<i64>($($argument),*)),
            candle_core::DType::F32 => Some($function::<f32>($($argument),*)),
            candle_core::DType::F64 => Some($function::<f64>($($argument),*)),
            _ => None,
        }
    };
}
pub(crate) use on_cpu;
