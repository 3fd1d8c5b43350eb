//! How much of regions lies in both, by class.

use crate::check;
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// Sums over the positions, and over the batch if `batch`: `[batch, classes]` or `[classes]`.
pub(super) struct Overlap {
    /// Of products.
    pub(super) both: Tensor,
    /// Of the prediction, or its squares.
    pub(super) predicted: Tensor,
    /// Of the target, or its squares.
    pub(super) actual: Tensor,
}

pub(super) fn checked(name: &'static str, input: &Tensor, target: &Tensor) -> sconce_core::Result<()> {
    check::pair(name, input, target)?;
    if input.rank() < 2 {
        let expected = "[batch, classes, *positions]";
        return Err(Error::shape(name, "input", expected, input.dims()));
    }
    check::probabilities(name, "input", input)?;
    check::probabilities(name, "target", target)
}

impl Overlap {
    pub(super) fn of(input: &Tensor, target: &Tensor, squared: bool, batch: bool) -> Result<Self> {
        let sum = |x: &Tensor| {
            let x = match x.rank() {
                2 => x.clone(),
                _ => x.flatten_from(2)?.sum(2)?,
            };
            if batch { x.sum(0) } else { Ok(x) }
        };
        let size = |x: &Tensor| match squared {
            true => sum(&x.sqr()?),
            false => sum(x),
        };
        Ok(Self {
            both: sum(&(input * target)?)?,
            predicted: size(input)?,
            actual: size(target)?,
        })
    }
}
