//! Padding of images: how much, and with what.

use crate::window::Axis;
use candle_core::{DType, Result, Tensor};

/// How far a convolution's input is extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// `[height, width]`, on both sides of each axis.
    Explicit([usize; 2]),
    /// As much as keeps height and width, for stride 1. Where it is odd, one more on the right and below.
    Same,
    /// None.
    Valid,
}

/// What stands in the padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The input mirrored at its outermost elements, which aren't repeated.
    Reflect,
    /// The outermost elements.
    Replicate,
    /// The input from its other end.
    Circular,
}

impl Padding {
    /// Padding before and after an axis.
    pub(crate) fn along(self, axis: usize, kernel: usize, dilation: usize) -> [usize; 2] {
        match self {
            Self::Explicit(both) => [both.get(axis).copied().unwrap_or(0); 2],
            Self::Same => {
                let total = dilation * kernel.saturating_sub(1);
                [total / 2, total - total / 2]
            }
            Self::Valid => [0, 0],
        }
    }
}

impl PaddingMode {
    /// What is wrong with an axis in this mode, if anything.
    pub(crate) fn problem(self, axis: &Axis) -> Option<String> {
        let largest = axis.padding[0].max(axis.padding[1]);
        let least = match self {
            Self::Reflect => largest + 1,
            Self::Circular => largest,
            Self::Zeros | Self::Replicate => return None,
        };
        let name = if self == Self::Reflect {
            "reflect"
        } else {
            "circular"
        };
        (axis.input < least).then(|| format!("at least {least} for {name} padding of {largest}"))
    }

    /// For every position of the padded axis the input's position that stands there; `None` for a zero.
    pub(crate) fn sources(self, axis: &Axis) -> Vec<Option<u32>> {
        let (before, length) = (axis.padding[0] as i64, axis.input as i64);
        let source = |i: usize| {
            let at = i as i64 - before;
            match self {
                _ if (0..length).contains(&at) => Some(at as u32),
                Self::Zeros => None,
                Self::Reflect if at < 0 => Some(-at as u32),
                Self::Reflect => Some((2 * (length - 1) - at) as u32),
                Self::Replicate => Some(at.clamp(0, length - 1) as u32),
                Self::Circular => Some(at.rem_euclid(length) as u32),
            }
        };
        (0..axis.padded()).map(source).collect()
    }

    /// The padded image, from candle operations.
    pub(crate) fn apply(self, x: &Tensor, axes: &[Axis; 2]) -> Result<Tensor> {
        let mut padded = x.clone();
        for (axis, dim) in axes.iter().zip([2, 3]) {
            if axis.padding == [0, 0] {
                continue;
            }
            padded = match self {
                Self::Zeros => padded.pad_with_zeros(dim, axis.padding[0], axis.padding[1])?,
                _ => {
                    let sources: Vec<u32> = self.sources(axis).into_iter().flatten().collect();
                    padded
                        .contiguous()?
                        .index_select(&Tensor::new(sources, x.device())?, dim)?
                }
            };
        }
        Ok(padded)
    }
}

/// The image extended by a constant as far as its windows reach.
pub(crate) fn extend(x: &Tensor, axes: &[Axis; 2], value: f64) -> Result<Tensor> {
    let mut extended = x.clone();
    for (axis, dim) in axes.iter().zip([2, 3]) {
        let after = axis.reach() - axis.padding[0] - axis.input;
        for (length, first) in [(axis.padding[0], true), (after, false)] {
            if length == 0 {
                continue;
            }
            let mut dims = extended.dims().to_vec();
            if let Some(dim) = dims.get_mut(dim) {
                *dim = length;
            }
            let fill = Tensor::full(value as f32, dims, x.device())?.to_dtype(x.dtype())?;
            extended = match first {
                true => Tensor::cat(&[&fill, &extended], dim)?,
                false => Tensor::cat(&[&extended, &fill], dim)?,
            };
        }
    }
    Ok(extended)
}

/// Ones where the image is, zeros where it was extended.
pub(crate) fn inside(x: &Tensor, axes: &[Axis; 2]) -> Result<Tensor> {
    let ones = Tensor::ones((1, 1, axes[0].input, axes[1].input), DType::F32, x.device())?;
    extend(&ones, axes, 0.)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_pytorchs() {
        let axis = Axis {
            input: 3,
            output: 1,
            kernel: 1,
            stride: 1,
            dilation: 1,
            padding: [2, 1],
        };
        let table = [
            (
                PaddingMode::Zeros,
                vec![None, None, Some(0), Some(1), Some(2), None],
            ),
            (PaddingMode::Reflect, [2, 1, 0, 1, 2, 1].map(Some).to_vec()),
            (PaddingMode::Replicate, [0, 0, 0, 1, 2, 2].map(Some).to_vec()),
            (PaddingMode::Circular, [1, 2, 0, 1, 2, 0].map(Some).to_vec()),
        ];
        for (mode, expected) in table {
            assert_eq!(mode.sources(&axis), expected, "{mode:?}");
        }
    }

    #[test]
    fn same_puts_the_odd_one_behind() {
        assert_eq!(Padding::Same.along(0, 4, 1), [1, 2]);
        assert_eq!(Padding::Same.along(1, 3, 2), [2, 2]);
        assert_eq!(Padding::Explicit([1, 2]).along(1, 3, 1), [2, 2]);
        assert_eq!(Padding::Valid.along(1, 3, 1), [0, 0]);
    }
}
