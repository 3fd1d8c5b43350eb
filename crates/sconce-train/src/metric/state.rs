//! What an accumulator has seen, as named tensors.

use candle_core::{DType, Device, Result, Tensor};
use sconce_core::Error;

/// The tensors under `<metric>.<field>`, by which [`fields`] knows whose they are.
pub(super) fn named<const N: usize>(metric: &str, fields: [(&str, Tensor); N]) -> Vec<(String, Tensor)> {
    let name = |(field, tensor): (&str, Tensor)| (format!("{metric}.{field}"), tensor);
    fields.map(name).into()
}

/// A metric's fields in this order.
///
/// # Errors
/// The state hasn't just these.
pub(super) fn fields<'a, const N: usize>(
    metric: &str,
    fields: [&str; N],
    state: &'a [(String, Tensor)],
) -> Result<[&'a Tensor; N]> {
    let expected = fields.map(|field| format!("{metric}.{field}"));
    let find = |name: &String| state.iter().find(|(known, _)| known == name);
    let found: Vec<_> = expected
        .iter()
        .filter_map(find)
        .map(|(_, tensor)| tensor)
        .collect();
    match <[&Tensor; N]>::try_from(found) {
        Ok(found) if state.len() == N => Ok(found),
        _ => {
            let names: Vec<_> = state.iter().map(|(name, _)| name.as_str()).collect();
            let list = |names: &[&str]| format!("[{}]", names.join(", "));
            let wanted = list(&expected.each_ref().map(String::as_str));
            Err(Error::config(metric, "state", list(&names), wanted).into())
        }
    }
}

/// Counts as a tensor of this shape.
pub(super) fn from_counts(counts: Vec<u64>, dims: &[usize]) -> Result<Tensor> {
    let counts: Vec<i64> = counts
        .into_iter()
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
        .collect();
    Tensor::from_vec(counts, dims, &Device::Cpu)
}

/// Counts in their order.
///
/// # Errors
/// Another dtype than i64, or a value below 0.
pub(super) fn to_counts(metric: &str, tensor: &Tensor) -> Result<Vec<u64>> {
    let values = whole(metric, tensor)?;
    let count = |(index, value): (usize, i64)| {
        u64::try_from(value).map_err(|_| {
            let error = Error::Value {
                layer: metric.to_owned(),
                argument: "state",
                index,
                value: value.to_string(),
                expected: "a count".to_owned(),
            };
            error.into()
        })
    };
    values.into_iter().enumerate().map(count).collect()
}

/// Counts of a fixed number.
///
/// # Errors
/// As [`to_counts`]; another shape than `[N]`.
pub(super) fn to_counts_of<const N: usize>(metric: &str, tensor: &Tensor) -> Result<[u64; N]> {
    array(metric, tensor, to_counts(metric, tensor)?)
}

/// Whole numbers in their order.
///
/// # Errors
/// Another dtype than i64.
pub(super) fn whole(metric: &str, tensor: &Tensor) -> Result<Vec<i64>> {
    of_dtype(metric, tensor, DType::I64)?.flatten_all()?.to_vec1()
}

/// Real numbers in their order.
///
/// # Errors
/// Another dtype than f64.
pub(super) fn real(metric: &str, tensor: &Tensor) -> Result<Vec<f64>> {
    of_dtype(metric, tensor, DType::F64)?.flatten_all()?.to_vec1()
}

/// Real numbers of a fixed number.
///
/// # Errors
/// As [`real`]; another shape than `[N]`.
pub(super) fn real_of<const N: usize>(metric: &str, tensor: &Tensor) -> Result<[f64; N]> {
    array(metric, tensor, real(metric, tensor)?)
}

/// A tensor's values as those of a vector.
fn array<T, const N: usize>(metric: &str, tensor: &Tensor, values: Vec<T>) -> Result<[T; N]> {
    match <[T; N]>::try_from(values) {
        Ok(values) if tensor.rank() == 1 => Ok(values),
        _ => Err(Error::shape(metric, "state", format!("[{N}]"), tensor.dims()).into()),
    }
}

fn of_dtype<'a>(metric: &str, tensor: &'a Tensor, dtype: DType) -> Result<&'a Tensor> {
    if tensor.dtype() == dtype {
        return Ok(tensor);
    }
    let error = Error::DType {
        layer: metric.to_owned(),
        argument: "state",
        expected: format!("{dtype:?}"),
        got: tensor.dtype(),
    };
    Err(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_state_is_named() {
        let count = |value: i64| Tensor::new(&[value], &Device::Cpu).unwrap();
        let state = named("f1", [("counts", count(1)), ("seen", count(2))]);
        let table = [
            (fields("f1", ["counts", "seen"], &state).err(), ""),
            (
                fields("recall", ["counts", "seen"], &state).err(),
                "recall: state is [f1.counts, f1.seen], expected [recall.counts, recall.seen]",
            ),
            (
                fields("f1", ["counts"], &state).err(),
                "f1: state is [f1.counts, f1.seen], expected [f1.counts]",
            ),
            (
                fields("f1", ["counts"], &[]).err(),
                "f1: state is [], expected [f1.counts]",
            ),
            (
                to_counts("f1", &count(-1)).err(),
                "f1: state[0] is -1, expected a count",
            ),
            (
                to_counts_of::<2>("f1", &count(1)).err(),
                "f1: state has shape [1], expected [2]",
            ),
            (
                to_counts_of::<1>("f1", &count(1).reshape((1, 1)).unwrap()).err(),
                "f1: state has shape [1, 1], expected [1]",
            ),
            (
                real("f1", &count(1)).err(),
                "f1: state has dtype I64, expected F64",
            ),
        ];
        for (error, expected) in table {
            let text = error.map(|e| Error::from(e).to_string()).unwrap_or_default();
            assert_eq!(text, expected);
        }
    }
}
