//! Scaled dot-product attention.

use crate::mask::{self, One};
use candle_core::{D, ModuleT, Result, Tensor};
use sconce_core::{Error, graph};
use sconce_nn::{Dropout, softmax};

const NAME: &str = "scaled_dot_product_attention";

/// Options of [`scaled_dot_product_attention`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Default)]
pub struct AttentionOptions<'a> {
    /// Which keys a query sees, broadcast to `[*, queries, keys]`: `u8`, 1 is **kept**; or of the queries' type, added to the
    /// scores.
    pub attn_mask: Option<&'a Tensor>,
    /// Probability with which a weight is dropped. It acts always: give 0 in evaluation.
    pub dropout_p: f64,
    /// Whether query i sees only the keys 0 to i. With more keys than queries the last ones are seen by none.
    pub is_causal: bool,
    /// What the scores are multiplied by; 1/√d if `None`.
    pub scale: Option<f64>,
    /// Whether keys and values may have fewer heads than queries: each of theirs then serves several.
    pub enable_gqa: bool,
}

/// softmax(scale · Q·Kᵀ + mask)·V: each query's mean over the values, weighted by how well their keys fit.
///
/// A query all of whose keys are masked out gives 0.
///
/// # Shapes
/// query `[*, queries, d]`, key `[*, keys, d]`, value `[*, keys, dv]`, output `[*, queries, dv]`. With `enable_gqa` the axis
/// before the last two counts heads, and the queries have a multiple of the keys' number.
/// # Errors
/// The shapes or dtypes don't fit, there is no key, `dropout_p` isn't a probability, or `is_causal` comes with a mask.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.functional.scaled_dot_product_attention`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_transformer::{AttentionOptions, scaled_dot_product_attention};
/// let x = Tensor::new(&[[1f64, 0.], [0., 1.]], &Device::Cpu)?;
/// let options = AttentionOptions { is_causal: true, ..AttentionOptions::default() };
/// let y = scaled_dot_product_attention(&x, &x, &x, &options)?;
/// // The first query sees only the first value.
/// assert_eq!(y.to_vec2::<f64>()?[0], [1., 0.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    options: &AttentionOptions<'_>,
) -> Result<Tensor> {
    let dropout = crate::check::dropout(NAME, "dropout_p", options.dropout_p)?;
    for (argument, x) in [("query", query), ("key", key), ("value", value)] {
        if !x.dtype().is_float() || x.dtype() != query.dtype() {
            return Err(Error::DType {
                layer: NAME.into(),
                argument,
                expected: "a float, the same for query, key and value".into(),
                got: x.dtype(),
            }
            .into());
        }
    }
    let (queries, width) = match *query.dims() {
        [.., queries, width] if width > 0 => (queries, width),
        ref dims => return Err(Error::shape(NAME, "query", "[*, queries, d ≥ 1]", dims).into()),
    };
    let (key, value) = if options.enable_gqa {
        (repeated(key, "key", query)?, repeated(value, "value", query)?)
    } else {
        (key.clone(), value.clone())
    };
    let batch = query.dims().get(..query.rank() - 2).unwrap_or_default();
    let keys = match *key.dims() {
        [ref theirs @ .., keys, d] if theirs == batch && d == width && keys > 0 => keys,
        _ => {
            let expected = format!("{}keys ≥ 1, d = {width}]", listed(batch));
            return Err(Error::shape(NAME, "key", expected, key.dims()).into());
        }
    };
    match *value.dims() {
        [ref theirs @ .., n, _] if theirs == batch && n == keys => {}
        _ => {
            let expected = format!("{}keys = {keys}, dv]", listed(batch));
            return Err(Error::shape(NAME, "value", expected, value.dims()).into());
        }
    }
    let mask = match (options.attn_mask, options.is_causal) {
        (Some(_), true) => {
            let expected = "false where an attn_mask is given";
            return Err(Error::config(NAME, "is_causal", true, expected).into());
        }
        (Some(mask), false) => {
            let mut scores = batch.to_vec();
            scores.extend([queries, keys]);
            if !broadcasts(mask.dims(), &scores) {
                let expected = format!("one that broadcasts to {scores:?}, [*, queries, keys]");
                return Err(Error::shape(NAME, "attn_mask", expected, mask.dims()).into());
            }
            // A mask along the queries alone has its row for each of them.
            let mask = mask::additive(NAME, "attn_mask", mask, One::Keeps, query)?;
            Some(if mask.rank() < 2 {
                mask.broadcast_as((1, keys))?.contiguous()?
            } else {
                let mut full = mask.dims().to_vec();
                if let Some(last) = full.last_mut() {
                    *last = keys;
                }
                mask.broadcast_as(full)?.contiguous()?
            })
        }
        (None, true) => Some(mask::causal(queries, keys, 0, query)?),
        (None, false) => None,
    };
    let scale = options.scale.unwrap_or_else(|| default_scale(width));
    let (output, _) = attend(query, &key, &value, mask.as_ref(), scale, &dropout, true)?;
    Ok(output)
}

pub(crate) fn default_scale(width: usize) -> f64 {
    1. / (width.max(1) as f64).sqrt()
}

/// The same on checked inputs, with the weights after dropout. The mask is added to the scores and has all keys along its
/// last axis.
pub(crate) fn attend(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    scale: f64,
    dropout: &Dropout,
    train: bool,
) -> Result<(Tensor, Tensor)> {
    let [q, k, v] = [query, key, value].map(Tensor::contiguous);
    let (q, k, v) = (q?, k?, v?);
    if q.elem_count() == 0 || v.elem_count() == 0 {
        return empty(&q, &k, &v);
    }
    let scores = (q * scale)?.matmul(&k.transpose(D::Minus2, D::Minus1)?)?;
    let weights = match mask {
        None => softmax(&scores, D::Minus1)?,
        Some(mask) => {
            let (mask, alive) = mask::without_dead_rows(mask)?;
            let weights = softmax(&scores.broadcast_add(&mask)?, D::Minus1)?;
            match alive {
                Some(alive) => weights.broadcast_mul(&alive)?,
                None => weights,
            }
        }
    };
    let weights = dropout.forward_t(&weights, train)?;
    let output = weights.matmul(&v)?;
    graph::note("attention", &[query, key, value], std::slice::from_ref(&output));
    Ok((output, weights))
}

/// What comes of no query or no batch: nothing.
fn empty(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
    let of_width = |n: usize| {
        let mut dims = q.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = n;
        }
        Tensor::zeros(dims, q.dtype(), q.device())
    };
    Ok((of_width(v.dim(D::Minus1)?)?, of_width(k.dim(D::Minus2)?)?))
}

/// Keys or values with each head as often as the queries need it, one after the other.
fn repeated(x: &Tensor, argument: &'static str, query: &Tensor) -> Result<Tensor> {
    let (&[.., queries, _, _], &[ref batch @ .., heads, n, d]) = (query.dims(), x.dims()) else {
        return Err(Error::shape(NAME, argument, "[*, heads, keys, d]", x.dims()).into());
    };
    if heads == 0 || !queries.is_multiple_of(heads) {
        let expected = format!("[*, heads, keys, d] with heads a divisor of the queries' {queries}");
        return Err(Error::shape(NAME, argument, expected, x.dims()).into());
    }
    let mut dims = batch.to_vec();
    dims.extend([heads, queries / heads, n, d]);
    let repeated = x.unsqueeze(batch.len() + 1)?.broadcast_as(dims)?;
    let mut dims = batch.to_vec();
    dims.extend([queries, n, d]);
    repeated.reshape(dims)
}

/// Whether a shape can be broadcast to another.
fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    from.len() <= to.len()
        && from
            .iter()
            .rev()
            .zip(to.iter().rev())
            .all(|(a, b)| a == b || *a == 1)
}

/// The beginning of a shape, up to where further axes follow.
fn listed(dims: &[usize]) -> String {
    let axes: Vec<String> = dims.iter().map(|n| format!("{n}, ")).collect();
    format!("[{}", axes.concat())
}

#[cfg(test)]
mod tests;
