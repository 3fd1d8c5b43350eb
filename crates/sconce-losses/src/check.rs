//! What losses ask of their arguments.

use crate::kernels;
use candle_core::{DType, Device, Tensor};
use sconce_core::cpu::{self, Real, has_kernel};
use sconce_core::{Error, Result, cast, dispatch_real, widened};

/// Predictions and targets of one shape and one floating-point type.
pub(crate) fn pair(name: &'static str, input: &Tensor, target: &Tensor) -> Result<()> {
    float(name, "input", input)?;
    if input.dims() != target.dims() {
        let expected = format!("{:?}, the input's", input.dims());
        return Err(Error::shape(name, "target", expected, target.dims()));
    }
    same_dtype(name, "target", target, input.dtype())
}

pub(crate) fn float(name: &'static str, argument: &'static str, tensor: &Tensor) -> Result<()> {
    match tensor.dtype().is_float() {
        true => Ok(()),
        false => Err(wrong_dtype(
            name,
            argument,
            tensor,
            "a floating-point type".into(),
        )),
    }
}

pub(crate) fn same_dtype(
    name: &'static str,
    argument: &'static str,
    tensor: &Tensor,
    dtype: DType,
) -> Result<()> {
    match tensor.dtype() == dtype {
        true => Ok(()),
        false => Err(wrong_dtype(
            name,
            argument,
            tensor,
            format!("{dtype:?}, the input's"),
        )),
    }
}

fn wrong_dtype(name: &'static str, argument: &'static str, tensor: &Tensor, expected: String) -> Error {
    Error::DType {
        layer: name.into(),
        argument,
        expected,
        got: tensor.dtype(),
    }
}

/// A weight as large as the input, if it broadcasts to that.
pub(crate) fn broadcast(
    name: &'static str,
    argument: &'static str,
    weight: &Tensor,
    input: &Tensor,
) -> Result<Tensor> {
    same_dtype(name, argument, weight, input.dtype())?;
    repeated(weight, input.dims()).map_err(|_| {
        let expected = format!("one that broadcasts to {:?}, the input's", input.dims());
        Error::shape(name, argument, expected, weight.dims())
    })
}

/// A tensor that is broadcast to this shape. Its gradient is a sum, for which half precision has no room.
pub(crate) fn repeated(tensor: &Tensor, shape: &[usize]) -> candle_core::Result<Tensor> {
    match widened(tensor, |wide| wide(tensor)?.broadcast_as(shape))? {
        Some(repeated) => Ok(repeated),
        None => tensor.broadcast_as(shape),
    }
}

/// Weights that are finite numbers, at least 0: their sum.
pub(crate) fn weights(name: &'static str, weight: &Tensor) -> Result<f64> {
    fn sum<T: Real>(values: &Tensor) -> Result<std::result::Result<f64, (usize, f64)>> {
        Ok(kernels::sum_of_weights(&cpu::slice::<T>(values)?))
    }
    let mut values = weight.detach().contiguous()?;
    if !has_kernel(&values) {
        values = cast(&values, DType::F64)?.to_device(&Device::Cpu)?;
    }
    match dispatch_real!(values, sum(&values))? {
        Ok(sum) => Ok(sum),
        Err((index, value)) => Err(Error::Value {
            layer: name.into(),
            argument: "weight",
            index,
            value: value.to_string(),
            expected: "a finite number, at least 0".into(),
        }),
    }
}

/// Values between 0 and 1.
pub(crate) fn probabilities(name: &'static str, argument: &'static str, tensor: &Tensor) -> Result<()> {
    let values = cast(&tensor.flatten_all()?, DType::F64)?.to_vec1::<f64>()?;
    match values
        .iter()
        .enumerate()
        .find(|(_, value)| !(0. ..=1.).contains(*value))
    {
        Some((index, value)) => Err(Error::Value {
            layer: name.into(),
            argument,
            index,
            value: value.to_string(),
            expected: "a probability, between 0 and 1".into(),
        }),
        None => Ok(()),
    }
}

/// Labels that are 1 or −1, as constants of the input's type.
pub(crate) fn signs(
    name: &'static str,
    target: &Tensor,
    (axes, dims): (&str, &[usize]),
    input: &Tensor,
) -> Result<Tensor> {
    if target.dims() != dims {
        return Err(Error::shape(
            name,
            "target",
            format!("{axes} = {dims:?}"),
            target.dims(),
        ));
    }
    constant(name, "target", target)?;
    let values = cast(&target.flatten_all()?, DType::F64)?.to_vec1::<f64>()?;
    match values.iter().enumerate().find(|(_, value)| value.abs() != 1.) {
        Some((index, value)) => Err(Error::Value {
            layer: name.into(),
            argument: "target",
            index,
            value: value.to_string(),
            expected: "1 or -1".into(),
        }),
        None => Ok(cast(target, input.dtype())?),
    }
}

/// A tensor that gets no gradient, and so must not wait for one.
pub(crate) fn constant(name: &'static str, argument: &'static str, tensor: &Tensor) -> Result<()> {
    match tensor.track_op() {
        false => Ok(()),
        true => {
            let expected = "a constant: the loss has no gradient for it, so detach it";
            Err(Error::config(name, argument, "tracked", expected))
        }
    }
}

/// Another argument of the input's shape and type.
pub(crate) fn like(
    name: &'static str,
    argument: &'static str,
    tensor: &Tensor,
    input: &Tensor,
) -> Result<()> {
    if tensor.dims() != input.dims() {
        let expected = format!("{:?}, the first argument's", input.dims());
        return Err(Error::shape(name, argument, expected, tensor.dims()));
    }
    match tensor.dtype() == input.dtype() {
        true => Ok(()),
        false => {
            let expected = format!("{:?}, the first argument's", input.dtype());
            Err(wrong_dtype(name, argument, tensor, expected))
        }
    }
}

/// An option that is a finite number.
pub(crate) fn finite(name: &'static str, field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(Error::config(name, field, value, "a finite number")),
    }
}

/// An option that is a finite number above 0.
pub(crate) fn positive(name: &'static str, field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0. {
        true => Ok(()),
        false => Err(Error::config(name, field, value, "a finite number above 0")),
    }
}

/// An option that is a finite number, at least 0.
pub(crate) fn not_negative(name: &'static str, field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0. {
        true => Ok(()),
        false => Err(Error::config(name, field, value, "a finite number, at least 0")),
    }
}
