//! Half precision: stored in it, computed in `f32`.

use candle_core::{DType, Result, Tensor};

/// Computes in `f32` what came in half precision: `Some` of f's result, in x's type again, if x is `f16`, `bf16` or `f8`,
/// else `None`.
///
/// candle adds up half precision in half precision, so a sum of ones in `f16` stops at 2048, in `bf16` at 256. Operations
/// that sum, or whose exponentials overflow early, hand such inputs to themselves in `f32`, as PyTorch does. Other inputs
/// go through the function that f is given.
///
/// # Errors
/// Those of `f`.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Result, Tensor};
/// use sconce_core::widened;
/// fn sum(x: &Tensor) -> Result<Tensor> {
///     match widened(x, |wide| sum(&wide(x)?))? {
///         Some(sum) => Ok(sum),
///         None => x.sum_all(),
///     }
/// }
/// let ones = Tensor::ones(5000, DType::BF16, &Device::Cpu)?;
/// let value = |sum: Tensor| sum.to_dtype(DType::F32)?.to_scalar::<f32>();
/// assert_eq!(value(ones.sum_all()?)?, 256.);
/// assert_eq!(value(sum(&ones)?)?, 4992.); // the bf16 next to 5000
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn widened(
    x: &Tensor,
    f: impl FnOnce(&dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor>,
) -> Result<Option<Tensor>> {
    if !x.dtype().is_float() || matches!(x.dtype(), DType::F32 | DType::F64) {
        return Ok(None);
    }
    f(&|tensor| tensor.to_dtype(DType::F32))?
        .to_dtype(x.dtype())
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn half_precision_goes_there_and_comes_back_with_its_gradient() {
        for dtype in [DType::F16, DType::BF16] {
            let x = Tensor::full(0.5f32, 40_000, &Device::Cpu).unwrap();
            let x = Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
            let y = widened(&x, |wide| {
                let x = wide(&x)?;
                assert_eq!(x.dtype(), DType::F32);
                x.sqr()?.mean_all()
            });
            let y = y.unwrap().unwrap();
            assert_eq!(y.dtype(), dtype);
            assert_eq!(y.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap(), 0.25);
            assert_eq!(y.backward().unwrap().get(&x).unwrap().dtype(), dtype);
        }
        for dtype in [DType::F32, DType::F64, DType::I64] {
            let x = Tensor::ones(2, dtype, &Device::Cpu).unwrap();
            assert!(widened(&x, |_| unreachable!()).unwrap().is_none());
        }
    }
}
