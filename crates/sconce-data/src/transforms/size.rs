//! What a tensor of images is.

use crate::{Error, Result};
use candle_core::{DType, Tensor};

/// Height and width, the last two axes.
pub(super) fn height_and_width(images: &Tensor) -> Result<[usize; 2]> {
    match images.dims() {
        &[.., height, width] => Ok([height, width]),
        dims => {
            let value = format!("of shape {dims:?}");
            Err(Error::config("images", value, "[*, height, width]"))
        }
    }
}

/// A value to fill pixels with must be one that they can have.
pub(super) fn check_fill(fill: f64, dtype: DType) -> Result<()> {
    let (fits, expected) = match dtype {
        DType::U8 => (
            fill.fract() == 0. && (0. ..=255.).contains(&fill),
            "a whole number from 0 to 255 for pixels of U8",
        ),
        dtype if dtype.is_float() => (fill.is_finite(), "a finite number"),
        _ => (
            fill.fract() == 0. && (0. ..=32_767.).contains(&fill),
            "a whole number from 0 to 32767",
        ),
    };
    match fits {
        true => Ok(()),
        false => Err(Error::config("fill", fill, expected)),
    }
}

/// Far more than an image has; sums of a few such numbers are no trouble.
const MOST_SIDE: usize = 1 << 20;

/// Room for the values of images of this shape, `[*, height, width]`.
pub(super) fn room<T>(dims: &[usize]) -> Result<Vec<T>> {
    let mut values = Vec::new();
    let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
    if count.is_some_and(|count| values.try_reserve_exact(count).is_ok()) {
        return Ok(values);
    }
    let [height, width] = match dims {
        &[.., height, width] => [height, width],
        _ => [1, 1],
    };
    let value = format!("{height}×{width}");
    Err(Error::config(
        "height and width",
        value,
        "few enough pixels for the memory",
    ))
}

/// A number of rows or columns.
pub(super) fn check_side(name: &'static str, side: usize) -> Result<()> {
    match side <= MOST_SIDE {
        true => Ok(()),
        false => Err(Error::config(name, side, format!("at most {MOST_SIDE}"))),
    }
}
