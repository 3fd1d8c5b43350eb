//! Padding of a layer's input: how much, and with what.

use crate::window::Axis;
use candle_core::{DType, Device, Result, Tensor};

/// How far a convolution's input of `N` axes of positions is extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// On both sides of each axis.
    Explicit([usize; N]),
    /// As much as keeps every length, for stride 1. Where it is odd, one more behind.
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

impl<const N: usize> Padding<N> {
    /// Padding before and after an axis.
    pub(crate) fn along(self, axis: usize, kernel: usize, dilation: usize) -> [usize; 2] {
        match self {
            Self::Explicit(both) => [both.get(axis).copied().unwrap_or(0); 2],
            Self::Same => {
                let total = dilation.saturating_mul(kernel.saturating_sub(1));
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
        let before = axis.padding[0] as i64;
        (0..axis.padded() as i64)
            .map(|i| self.source(i - before, axis.input as i64))
            .collect()
    }

    /// The element of an axis of `length` that stands `at` its position, which may lie before or behind the axis.
    pub(crate) fn source(self, at: i64, length: i64) -> Option<u32> {
        match self {
            _ if (0..length).contains(&at) => Some(at as u32),
            Self::Zeros => None,
            Self::Reflect if at < 0 => Some(-at as u32),
            Self::Reflect => Some((2 * (length - 1) - at) as u32),
            Self::Replicate => Some(at.clamp(0, length - 1) as u32),
            Self::Circular => Some(at.rem_euclid(length) as u32),
        }
    }

    /// The padded input, from candle operations.
    pub(crate) fn apply(self, x: &Tensor, axes: &[Axis]) -> Result<Tensor> {
        let mut padded = x.clone();
        for (dim, axis) in (2..).zip(axes) {
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

/// The input extended by a constant as far as its windows reach.
pub(crate) fn extend(x: &Tensor, axes: &[Axis], value: f64) -> Result<Tensor> {
    let mut extended = x.clone();
    for (dim, axis) in (2..).zip(axes) {
        let after = axis.reach() - axis.padding[0] - axis.input;
        for (length, first) in [(axis.padding[0], true), (after, false)] {
            if length == 0 {
                continue;
            }
            let mut dims = extended.dims().to_vec();
            if let Some(dim) = dims.get_mut(dim) {
                *dim = length;
            }
            let fill = full(value, dims, x)?;
            extended = match first {
                true => Tensor::cat(&[&fill, &extended], dim)?,
                false => Tensor::cat(&[&extended, &fill], dim)?,
            };
        }
    }
    Ok(extended)
}

/// A constant of the type and on the device of `like`.
pub(crate) fn full(value: f64, dims: Vec<usize>, like: &Tensor) -> Result<Tensor> {
    // By way of the CPU, since not every device has f64.
    Tensor::new(value, &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())?
        .broadcast_as(dims)?
        .contiguous()
}

/// Ones where the input is, zeros where it was extended.
pub(crate) fn inside(x: &Tensor, axes: &[Axis]) -> Result<Tensor> {
    let dims: Vec<usize> = [1, 1]
        .into_iter()
        .chain(axes.iter().map(|axis| axis.input))
        .collect();
    extend(&Tensor::ones(dims, DType::F32, x.device())?, axes, 0.)
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
        assert_eq!(Padding::<2>::Same.along(0, 4, 1), [1, 2]);
        assert_eq!(Padding::<2>::Same.along(1, 3, 2), [2, 2]);
        assert_eq!(Padding::Explicit([1, 2]).along(1, 3, 1), [2, 2]);
        assert_eq!(Padding::<2>::Valid.along(1, 3, 1), [0, 0]);
    }
}
