//! Masks: what is added to the scores before the softmax.

use candle_core::{D, DType, Device, Result, Tensor};
use sconce_core::Error;

/// The mask that lets each position see itself and what is before it: 0 on and below the diagonal, −∞ above.
///
/// # Shapes
/// output `[size, size]`
/// # Errors
/// `dtype` isn't a float.
/// # Source
/// `torch.nn.Transformer.generate_square_subsequent_mask`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_transformer::generate_square_subsequent_mask;
/// let mask = generate_square_subsequent_mask(2, DType::F32, &Device::Cpu)?;
/// assert_eq!(mask.to_vec2::<f32>()?, [[0., f32::NEG_INFINITY], [0., 0.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn generate_square_subsequent_mask(
    size: usize,
    dtype: DType,
    device: &Device,
) -> sconce_core::Result<Tensor> {
    if !dtype.is_float() {
        return Err(Error::DType {
            layer: "generate_square_subsequent_mask".into(),
            argument: "mask",
            expected: "a float".into(),
            got: dtype,
        });
    }
    Ok(forbidden(&after(size, size, 0, device)?, dtype)?)
}

/// 1 where key j comes after query i + `past`, of shape `[queries, keys]`.
fn after(queries: usize, keys: usize, past: usize, device: &Device) -> Result<Tensor> {
    if queries == 0 || keys == 0 {
        return Tensor::zeros((queries, keys), DType::U8, device);
    }
    let [queries, past, keys] = [queries, past, keys].map(|n| n as i64);
    let query = Tensor::arange(past, past + queries, device)?.unsqueeze(1)?;
    Tensor::arange(0, keys, device)?
        .unsqueeze(0)?
        .broadcast_gt(&query)
}

/// −∞ where `mask` is not 0, and 0 elsewhere.
fn forbidden(mask: &Tensor, dtype: DType) -> Result<Tensor> {
    let value = |x: f64| {
        Tensor::new(x, mask.device())?
            .to_dtype(dtype)?
            .broadcast_as(mask.shape())
    };
    mask.where_cond(&value(f64::NEG_INFINITY)?, &value(0.)?)
}

/// The causal mask, added to scores `[…, queries, keys]`: query i sees the keys up to i + `past`.
pub(crate) fn causal(queries: usize, keys: usize, past: usize, like: &Tensor) -> Result<Tensor> {
    forbidden(&after(queries, keys, past, like.device())?, like.dtype())
}

/// What a boolean mask's 1 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum One {
    Keeps,
    MasksOut,
}

/// A user's mask in the form that is added to scores of the type of `like`.
pub(crate) fn additive(
    layer: &str,
    argument: &'static str,
    mask: &Tensor,
    one: One,
    like: &Tensor,
) -> Result<Tensor> {
    match (mask.dtype(), one) {
        (DType::U8, One::MasksOut) => forbidden(mask, like.dtype()),
        (DType::U8, One::Keeps) => forbidden(&mask.eq(0u8)?, like.dtype()),
        (dtype, _) if dtype == like.dtype() => Ok(mask.clone()),
        (got, _) => Err(Error::DType {
            layer: layer.to_owned(),
            argument,
            expected: format!("U8 (boolean) or {:?} (added to the scores)", like.dtype()),
            got,
        }
        .into()),
    }
}

/// The sum of two masks, either of which may be absent.
pub(crate) fn both(a: Option<Tensor>, b: Option<Tensor>) -> Result<Option<Tensor>> {
    Ok(match (a, b) {
        (Some(a), Some(b)) => Some(a.broadcast_add(&b)?),
        (a, b) => a.or(b),
    })
}

/// The mask with zeros for rows that mask out every key, and 1 for the rows that don't, 0 for those that do. The second is
/// absent if there is no such row.
pub(crate) fn without_dead_rows(mask: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
    // A copy: candle's reductions divide by a stride, which is 0 in a single broadcast key.
    let values = mask.detach().force_contiguous()?;
    let dead = values.max_keepdim(D::Minus1)?.eq(f64::NEG_INFINITY)?;
    if dead.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()? == 0. {
        return Ok((mask.clone(), None));
    }
    let rows = dead.broadcast_as(mask.shape())?.contiguous()?;
    let mask = rows.where_cond(&mask.zeros_like()?, mask)?;
    Ok((mask.clone(), Some(dead.eq(0u8)?.to_dtype(mask.dtype())?)))
}
