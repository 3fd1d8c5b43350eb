//! From one type of numbers to another.

use candle_core::{DType, Result, Tensor};

/// [`Tensor::to_dtype`] that comes back from every type: candle 0.11.1 calls itself for ever where F8E4M3 becomes F64, which goes by
/// way of F32 here, where all of its values are.
///
/// # Errors
/// Those of [`Tensor::to_dtype`].
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::cast;
/// let narrow = Tensor::new(&[0.5f32, -448.], &Device::Cpu)?.to_dtype(DType::F8E4M3)?;
/// assert_eq!(cast(&narrow, DType::F64)?.to_vec1::<f64>()?, [0.5, -448.]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn cast(tensor: &Tensor, dtype: DType) -> Result<Tensor> {
    match (tensor.dtype(), dtype) {
        (DType::F8E4M3, DType::F64) => tensor.to_dtype(DType::F32)?.to_dtype(dtype),
        _ => tensor.to_dtype(dtype),
    }
}
