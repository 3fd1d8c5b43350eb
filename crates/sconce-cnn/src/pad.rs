//! Padding of any axes.

use crate::along::Along;
use crate::padding::{PaddingMode, full};
use crate::window::fits;
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// What [`pad`] puts around a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pad {
    /// A number.
    Constant(f64),
    /// The tensor mirrored at its outermost elements, which aren't repeated.
    Reflect,
    /// The outermost elements.
    Replicate,
    /// The tensor from its other end.
    Circular,
}

/// Extends the last axes of a tensor, or cuts them where an amount is negative.
///
/// `padding` has `[before, after]` for each of the last `padding.len()` axes, in their order. (PyTorch's list starts from the
/// last axis.)
///
/// # Shapes
/// x `[*, …, length, …]`, output the same with `length + before + after`
/// # Errors
/// More pairs than axes; a cut of more than there is; mirroring by an axis's length or more, wrapping around by more than
/// it, repeating what is empty.
/// # Source
/// `torch.nn.functional.pad`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_cnn::{Pad, pad};
/// let x = Tensor::new(&[[1f32, 2., 3.]], &Device::Cpu)?;
/// assert_eq!(pad(&x, &[[2, 1]], Pad::Reflect)?.to_vec2::<f32>()?, [[3., 2., 1., 2., 3., 2.]]);
/// assert_eq!(pad(&x, &[[1, 0], [0, -1]], Pad::Constant(9.))?.to_vec2::<f32>()?, [[9., 9.], [1., 2.]]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn pad(x: &Tensor, padding: &[[isize; 2]], mode: Pad) -> Result<Tensor> {
    let Some(first) = x.rank().checked_sub(padding.len()) else {
        let expected = format!("at least {} axes, one for each pair of padding", padding.len());
        return Err(Error::shape("pad", "input", expected, x.dims()).into());
    };
    let mut sizes = x.dims().to_vec();
    for (dim, (size, &amounts)) in sizes.iter_mut().skip(first).zip(padding).enumerate() {
        if let Some(expected) = mode.problem(*size, amounts) {
            let expected = format!("axis {} of {expected}", first + dim);
            return Err(Error::shape("pad", "input", expected, x.dims()).into());
        }
        *size = amounts.into_iter().fold(*size, usize::saturating_add_signed);
    }
    fits("pad", x.dims(), sizes)?;
    let mut padded = x.clone();
    for (dim, &amounts) in (first..).zip(padding) {
        padded = mode.extend(&padded, dim, amounts)?;
    }
    Ok(padded)
}

impl Pad {
    /// What is wrong with an axis, if anything.
    fn problem(self, length: usize, [before, after]: [isize; 2]) -> Option<String> {
        let cut = |side: isize| side.min(0).unsigned_abs();
        let cut = cut(before).saturating_add(cut(after));
        let largest = before.max(after).max(0).unsigned_abs();
        let (least, why) = match self {
            _ if cut > length => (cut, format!("padding of [{before}, {after}]")),
            Self::Reflect if largest > 0 => {
                (largest.saturating_add(1), format!("reflect padding of {largest}"))
            }
            Self::Circular => (largest, format!("circular padding of {largest}")),
            Self::Replicate if largest > 0 => (1, format!("replicate padding of {largest}")),
            _ => return None,
        };
        (length < least).then(|| format!("at least {least} for {why}"))
    }

    fn extend(self, x: &Tensor, dim: usize, [before, after]: [isize; 2]) -> Result<Tensor> {
        let length = x.dim(dim)?;
        let mode = match self {
            Self::Constant(value) => return extend_by(value, x, dim, [before, after]),
            Self::Reflect => PaddingMode::Reflect,
            Self::Replicate => PaddingMode::Replicate,
            Self::Circular => PaddingMode::Circular,
        };
        let sources =
            (-(before as i64)..length as i64 + after as i64).map(|at| mode.source(at, length as i64));
        Along::select("pad", length, sources).apply(x, dim)
    }
}

fn extend_by(value: f64, x: &Tensor, dim: usize, [before, after]: [isize; 2]) -> Result<Tensor> {
    let length = x.dim(dim)?;
    let start = before.min(0).unsigned_abs();
    let kept = length - start - after.min(0).unsigned_abs();
    // candle takes a view of nothing for out of range where it doesn't begin at the start.
    let empty = x.elem_count() == 0 || kept == 0;
    let inner = x.narrow(dim, if empty { 0 } else { start }, kept)?;
    let side = |amount: isize| {
        let mut dims = x.dims().to_vec();
        if let Some(length) = dims.get_mut(dim) {
            *length = amount.max(0).unsigned_abs();
        }
        full(value, dims, x)
    };
    match (before > 0, after > 0) {
        (false, false) => inner.contiguous(),
        (true, false) => Tensor::cat(&[side(before)?, inner], dim),
        (false, true) => Tensor::cat(&[inner, side(after)?], dim),
        (true, true) => Tensor::cat(&[side(before)?, inner, side(after)?], dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Check;
    use candle_core::{DType, Device};
    use proptest::prelude::*;
    use sconce_testkit::{Random, assert_gradients};

    const MODES: [Pad; 5] = [
        Pad::Constant(0.),
        Pad::Constant(-1.5),
        Pad::Reflect,
        Pad::Replicate,
        Pad::Circular,
    ];

    #[test]
    fn gradients() -> Check {
        let x = Random::new(2).normal((2, 4, 3), DType::F64)?;
        for mode in MODES {
            for padding in [
                vec![[1, 2]],
                vec![[3, 0], [0, 2]],
                vec![[-1, 2], [1, -1]],
                vec![[0, -1], [2, 1], [0, 0]],
            ] {
                assert_gradients(&[("x", &x)], |x| pad(&x[0], &padding, mode));
            }
        }
        Ok(())
    }

    #[test]
    fn impossible_amounts_are_named() -> Check {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let table: [(&[[isize; 2]], Pad, &str); 5] = [
            (
                &[[0, 0]; 3],
                Pad::Reflect,
                "at least 3 axes, one for each pair of padding",
            ),
            (
                &[[3, 0]],
                Pad::Reflect,
                "axis 1 of at least 4 for reflect padding of 3",
            ),
            (
                &[[0, 4]],
                Pad::Circular,
                "axis 1 of at least 4 for circular padding of 4",
            ),
            (
                &[[-1, -2], [0, 0]],
                Pad::Constant(0.),
                "axis 0 of at least 3 for padding of [-1, -2]",
            ),
            (
                &[[5, -4]],
                Pad::Replicate,
                "axis 1 of at least 4 for padding of [5, -4]",
            ),
        ];
        for (padding, mode, message) in table {
            let error = Error::from(pad(&x, padding, mode).err().ok_or("accepted")?);
            assert_eq!(
                error.to_string(),
                format!("pad: input has shape [2, 3], expected {message}")
            );
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_amounts_give_a_value_or_an_error(
            dims in proptest::collection::vec(0usize..4, 0..4),
            padding in proptest::collection::vec([-4isize..5, -4isize..5], 0..4),
            mode in 0usize..5,
        ) {
            let x = Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
            if let Ok(y) = pad(&x, &padding, MODES[mode]) {
                let grown: isize = x.dims().iter().zip(y.dims()).map(|(a, b)| *b as isize - *a as isize).sum();
                prop_assert_eq!(grown, padding.iter().flatten().sum::<isize>());
            }
        }
    }
}
