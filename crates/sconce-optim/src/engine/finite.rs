//! Whether a gradient can be stepped by.

use candle_core::{DType, Tensor};
use sconce_core::{Error, Result, cast};

/// An error that names the first element that is NaN or infinite, and its index.
pub(crate) fn check(layer: &str, gradient: &Tensor) -> Result<()> {
    match first(gradient)? {
        None => Ok(()),
        Some((index, value)) => {
            let value = format!("{value} at {index:?}");
            Err(Error::config(layer, "gradient", value, "finite numbers"))
        }
    }
}

/// Index and value of the first element that is NaN or infinite.
pub(crate) fn first(gradient: &Tensor) -> Result<Option<(Vec<usize>, f64)>> {
    if gradient.elem_count() == 0 {
        return Ok(None);
    }
    // 0·x is 0 of what is finite, and NaN of all else; a sum of zeros stays one.
    let probe = cast(&(gradient.detach() * 0.)?.sum_all()?, DType::F64)?;
    if probe.to_scalar::<f64>()? == 0. {
        return Ok(None);
    }
    let values = cast(&gradient.flatten_all()?, DType::F64)?.to_vec1::<f64>()?;
    let Some((i, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) else {
        return Ok(None);
    };
    let mut rest = i;
    let mut index: Vec<usize> = (gradient.dims().iter().rev())
        .map(|&dim| {
            let at = rest % dim;
            rest /= dim;
            at
        })
        .collect();
    index.reverse();
    Ok(Some((index, value)))
}
