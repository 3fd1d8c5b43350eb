//! The values of a batch.

use candle_core::{DType, Result, Tensor};
use sconce_core::{Error, cast};

/// How many classes an output `[batch, classes, *positions]` has.
///
/// # Errors
/// Fewer than two axes, no class, or a target that isn't `[batch, *positions]`.
pub(super) fn classes(metric: &str, output: &Tensor, target: &Tensor) -> Result<usize> {
    let (batch, classes, positions) = match output.dims() {
        [batch, classes, positions @ ..] if *classes > 0 => (*batch, *classes, positions),
        dims => return Err(Error::shape(metric, "output", "[batch, classes ≥ 1, *positions]", dims).into()),
    };
    let expected = [&[batch], positions].concat();
    if target.dims() != expected {
        let expected = format!("{expected:?}, one class for each output");
        return Err(Error::shape(metric, "target", expected, target.dims()).into());
    }
    Ok(classes)
}

/// # Errors
/// Two shapes.
pub(super) fn same_shape(metric: &str, output: &Tensor, target: &Tensor) -> Result<()> {
    if output.dims() == target.dims() {
        return Ok(());
    }
    let expected = format!("{:?}, that of the output", output.dims());
    Err(Error::shape(metric, "target", expected, target.dims()).into())
}

/// All values in their order.
///
/// # Errors
/// A dtype that isn't of whole numbers: a class of 1.9 would be taken for 1.
pub(crate) fn whole_numbers(who: &str, argument: &'static str, tensor: &Tensor) -> Result<Vec<i64>> {
    if !tensor.dtype().is_int() {
        let error = Error::DType {
            layer: who.to_owned(),
            argument,
            expected: "one of whole numbers".to_owned(),
            got: tensor.dtype(),
        };
        return Err(error.into());
    }
    tensor.to_dtype(DType::I64)?.flatten_all()?.to_vec1()
}

/// Class numbers in their order, `None` where one is to be ignored.
///
/// # Errors
/// A dtype that isn't of whole numbers; a number that is none of the classes.
pub(super) fn class_numbers(
    metric: &str,
    target: &Tensor,
    classes: usize,
    ignore_index: i64,
) -> Result<Vec<Option<usize>>> {
    let numbers = whole_numbers(metric, "target", target)?;
    let number = |(index, number): (usize, i64)| match usize::try_from(number) {
        _ if number == ignore_index => Ok(None),
        Ok(class) if class < classes => Ok(Some(class)),
        _ => {
            let error = Error::Value {
                layer: metric.to_owned(),
                argument: "target",
                index,
                value: number.to_string(),
                expected: format!("a class below {classes}, or {ignore_index} to be ignored"),
            };
            Err(error.into())
        }
    };
    numbers.into_iter().enumerate().map(number).collect()
}

/// The class of the largest value at each position of an output `[batch, classes, *positions]`, in the order of the target's
/// values, which are given; of equal ones the first.
///
/// # Errors
/// A value is NaN, beside which none is the largest, where the target counts.
pub(super) fn largest(metric: &str, output: &Tensor, targets: &[Option<usize>]) -> Result<Vec<usize>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    if has_nan(output)? {
        each_position(output, |i, values| match targets.get(i) {
            Some(Some(_)) => no_nan(metric, i, values),
            _ => Ok(()),
        })?;
    }
    let classes = output.argmax(1)?.flatten_all()?.to_vec1::<u32>()?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}

/// Whether each value lies above this, in their order, which is that of the given targets.
///
/// # Errors
/// A value is NaN, which is neither above nor below, where the target counts.
pub(super) fn above(
    metric: &str,
    output: &Tensor,
    threshold: f64,
    targets: &[Option<bool>],
) -> Result<Vec<bool>> {
    if has_nan(output)? {
        let counted = values(output)?.into_iter().zip(targets).enumerate();
        for (i, (value, _)) in counted.filter(|(_, (_, target))| target.is_some()) {
            no_nan(metric, i, &[value])?;
        }
    }
    let above = output.gt(threshold)?.flatten_all()?.to_vec1::<u8>()?;
    Ok(above.into_iter().map(|above| above != 0).collect())
}

/// Asked where the values are, which may be many.
fn has_nan(output: &Tensor) -> Result<bool> {
    let nans = output.ne(output)?.flatten_all()?;
    Ok(nans.elem_count() > 0 && nans.max(0)?.to_scalar::<u8>()? > 0)
}

/// Yes or no in their order, `None` where one is to be ignored.
///
/// # Errors
/// A value that is neither 0 nor 1.
pub(super) fn labels(metric: &str, target: &Tensor, ignore_index: i64) -> Result<Vec<Option<bool>>> {
    let label = |(index, value): (usize, f64)| match value {
        _ if value == ignore_index as f64 => Ok(None),
        0. => Ok(Some(false)),
        1. => Ok(Some(true)),
        _ => {
            let error = Error::Value {
                layer: metric.to_owned(),
                argument: "target",
                index,
                value: value.to_string(),
                expected: format!("0 or 1, or {ignore_index} to be ignored"),
            };
            Err(error.into())
        }
    };
    values(target)?.into_iter().enumerate().map(label).collect()
}

/// All values in their order.
pub(super) fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    cast(tensor, DType::F64)?.flatten_all()?.to_vec1()
}

/// How many labels an output has, and how many of its values in a row belong to one: `[batch, labels, *positions]`, or `[batch]`
/// for a single one.
pub(super) fn label_axis(output: &Tensor) -> (usize, usize) {
    match output.dims() {
        [_, labels, positions @ ..] => (*labels, positions.iter().product()),
        _ => (1, 1),
    }
}

/// Shows the classes' values at every position of an output `[batch, classes, *positions]`, in the order of the target's values.
///
/// # Errors
/// Those of `take`.
pub(super) fn each_position(
    output: &Tensor,
    mut take: impl FnMut(usize, &[f64]) -> Result<()>,
) -> Result<()> {
    let classes = output.dim(1)?;
    let output = match output.rank() {
        2 => output.clone(),
        _ => output.flatten_from(2)?.transpose(1, 2)?,
    };
    if output.dtype() == DType::F64 {
        let values = output.flatten_all()?.to_vec1::<f64>()?;
        let mut rows = values.chunks_exact(classes.max(1)).enumerate();
        return rows.try_for_each(|(i, row)| take(i, row));
    }
    // A large vocabulary's outputs take half the room in f32.
    let values = output.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let mut wide = vec![0.; classes];
    for (i, row) in values.chunks_exact(classes.max(1)).enumerate() {
        for (wide, &value) in wide.iter_mut().zip(row) {
            *wide = f64::from(value);
        }
        take(i, &wide)?;
    }
    Ok(())
}

/// # Errors
/// A value is NaN, which has no place in an order.
pub(super) fn no_nan(metric: &str, index: usize, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| value.is_nan()) {
        None => Ok(()),
        Some(place) => {
            let error = Error::Value {
                layer: metric.to_owned(),
                argument: "output",
                index: index * values.len() + place,
                value: "NaN".to_owned(),
                expected: "a number".to_owned(),
            };
            Err(error.into())
        }
    }
}
