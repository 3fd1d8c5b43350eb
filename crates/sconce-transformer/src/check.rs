//! Checks of options and inputs that several layers share.

use candle_core::{DType, Tensor};
use sconce_core::{Error, Result};
use sconce_nn::Dropout;

/// A dropout whose error names the layer that asked for it.
pub(crate) fn dropout(path: &str, field: &'static str, p: f64) -> Result<Dropout> {
    Dropout::new(p).map_err(|_| Error::config(path, field, p, "a probability from 0 to 1"))
}

/// Sizes that can't be 0.
pub(crate) fn positive(path: &str, sizes: &[(&'static str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((field, _)) => Err(Error::config(path, field, 0, "at least 1")),
        None => Ok(()),
    }
}

/// That the width of a model can be shared out evenly among its heads.
pub(crate) fn heads(path: &str, width: (&'static str, usize), heads: (&'static str, usize)) -> Result<()> {
    positive(path, &[width, heads])?;
    if width.1.is_multiple_of(heads.1) {
        return Ok(());
    }
    let expected = format!("a multiple of {} = {}", heads.0, heads.1);
    Err(Error::config(path, width.0, width.1, expected))
}

/// That a tensor has the type of another.
pub(crate) fn same_dtype(path: &str, argument: &'static str, x: &Tensor, dtype: DType) -> Result<()> {
    if x.dtype() == dtype {
        return Ok(());
    }
    Err(Error::DType {
        layer: path.to_owned(),
        argument,
        expected: format!("{dtype:?}, that of the parameters"),
        got: x.dtype(),
    })
}

/// That ids are integers of shape `[batch, length]`, neither of them 0.
pub(crate) fn ids(path: &str, argument: &'static str, ids: &Tensor) -> Result<(usize, usize)> {
    if !ids.dtype().is_int() {
        return Err(Error::DType {
            layer: path.to_owned(),
            argument,
            expected: "an integer".into(),
            got: ids.dtype(),
        });
    }
    match *ids.dims() {
        [batch, length] if batch > 0 && length > 0 => Ok((batch, length)),
        ref dims => Err(Error::shape(path, argument, "[batch ≥ 1, length ≥ 1]", dims)),
    }
}
