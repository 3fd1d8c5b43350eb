//! Where a fused operation has no kernel, its composite of plain candle operations runs: in a precision that it can bear.

use crate::{Error, Result};
use candle_core::{DType, Tensor};

/// Runs a composite of plain candle operations on floating-point inputs.
///
/// candle adds up half precision in half precision: a sum of ones in `f16` stops at 2048, in `bf16` at 256. So `f16`, `bf16`
/// and `f8` inputs go in as `f32`, and the result comes back in the first input's type, as PyTorch does it.
///
/// # Errors
/// An input isn't of a floating-point type: candle would panic or compute whole numbers. Those of `f`.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::composite;
/// let ones = Tensor::ones(5000, DType::BF16, &Device::Cpu)?;
/// assert_eq!(ones.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?, 256.);
/// let sum = composite("sum", &[("input", &ones)], |x| x[0].sum_all())?;
/// assert_eq!(sum.dtype(), DType::BF16);
/// assert_eq!(sum.to_dtype(DType::F32)?.to_scalar::<f32>()?, 4992.); // the bf16 next to 5000
/// let whole = Tensor::ones(3, DType::I64, &Device::Cpu)?;
/// let error = composite("sum", &[("input", &whole)], |x| x[0].sum_all()).unwrap_err();
/// assert_eq!(error.to_string(), "sum: input has dtype I64, expected a floating-point type");
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn composite(
    layer: &str,
    inputs: &[(&'static str, &Tensor)],
    f: impl FnOnce(&[Tensor]) -> candle_core::Result<Tensor>,
) -> Result<Tensor> {
    for (argument, input) in inputs {
        check_float(layer, argument, input)?;
    }
    let first = inputs.first().map_or(DType::F32, |(_, input)| input.dtype());
    let wide = |input: &Tensor| match input.dtype() {
        DType::F32 | DType::F64 => Ok(input.clone()),
        _ => input.to_dtype(DType::F32),
    };
    let inputs = inputs
        .iter()
        .map(|(_, input)| wide(input))
        .collect::<candle_core::Result<Vec<_>>>()?;
    Ok(f(&inputs)?.to_dtype(first)?)
}

/// Whether a tensor can hold fractions.
///
/// # Errors
/// [`Error::DType`], which names the layer and the argument.
pub fn check_float(layer: &str, argument: &'static str, tensor: &Tensor) -> Result<()> {
    if is_float(tensor.dtype()) {
        return Ok(());
    }
    Err(Error::DType {
        layer: layer.to_string(),
        argument,
        expected: "a floating-point type".to_string(),
        got: tensor.dtype(),
    })
}

pub(crate) fn is_float(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 | DType::F8E4M3
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn half_precision_goes_through_f32_both_ways() {
        for dtype in [DType::F16, DType::BF16] {
            let x = Var::from_tensor(
                &Tensor::full(0.5f32, 40_000, &Device::Cpu)
                    .unwrap()
                    .to_dtype(dtype)
                    .unwrap(),
            );
            let x = x.unwrap();
            let y = composite("mean", &[("input", &x)], |x| {
                assert_eq!(x[0].dtype(), DType::F32);
                x[0].sqr()?.mean_all()
            })
            .unwrap();
            assert_eq!(
                (
                    y.dtype(),
                    y.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap()
                ),
                (dtype, 0.25)
            );
            let grads = y.backward().unwrap();
            assert_eq!(grads.get(&x).unwrap().dtype(), dtype);
        }
        let x = Tensor::ones(2, DType::F64, &Device::Cpu).unwrap();
        assert_eq!(
            composite("same", &[("input", &x)], |x| Ok(x[0].clone()))
                .unwrap()
                .dtype(),
            DType::F64
        );
    }

    #[test]
    fn whole_numbers_are_refused() {
        for dtype in [DType::U8, DType::U32, DType::I16, DType::I32, DType::I64] {
            let x = Tensor::ones(2, dtype, &Device::Cpu).unwrap();
            let error = composite("layer", &[("input", &x)], |x| x[0].exp()).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::DType {
                        argument: "input",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
}
